// Any bytes give the contents of a finetune.json or throw Error(input).
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/report/finetune_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    effnet::report::parse_finetune({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) std::abort();
  }
  return 0;
}

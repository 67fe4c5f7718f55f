// Any bytes give scalars or throw Error(input).
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/report/events.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The fuzzer cannot guess checksums, so the bytes are also read as the content of one valid record.
  for (const std::string& file : {std::string(bytes), effnet::report::tf_record(bytes)}) {
    try {
      effnet::report::Scalars scalars;
      effnet::report::parse_events(file, "fuzz", scalars);
    } catch (const effnet::Error& error) {
      if (error.code() != effnet::ErrorCode::input) std::abort();
    }
  }
  return 0;
}

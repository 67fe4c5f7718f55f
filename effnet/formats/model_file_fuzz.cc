// For any bytes, parse_model returns a checked model or throws Error(input).
#include <cstdint>
#include <span>

#include "effnet/base/error.h"
#include "effnet/formats/model_file.h"
#include "effnet/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  try {
    formats::parse_model(formats::parse_safetensors(std::as_bytes(std::span(data, size)), nullptr));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) __builtin_trap();
  }
  return 0;
}

// Any input either decodes or throws Error(input); libFuzzer and the sanitizers detect other failures. max_pixels is
// small, so that every input takes little time.
#include <cstdint>
#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto image = effnet::vision::decode(std::as_bytes(std::span(data, size)), {.max_pixels = 1 << 18});
    if (static_cast<std::int64_t>(image.rgb.size()) != 3 * image.h * image.w || image.rgb.empty()) std::abort();
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) std::abort();
  }
  return 0;
}

#include "effnet/formats/safetensors.h"
#include "effnet/formats/weights_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  effnet::formats::fuzz_weights(
      data, size, [](const auto bytes, const auto& owner) { return effnet::formats::parse_safetensors(bytes, owner); });
  return 0;
}

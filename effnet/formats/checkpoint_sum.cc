#include "effnet/formats/checkpoint_sum.h"

#include "effnet/base/digest.h"

namespace effnet::formats {

std::string checkpoint_sum(const tensor::Weights& weights) {
  Digest digest;
  for (const auto& [key, text] : weights.metadata) {
    if (key == kCheckpointSum) continue;
    if (key != kCheckpointState && key != kCheckpointIdentity) digest.add(key);
    digest.add(text);
  }
  for (const auto& [name, tensor] : weights.tensors) {
    digest.add(name);
    digest.add(std::as_bytes(std::span(tensor.dims)));
    digest.add(tensor.bytes);
  }
  return "xxh128:" + digest.hex();
}

}  // namespace effnet::formats

// The metadata keys and the checksum of a training checkpoint (effnet/train/run/checkpoint.h, a safetensors file), as
// far as a reader of models needs them.
#pragma once

#include <string>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

inline constexpr const char* kCheckpointState = "effnet.checkpoint";
inline constexpr const char* kCheckpointIdentity = "effnet.identity";
inline constexpr const char* kCheckpointSum = "effnet.checksum";

// Returns "xxh128:...", the hash of all metadata except kCheckpointSum and of all tensors with their names and dims.
std::string checkpoint_sum(const tensor::Weights& weights);

}  // namespace effnet::formats

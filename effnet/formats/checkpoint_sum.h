// Metadata keys and checksum of a training checkpoint; the checksum also identifies a supernet. A checkpoint is a
// safetensors file that training writes (effnet/train/run/checkpoint.h). They are here because model_file.cc also reads
// checkpoints.
#pragma once

#include <string>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

inline constexpr const char* kCheckpointState = "effnet.checkpoint";
inline constexpr const char* kCheckpointIdentity = "effnet.identity";
inline constexpr const char* kCheckpointSum = "effnet.checksum";

// Returns "xxh128:" and a hash in hexadecimal digits. The hash covers all metadata except kCheckpointSum, and the
// names, dims and bytes of all tensors.
std::string checkpoint_sum(const tensor::Weights& weights);

}  // namespace effnet::formats

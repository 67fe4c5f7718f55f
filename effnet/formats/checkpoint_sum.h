// What makes a safetensors file a checkpoint of a training run (effnet/train/run/checkpoint.h), as far as a reader of
// models has to know it: its metadata's keys and its checksum.
#pragma once

#include <string>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

inline constexpr const char* kCheckpointState = "effnet.checkpoint";
inline constexpr const char* kCheckpointIdentity = "effnet.identity";
inline constexpr const char* kCheckpointSum = "effnet.checksum";

// "xxh128:..." of all metadata but kCheckpointSum, and of all tensors with their names and dims.
std::string checkpoint_sum(const tensor::Weights& weights);

}  // namespace effnet::formats

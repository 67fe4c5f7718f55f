// The device that a network is trained on.
#pragma once

#include <torch/types.h>

#include <string>

namespace effnet::train {

// Returns the device with its instruction set: "cpu (avx2)". If `isa` is empty, as for a GPU: only the device,
// "cuda:0".
std::string device_text(const std::string& device, const std::string& isa);

// Returns the device for a name: "auto" (GPU number `local_rank` if LibTorch can use a GPU, else the CPU), "cpu",
// "cuda" (GPU number `local_rank`) or "cuda:N". Throws Error(usage) for another name, Error(environment) for a GPU that
// does not exist.
torch::Device device_named(const std::string& name, int local_rank = 0);

}  // namespace effnet::train

// The device that a network is trained on.
#pragma once

#include <torch/torch.h>

#include <string>

namespace effnet::train {

// "cpu (avx2)"; without an instruction set, such as for a GPU: "cuda:0".
std::string device_text(const std::string& device, const std::string& isa);

// The device for a name: "auto" (GPU number `local_rank` if LibTorch can use a GPU, else the CPU), "cpu", "cuda" (GPU
// number `local_rank`) or "cuda:N". Throws Error(usage) for another name, Error(environment) for a GPU that does not
// exist.
torch::Device device_named(const std::string& name, int local_rank = 0);

}  // namespace effnet::train

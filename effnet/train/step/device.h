// What a network is trained on.
#pragma once

#include <torch/torch.h>

#include <string>

namespace effnet::train {

// "cpu (avx2)"; "cuda:0", without an instruction set.
std::string device_text(const std::string& device, const std::string& isa);

// "auto" (the GPU of this process where LibTorch can use one, else the processor), "cpu", "cuda" or "cuda:N".
// Throws Error(usage) for another name, Error(environment) for a GPU that is not there.
torch::Device device_named(const std::string& name, int local_rank = 0);

}  // namespace effnet::train

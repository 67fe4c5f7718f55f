// Model -> tensors under a published format's names, for .pth and .safetensors files that other programs load.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/formats/model_file.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// The names an export takes where none are asked for: those the weights came with if PyTorch code has them, else
// torchvision's, and effnet's if torchvision has no such network.
std::string default_names(const Model& model);

// All parameters in graph order, with num_batches_tracked (int64 scalars, 0) where the names are PyTorch code's.
// `names` is torchvision, timm, lukemelas, tf or effnet; empty: default_names. Throws Error(usage) if the names are
// unknown or have no place for this network; the message says which have.
std::vector<std::pair<std::string, tensor::Tensor>> named_tensors(const Model& model, std::string_view names = {});

}  // namespace effnet::formats

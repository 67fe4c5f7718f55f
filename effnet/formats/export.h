// Converts a model to tensors under the names of a published format, for .pth and .safetensors files of other programs.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/formats/model_file.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Returns the default naming scheme of an export: the names of the imported file if they come from PyTorch code, else
// torchvision's names, or effnet's if torchvision has no such network.
std::string default_names(const Model& model);

// Returns all parameters in graph order. With the names of PyTorch code, num_batches_tracked (int64 scalars, 0) are
// added. `names` is torchvision, timm, lukemelas, tf or effnet; empty: default_names. Throws Error(usage) if the scheme
// is unknown or does not support this network; the message lists the schemes that do.
std::vector<std::pair<std::string, tensor::Tensor>> named_tensors(const Model& model, std::string_view names = {});

}  // namespace effnet::formats

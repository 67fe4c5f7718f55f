// Converts the tensors of a model to the names and layouts of a published format, for .pth and .safetensors files that
// other programs read.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/formats/model_file.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Returns the naming scheme (names.h) that an export uses by default:
// - the scheme of the file from which the model was imported, if it is torchvision, timm or lukemelas;
// - otherwise torchvision, or effnet if torchvision does not have this network.
std::string default_names(const Model& model);

// Returns the names and tensors of all parameters, in graph order. With the schemes torchvision, timm and lukemelas,
// one counter per batch norm follows at the end: num_batches_tracked (int64 scalars, 0). `names` is the naming scheme:
// torchvision, timm, lukemelas, tf or effnet; empty: default_names(). Throws Error(usage) if the scheme is unknown or
// does not support this network. The message lists the schemes that support it.
std::vector<std::pair<std::string, tensor::Tensor>> named_tensors(const Model& model, std::string_view names = {});

}  // namespace effnet::formats

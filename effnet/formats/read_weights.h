// One door for weight files: what a file is, its content says, not its name.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "effnet/base/file.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct WeightsFile {
  std::filesystem::path path;
  tensor::Weights weights;
  std::string_view format;                 // "safetensors", "pth" (ZIP), "pth-legacy"
  std::shared_ptr<const MappedFile> file;  // what `weights` view. The path may name another file by now
};

// Throws Error(input) for a file that is none of these, saying what it is where that can be told (what_is.h), and
// whatever the format's reader throws.
WeightsFile open_weights(const std::filesystem::path& path);
tensor::Weights read_weights(const std::filesystem::path& path);  // open_weights(path).weights

}  // namespace effnet::formats

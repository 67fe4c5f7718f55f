// Opens weight files of all formats. The content decides the format, not the file name.
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
  std::shared_ptr<const MappedFile> file;  // mapped; `weights` view it. The path may have another file now
};

// Throws Error(input) for a file of another format; the message says which one if it is recognised (file_kind.h). Also
// throws what the format's reader throws.
WeightsFile open_weights(const std::filesystem::path& path);
tensor::Weights read_weights(const std::filesystem::path& path);  // open_weights(path).weights

}  // namespace effnet::formats

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
  std::shared_ptr<const MappedFile> file;  // the bytes that `weights` view, even if `path` is another file by now
};

// Throws Error(input) for a file of another format; the message says which format it is, if file_kind.h recognises it.
// Also throws the errors of the format's reader.
WeightsFile open_weights(const std::filesystem::path& path);
tensor::Weights read_weights(const std::filesystem::path& path);  // open_weights(path).weights

}  // namespace effnet::formats

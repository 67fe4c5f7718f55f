// Recognises files that are not weights, by content: a web page saved instead of a download, a Git LFS pointer, an
// archive that was not unpacked, and others. Used for error messages.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::formats {

struct FileKind {
  std::string what;  // for messages: "a web page"
  std::string hint;  // what to do
};
// Returns nullopt for formats that effnet reads, and for unknown content. Formats without a magic number, such as ONNX,
// are recognised by `file_name`.
std::optional<FileKind> find_file_kind(std::span<const std::byte> bytes, std::string_view file_name = {});

// Returns the error "not a weights file (got a web page, expected safetensors or a .pth of torch.save)".
Error not_weights(std::span<const std::byte> bytes, std::string_view file_name = {});

// The hint for a file that ends early.
inline constexpr const char* kIncompleteHint = "the file is incomplete: download or copy it again";

}  // namespace effnet::formats

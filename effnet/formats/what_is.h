// What a file is that is not what a reader of weights expected: told by its content, as people meet them (a web page
// saved in place of a download, a Git LFS pointer, an archive that was not unpacked, ...).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::formats {

struct Told {
  std::string what;  // "a web page"
  std::string hint;  // what to do about it
};
// Empty for what effnet reads itself and for what it does not know. `file_name` helps where content has no mark (ONNX).
std::optional<Told> what_is(std::span<const std::byte> bytes, std::string_view file_name = {});

// "not a weights file (got a web page, expected safetensors or a .pth of torch.save)".
Error not_weights(std::span<const std::byte> bytes, std::string_view file_name = {});

// The hint for a file that ends early.
inline constexpr const char* kCutOff = "the file is not whole: download or copy it again";

}  // namespace effnet::formats

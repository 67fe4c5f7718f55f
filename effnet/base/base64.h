// Base64 (RFC 4648, section 4): bytes as text, with padding.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnet {

std::string to_base64(std::span<const std::byte> bytes);
// Empty for a text that to_base64() does not write: another character, a wrong length, missing padding, unused bits
// that are not 0.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace effnet

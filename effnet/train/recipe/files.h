// The files of recipes/, built into the library: recipes, and the arch files of networks that only a recipe uses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace effnet::train {

inline constexpr std::string_view kNetSuffix = "_net";  // recipes/cifar10_net.toml is an arch file

std::optional<std::string_view> find_embedded(std::string_view file_name);  // its text

}  // namespace effnet::train

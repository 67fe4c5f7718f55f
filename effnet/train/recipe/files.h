// The files of recipes/ are built into the library: the recipes, and the arch files of networks that only recipes use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace effnet::train {

inline constexpr std::string_view kNetSuffix = "_net";  // an arch file has this suffix: recipes/cifar10_net.toml

// The text of the file; null if there is none.
std::optional<std::string_view> find_embedded(std::string_view file_name);

}  // namespace effnet::train

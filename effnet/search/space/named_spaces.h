// The named search spaces: spaces/*.toml of the repository, built into the binary. A new space needs only a new file.
#pragma once

#include <string_view>
#include <vector>

#include "effnet/search/space/space.h"

namespace effnet::search {

// All named spaces, in the order of their files' names. Parsed once, at first use (thread-safe).
const std::vector<Space>& named_spaces();
const Space* find_named_space(std::string_view name);  // null if the name is unknown
const Space& named_space(std::string_view name);       // throws Error(input) with the nearest name

}  // namespace effnet::search

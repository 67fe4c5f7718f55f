#include "effnet/search/space/named_spaces.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::search {

// File name and text of each spaces/*.toml. CMake generates the definition.
std::span<const std::pair<std::string_view, std::string_view>> embedded_spaces();

const std::vector<Space>& named_spaces() {
  static const std::vector<Space> all = [] {
    std::vector<Space> spaces;
    spaces.reserve(embedded_spaces().size());
    for (const auto& [file, text] : embedded_spaces()) spaces.push_back(parse_space(text, file));
    return spaces;
  }();
  return all;
}

const Space* find_named_space(std::string_view name) {
  for (const Space& space : named_spaces()) {
    if (space.name == name) return &space;
  }
  return nullptr;
}

const Space& named_space(std::string_view name) {
  if (const Space* found = find_named_space(name)) return *found;
  std::vector<std::string> names = names_of(named_spaces());
  names.emplace_back("a .toml file");
  throw unknown_name(ErrorCode::input, "unknown search space", name, names,
                     "docs/search.md describes the file of a space");
}

}  // namespace effnet::search

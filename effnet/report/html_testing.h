// A check of pages for tests.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report::testkit {

// Returns what is wrong with an HTML page, or an empty text: elements that are not closed in order, attribute values
// without quotes, a '<' or '&' that begins no tag and no reference. The style sheet is not checked.
inline std::string fault_of(std::string_view html) {
  constexpr std::array<std::string_view, 3> kVoid{"meta", "br", "img"};
  std::vector<std::string> open;
  for (std::size_t at = 0; at < html.size(); ++at) {
    const std::string_view rest = html.substr(at);
    if (rest.front() == '&') {
      const std::size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789#", 1);
      if (end == std::string_view::npos || rest[end] != ';') return fmt::format("no reference: {}", rest.substr(0, 40));
    }
    if (rest.front() != '<' || rest.starts_with("<!DOCTYPE html>")) continue;
    std::size_t end = 1;  // of the tag: the first '>' outside quotes
    for (bool quoted = false; end < rest.size() && (quoted || rest[end] != '>'); ++end) {
      if (rest[end] == '"') quoted = !quoted;
      if (rest[end] == '<' && !quoted) return fmt::format("a '<' in a tag: {}", rest.substr(0, 40));
      if (rest[end] == '=' && !quoted && !rest.substr(end).starts_with("=\""))
        return fmt::format("a value without quotes: {}", rest.substr(0, 40));
    }
    if (end == rest.size()) return fmt::format("a tag without an end: {}", rest.substr(0, 40));
    const std::string_view tag = rest.substr(1, end - 1);
    const std::string name(tag.substr(0, tag.find_first_of(" /", 1)));
    if (tag.starts_with('/')) {
      if (open.empty() || tag.substr(1) != open.back())
        return fmt::format("<{}> closes {}", tag, open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!tag.ends_with('/') && std::ranges::find(kVoid, name) == kVoid.end()) {
      open.push_back(name);
      if (name == "style") end = rest.find("</style>") - 1;
    }
    at += end;
  }
  return open.empty() ? "" : fmt::format("<{}> is not closed", open.back());
}

}  // namespace effnet::report::testkit

#include "effnet/train/step/depth.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Whether `name` is `prefix`, or `prefix` and a dot begin it.
bool is_within(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && (name.size() == prefix.size() || name[prefix.size()] == '.');
}

}  // namespace

std::string_view block_of(std::string_view node_name) {
  std::size_t ends[3] = {};
  for (std::size_t part = 0, begin = 0; part < 3; ++part) {
    ends[part] = std::min(node_name.find('.', begin), node_name.size());
    const bool is_index = is_number(node_name.substr(begin, ends[part] - begin));
    if ((part > 0 && !is_index) || (part < 2 && ends[part] == node_name.size())) return node_name.substr(0, ends[0]);
    begin = ends[part] + 1;
  }
  return node_name.substr(0, ends[2]);
}

Depth::Depth(const graph::Graph& graph) {
  for (std::size_t id = 1; id < graph.nodes.size(); ++id) {  // 0 is the input
    const std::string_view block = block_of(graph.nodes[id].name);
    auto found = std::ranges::find(blocks_, block);
    if (found == blocks_.end()) {
      blocks_.emplace_back(block);
      ends_.push_back(static_cast<graph::NodeId>(id));
      found = blocks_.end() - 1;
    }
    if (std::holds_alternative<graph::Dropout>(graph.nodes[id].op)) continue;
    ends_[static_cast<std::size_t>(found - blocks_.begin())] = static_cast<graph::NodeId>(id + 1);
  }
}

std::size_t Depth::index_of(std::string_view name) const {
  const auto found = std::ranges::find(blocks_, block_of(name));
  if (found == blocks_.end()) throw internal_error("no block of the network has the parameter {}", name);
  return static_cast<std::size_t>(found - blocks_.begin());
}

std::size_t Depth::count_up_to(std::string_view last) const {
  if (last.empty()) return 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (is_within(blocks_[i], last)) count = i + 1;
  }
  if (count == 0 || count == blocks_.size()) {
    throw input_error("model.freeze: no such block before the last one (got {}, expected one of {})", last,
                      fmt::join(blocks_.begin(), blocks_.end() - 1, ", "));
  }
  return count;
}

graph::NodeId Depth::node_after(std::size_t count) const { return count == 0 ? 0 : ends_[count - 1]; }

}  // namespace effnet::train

#include "effnet/formats/labels.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::formats {

std::span<const std::pair<std::string_view, std::string_view>> embedded_label_files();  // generated

namespace {

// Parses lines "index \t id \t label" with consecutive indices from 0.
LabelSet parse_labels(std::string_view text) {
  LabelSet set;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    EFFNET_CHECK(first != std::string_view::npos && second != std::string_view::npos);
    EFFNET_CHECK(line.substr(0, first) == std::to_string(set.labels.size()));
    set.class_ids.emplace_back(line.substr(first + 1, second - first - 1));
    set.labels.emplace_back(line.substr(second + 1));
  }
  return set;
}

}  // namespace

const LabelSet& imagenet1k() {
  static const LabelSet set = [] {
    for (const auto& [name, text] : embedded_label_files()) {
      if (name == "imagenet1k.tsv") return parse_labels(text);
    }
    throw internal_error("labels/imagenet1k.tsv is not built in");
  }();
  return set;
}

}  // namespace effnet::formats

#include "effnet/train/distributed/consistency.h"

#include <algorithm>
#include <map>
#include <span>

#include "effnet/base/file.h"

namespace effnet::train {
namespace {

constexpr int kMaxListed = 3;  // differences in a message

using Values = std::map<std::string_view, std::string_view>;

Values as_map(const KeyValues& values) {
  Values map;
  for (const KeyValue& entry : values) map.emplace(entry.key, entry.value);
  return map;
}

std::string shown(const Values& values, std::string_view key) {
  constexpr std::size_t kLongest = 80;
  const auto found = values.find(key);
  if (found == values.end()) return "missing";
  std::string text(found->second.substr(0, kLongest));
  if (found->second.size() > kLongest) text += "...";
  return text;
}

}  // namespace

// For each entry: key, byte 0, value, byte 0. Keys and values contain no byte 0: a path cannot have one.
std::string to_text(const KeyValues& values) {
  std::string text;
  for (const KeyValue& entry : values) {
    text += entry.key;
    text += '\0';
    text += entry.value;
    text += '\0';
  }
  return text;
}

KeyValues key_values_from(std::string_view text) {
  const auto next = [&text] {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos)
      throw internal_error("another rank sent an invalid list of values (got a text without the final byte 0)");
    std::string word(text.substr(0, end));
    text.remove_prefix(end + 1);
    return word;
  };
  KeyValues values;
  while (!text.empty()) {
    std::string key = next();
    values.push_back({std::move(key), next()});
  }
  return values;
}

std::optional<std::string> difference(const KeyValues& mine, const KeyValues& of_rank0) {
  std::string text;
  int count = 0;
  const Values own = as_map(mine), others = as_map(of_rank0);
  const auto compare = [&](const std::string& key) {
    const auto one = own.find(key), other = others.find(key);
    if (one != own.end() && other != others.end() && one->second == other->second) return;
    if (++count > kMaxListed) return;
    text +=
        fmt::format("{}{} is {}, on rank 0 it is {}", count > 1 ? "; " : "", key, shown(own, key), shown(others, key));
  };
  for (const KeyValue& entry : mine) compare(entry.key);
  for (const KeyValue& entry : of_rank0) {
    if (!own.contains(entry.key)) compare(entry.key);
  }
  if (count == 0) return std::nullopt;
  if (count > kMaxListed) text += fmt::format("; and {} more", count - kMaxListed);
  return text;
}

Error rank_mismatch(int rank, std::string_view difference) {
  return usage_error("rank {}: {} (expected the same on all ranks)", rank, difference)
      .with_hint("start all processes with the same recipe, settings, images and version of effnet");
}

void require_same_on_all_ranks(Group& group, const KeyValues& values) {
  if (group.world() == 1) return;
  const std::string own = to_text(values);
  // Gather digests first. They are almost always equal, and then the long texts (all class names) need not be sent.
  const std::vector<std::string> digests = group.gather(sha256(std::as_bytes(std::span(own))));
  if (std::all_of(digests.begin(), digests.end(), [&](const std::string& one) { return one == digests.front(); }))
    return;
  const std::vector<std::string> texts = group.gather(own);
  const KeyValues first = key_values_from(texts.front());
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    const std::optional<std::string> found = difference(key_values_from(texts[rank]), first);
    if (found) throw rank_mismatch(static_cast<int>(rank), *found);
  }
}

}  // namespace effnet::train

#include "effnet/train/distributed/facts.h"

#include <algorithm>
#include <map>
#include <span>

#include "effnet/base/file.h"

namespace effnet::train {
namespace {

constexpr int kNamed = 3;  // differences in a message

using Values = std::map<std::string_view, std::string_view>;

Values values_of(const Facts& facts) {
  Values values;
  for (const Fact& fact : facts) values.emplace(fact.key, fact.value);
  return values;
}

std::string shown(const Values& values, std::string_view key) {
  constexpr std::size_t kLongest = 80;
  const auto found = values.find(key);
  if (found == values.end()) return "not there";
  std::string text(found->second.substr(0, kLongest));
  if (found->second.size() > kLongest) text += "...";
  return text;
}

}  // namespace

// Key, 0, value, 0: neither holds a zero byte, whatever a path may hold.
std::string to_text(const Facts& facts) {
  std::string text;
  for (const Fact& fact : facts) {
    text += fact.key;
    text += '\0';
    text += fact.value;
    text += '\0';
  }
  return text;
}

Facts facts_from(std::string_view text) {
  const auto next = [&text] {
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) throw internal_error("another process sent what is no list of facts");
    std::string word(text.substr(0, end));
    text.remove_prefix(end + 1);
    return word;
  };
  Facts facts;
  while (!text.empty()) {
    std::string key = next();
    facts.push_back({std::move(key), next()});
  }
  return facts;
}

std::optional<std::string> difference(const Facts& mine, const Facts& of_rank0) {
  std::string text;
  int count = 0;
  const Values own = values_of(mine), others = values_of(of_rank0);
  const auto look_at = [&](const std::string& key) {
    const auto one = own.find(key), other = others.find(key);
    if (one != own.end() && other != others.end() && one->second == other->second) return;
    if (++count > kNamed) return;
    text +=
        fmt::format("{}{} is {}, on rank 0 it is {}", count > 1 ? "; " : "", key, shown(own, key), shown(others, key));
  };
  for (const Fact& fact : mine) look_at(fact.key);
  for (const Fact& fact : of_rank0) {
    if (!own.contains(fact.key)) look_at(fact.key);
  }
  if (count == 0) return std::nullopt;
  if (count > kNamed) text += fmt::format("; and {} more", count - kNamed);
  return text;
}

Error disagreement(int rank, std::string_view difference) {
  return usage_error("rank {}: {} (expected the same on all ranks)", rank, difference)
      .with_hint("start every process with the same recipe, settings, images and version");
}

void agree(Group& group, const Facts& facts) {
  if (group.world() == 1) return;
  const std::string own = to_text(facts);
  // A digest first: a thousand ranks' class names need not go round when they are equal, as they nearly always are.
  const std::vector<std::string> digests = group.gather(sha256(std::as_bytes(std::span(own))));
  if (std::all_of(digests.begin(), digests.end(), [&](const std::string& one) { return one == digests.front(); }))
    return;
  const std::vector<std::string> texts = group.gather(own);
  const Facts first = facts_from(texts.front());
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    const std::optional<std::string> found = difference(facts_from(texts[rank]), first);
    if (found) throw disagreement(static_cast<int>(rank), *found);
  }
}

}  // namespace effnet::train

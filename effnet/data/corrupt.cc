#include "effnet/data/corrupt.h"

#include <algorithm>

namespace effnet::data {

std::optional<std::string> KnownCorrupt::why(std::int64_t index) const {
  const std::lock_guard lock(mutex_);
  const auto found = why_.find(index);
  return found == why_.end() ? std::optional<std::string>{} : found->second;
}

void KnownCorrupt::add(std::int64_t index, std::string why) {
  const std::lock_guard lock(mutex_);
  why_.emplace(index, std::move(why));
}

void MetCorrupt::add(const std::map<std::int64_t, std::string>& found) {
  if (found.empty()) return;
  met_.insert(found.begin(), found.end());
  if (static_cast<std::int64_t>(met_.size()) > allowed_corrupt(limit_, set_.size()))
    throw too_many_corrupt(set_, met_, limit_);
}

std::vector<CorruptImage> MetCorrupt::list() const {
  std::vector<CorruptImage> images;
  for (const auto& [index, why] : met_) images.push_back({set_.name(index), why});
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return images;
}

std::int64_t allowed_corrupt(double limit, std::int64_t size) {
  constexpr std::int64_t kFew = 3;
  return limit > 0 ? std::max(kFew, static_cast<std::int64_t>(limit * static_cast<double>(size))) : 0;
}

Error too_many_corrupt(const Dataset& set, const std::map<std::int64_t, std::string>& broken, double limit) {
  constexpr std::size_t kNamed = 3;
  std::string names;
  std::size_t named = 0;
  for (const auto& [index, why] : broken) {
    if (named++ == kNamed) break;
    names += fmt::format("{}{}: {}", names.empty() ? "" : "; ", set.name(index), why);
  }
  return input_error("too many broken images (got {} of {}, expected at most {}); {}{}", broken.size(), set.size(),
                     allowed_corrupt(limit, set.size()), names, broken.size() > kNamed ? "; ..." : "")
      .with_hint("effnet data check lists all of them; data.broken_limit is the share that may be broken");
}

}  // namespace effnet::data

#include "effnet/data/corrupt.h"

#include <algorithm>

namespace effnet::data {

std::optional<std::string> CorruptCache::why(std::int64_t index) const {
  const std::lock_guard lock(mutex_);
  const auto found = why_.find(index);
  return found == why_.end() ? std::optional<std::string>{} : found->second;
}

void CorruptCache::add(std::int64_t index, std::string why) {
  const std::lock_guard lock(mutex_);
  why_.emplace(index, std::move(why));
}

void CorruptLog::add(const std::map<std::int64_t, std::string>& found) {
  if (found.empty()) return;
  images_.insert(found.begin(), found.end());
  if (static_cast<std::int64_t>(images_.size()) > allowed_corrupt(limit_, set_.size()))
    throw too_many_corrupt(set_, images_, limit_);
}

std::vector<CorruptImage> CorruptLog::list() const {
  std::vector<CorruptImage> images;
  for (const auto& [index, why] : images_) images.push_back({set_.name(index), why});
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return images;
}

std::int64_t allowed_corrupt(double limit, std::int64_t size) {
  constexpr std::int64_t kAlwaysAllowed = 3;
  return limit > 0 ? std::max(kAlwaysAllowed, static_cast<std::int64_t>(limit * static_cast<double>(size))) : 0;
}

Error too_many_corrupt(const Dataset& set, const std::map<std::int64_t, std::string>& corrupt, double limit) {
  constexpr std::size_t kListed = 3;
  std::string names;
  std::size_t listed = 0;
  for (const auto& [index, why] : corrupt) {
    if (listed++ == kListed) break;
    names += fmt::format("{}{}: {}", names.empty() ? "" : "; ", set.name(index), why);
  }
  return input_error("too many corrupt images (got {} of {}, expected at most {}); {}{}", corrupt.size(), set.size(),
                     allowed_corrupt(limit, set.size()), names, corrupt.size() > kListed ? "; ..." : "")
      .with_hint("effnet data check lists all of them; data.broken_limit is the fraction that may be corrupt");
}

}  // namespace effnet::data

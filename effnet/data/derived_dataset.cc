// Datasets that are derived from others or generated: selected images, several sets as one, random images.
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/data/dataset.h"

namespace effnet::data {
namespace {

class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> whole, std::vector<std::int64_t> indices)
      : whole_(std::move(whole)), indices_(std::move(indices)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  std::int64_t label(std::int64_t index) const override { return whole_->label(at(index)); }
  std::string name(std::int64_t index) const override { return whole_->name(at(index)); }
  ImageData read(std::int64_t index) const override { return whole_->read(at(index)); }
  const std::vector<std::string>& classes() const override { return whole_->classes(); }
  const std::vector<SkippedFile>& skipped() const override { return whole_->skipped(); }

 private:
  std::int64_t at(std::int64_t index) const { return indices_.at(static_cast<std::size_t>(index)); }

  std::shared_ptr<const Dataset> whole_;
  std::vector<std::int64_t> indices_;
};

class Joined final : public Dataset {
 public:
  explicit Joined(std::vector<std::unique_ptr<Dataset>> sets) : sets_(std::move(sets)) {
    EFFNET_CHECK(!sets_.empty());
    for (const auto& set : sets_) {
      EFFNET_CHECK(set->classes() == sets_[0]->classes());
      first_.push_back(size_);
      size_ += set->size();
      skipped_.insert(skipped_.end(), set->skipped().begin(), set->skipped().end());
    }
  }

  std::int64_t size() const override { return size_; }
  std::int64_t label(std::int64_t index) const override {
    const auto [set, at] = find(index);
    return set.label(at);
  }
  std::string name(std::int64_t index) const override {
    const auto [set, at] = find(index);
    return set.name(at);
  }
  ImageData read(std::int64_t index) const override {
    const auto [set, at] = find(index);
    return set.read(at);
  }
  const std::vector<std::string>& classes() const override { return sets_[0]->classes(); }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  struct Place {
    const Dataset& set;
    std::int64_t index;
  };
  Place find(std::int64_t index) const {
    EFFNET_CHECK(index >= 0 && index < size_);
    const auto set = std::upper_bound(first_.begin(), first_.end(), index) - first_.begin() - 1;
    return {*sets_[static_cast<std::size_t>(set)], index - first_[static_cast<std::size_t>(set)]};
  }

  std::vector<std::unique_ptr<Dataset>> sets_;
  std::vector<std::int64_t> first_;  // index of each set's first image
  std::int64_t size_ = 0;
  std::vector<SkippedFile> skipped_;
};

class SyntheticDataset final : public Dataset {
 public:
  SyntheticDataset(std::int64_t size, std::int64_t classes, Size resolution, std::uint64_t seed)
      : size_(size), resolution_(resolution), noise_(seed, stream_of("synthetic pictures")) {
    for (std::int64_t i = 0; i < classes; ++i) classes_.push_back(std::to_string(i));
    blocks_ = (3 * resolution.h * resolution.w + kBlockBytes - 1) / kBlockBytes;
  }

  std::int64_t size() const override { return size_; }
  std::int64_t label(std::int64_t index) const override { return index % static_cast<std::int64_t>(classes_.size()); }
  std::string name(std::int64_t index) const override { return "synthetic:" + std::to_string(index); }
  ImageData read(std::int64_t index) const override {
    EFFNET_CHECK(index >= 0 && index < size_);
    vision::Image image = vision::blank(resolution_);
    const auto bytes = static_cast<std::int64_t>(image.rgb.size());
    for (std::int64_t i = 0; i < blocks_; ++i) {
      const PhiloxCounter words = noise_.block(static_cast<std::uint64_t>(index * blocks_ + i));
      std::memcpy(image.rgb.data() + i * kBlockBytes, words.data(),
                  static_cast<std::size_t>(std::min(kBlockBytes, bytes - i * kBlockBytes)));
    }
    return image;
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  static constexpr std::int64_t kBlockBytes = 16;

  std::int64_t size_;
  Size resolution_;
  Philox noise_;
  std::int64_t blocks_ = 0;
  std::vector<std::string> classes_;
  std::vector<SkippedFile> skipped_;
};

}  // namespace

std::vector<Part> AllImages::parts() const {
  std::vector<Part> parts;
  for (const std::optional<Part>& part : origin) parts.push_back(part.value_or(Part::train));
  parts.resize(static_cast<std::size_t>(set->size()), Part::train);
  return parts;
}

std::shared_ptr<const Dataset> with_parts(const std::shared_ptr<const Dataset>& set, const std::vector<Part>& parts,
                                          std::initializer_list<Part> wanted) {
  std::vector<std::int64_t> indices;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (std::ranges::count(wanted, parts[i]) != 0) indices.push_back(static_cast<std::int64_t>(i));
  }
  return indices.empty() ? nullptr : select(set, std::move(indices));
}

std::unique_ptr<Dataset> select(std::shared_ptr<const Dataset> set, std::vector<std::int64_t> indices) {
  for (const std::int64_t index : indices) EFFNET_CHECK(index >= 0 && index < set->size());
  return std::make_unique<Subset>(std::move(set), std::move(indices));
}

std::unique_ptr<Dataset> joined(std::vector<std::unique_ptr<Dataset>> sets) {
  return std::make_unique<Joined>(std::move(sets));
}

std::unique_ptr<Dataset> held_out(std::shared_ptr<const Dataset> set, std::int64_t count, bool rest) {
  const std::int64_t n = set->size();
  std::vector<std::int64_t> quota(set->classes().size());
  for (std::int64_t i = 0; i < n; ++i) ++quota[static_cast<std::size_t>(set->label(i))];
  for (std::int64_t& one : quota) one /= 2;
  const std::int64_t most = std::accumulate(quota.begin(), quota.end(), std::int64_t{0});
  if (most == 0) {
    throw usage_error(
        "no image can be held out (got no class with two images, expected at least one such class, because at most "
        "half of each class is held out)")
        .with_hint("data.holdout=0 holds out no images");
  }
  if (count < 1 || count > most) {
    throw usage_error("number of held-out images out of range (got {}, expected 1 to {}, which is half of each class)",
                      count, most);
  }

  // XXH64 is a fixed specification, so the selection is the same in every program version. Unlike FNV, XXH64 also mixes
  // short names well.
  std::vector<std::pair<std::uint64_t, std::int64_t>> order(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::string name = set->name(i);
    order[static_cast<std::size_t>(i)] = {XXH64(name.data(), name.size(), 0), i};
  }
  std::sort(order.begin(), order.end());
  std::vector<bool> taken(static_cast<std::size_t>(n));
  std::int64_t left = count;
  for (const auto& [hash, index] : order) {
    if (left == 0) break;
    std::int64_t& open = quota[static_cast<std::size_t>(set->label(index))];
    if (open == 0) continue;
    --open;
    --left;
    taken[static_cast<std::size_t>(index)] = true;
  }
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < n; ++i) {
    if (taken[static_cast<std::size_t>(i)] != rest) indices.push_back(i);
  }
  return select(std::move(set), std::move(indices));
}

std::unique_ptr<Dataset> synthetic(std::int64_t size, std::int64_t classes, Size resolution, std::uint64_t seed) {
  constexpr std::int64_t kLongestSide = 1 << 14;
  if (size < 1 || classes < 1 || classes > (1 << 20) || resolution.h < 1 || resolution.w < 1 ||
      resolution.h > kLongestSide || resolution.w > kLongestSide) {
    throw usage_error(
        "synthetic images: out of range (got {} images of {}x{} pixels in {} classes, expected at least 1 of each, "
        "sides of at most {} pixels and at most {} classes)",
        size, resolution.h, resolution.w, classes, kLongestSide, 1 << 20);
  }
  return std::make_unique<SyntheticDataset>(size, classes, resolution, seed);
}

}  // namespace effnet::data

// Near-duplicates: candidates by bands of the difference hash, confirmed by the correlation of thumbnails.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <span>

#include "effnet/base/interrupt.h"
#include "effnet/data/content.h"

namespace effnet::data {
namespace {

// The limits follow from measurements (docs/notes/near-duplicates.md).
struct Limits {
  int distance = 23;          // largest number of hash bits that may differ
  double correlation = 0.93;  // smallest correlation of the thumbnails
};
constexpr Limits kLimits{}, kStrictLimits{10, 0.98};
constexpr std::size_t kLargeGroup = 16;
constexpr double kMinDeviation = 4;                // of a thumbnail's values (0..255); below: almost one colour
constexpr std::int64_t kMaxComparisons = 1 << 18;  // for each image

constexpr std::size_t kBands = 8, kBandBits = 16;
static_assert(kLimits.distance < 3 * kBands, "one band must differ in at most two bits");

// The hash of an image, and its bands. Kept apart from the contents, so that a comparison reads few bytes.
struct Key {
  explicit Key(const ImageContent& content) : hash(content.hash) {
    // Neighbouring bits of a hash are usually equal. So the bits of a band are 45 positions apart: otherwise few values
    // of a band would be frequent, and 60,000 images took four times as long.
    constexpr std::size_t kStride = 45;
    for (std::size_t i = 0; i < kBands * kBandBits; ++i) {
      const std::size_t bit = i * kStride % (kBands * kBandBits);
      bands[i / kBandBits] |= static_cast<std::uint16_t>((hash[bit / 64] >> (bit % 64) & 1) << (i % kBandBits));
    }
  }
  std::array<std::uint64_t, 2> hash;
  std::array<std::uint16_t, kBands> bands{};
};

int distance(const Key& a, const Key& b) {
  return std::popcount(a.hash[0] ^ b.hash[0]) + std::popcount(a.hash[1] ^ b.hash[1]);
}

// Moments of the products of two thumbnails, exact in 64 bits.
struct Moments {
  Moments(const ImageContent& a, const ImageContent& b) {
    for (std::size_t i = 0; i < a.thumbnail.size(); ++i) {
      const std::int64_t x = a.thumbnail[i], y = b.thumbnail[i];
      sum_a += x;
      sum_b += y;
      squares_a += x * x;
      squares_b += y * y;
      products += x * y;
    }
  }
  // n^2 times the covariance and the variances.
  static constexpr std::int64_t n = std::tuple_size_v<decltype(ImageContent::thumbnail)>;
  std::int64_t covariance() const { return n * products - sum_a * sum_b; }
  std::int64_t variance_a() const { return n * squares_a - sum_a * sum_a; }
  std::int64_t variance_b() const { return n * squares_b - sum_b * sum_b; }

  std::int64_t sum_a = 0, sum_b = 0, squares_a = 0, squares_b = 0, products = 0;
};

// Whether the image has almost one colour: the deviation within the channels is small. Between them it can be large.
bool is_flat(const ImageContent& content) {
  double squares = 0;  // of the differences from the mean of the channel
  constexpr std::size_t kChannels = 3, kPixels = std::tuple_size_v<decltype(ImageContent::thumbnail)> / kChannels;
  for (std::size_t channel = 0; channel < kChannels; ++channel) {
    double sum = 0, sum_of_squares = 0;
    for (std::size_t i = 0; i < kPixels; ++i) {
      const double value = content.thumbnail[kChannels * i + channel];
      sum += value;
      sum_of_squares += value * value;
    }
    squares += sum_of_squares - sum * sum / static_cast<double>(kPixels);
  }
  return squares < kMinDeviation * kMinDeviation * static_cast<double>(kChannels * kPixels);
}

bool same_thumbnail(const ImageContent& a, const ImageContent& b, double correlation) {
  const Moments moments(a, b);
  const double deviations =
      std::sqrt(static_cast<double>(moments.variance_a())) * std::sqrt(static_cast<double>(moments.variance_b()));
  return static_cast<double>(moments.covariance()) >= correlation * deviations;
}

// The images by the value of one band.
class BandIndex {
 public:
  BandIndex(const std::vector<Key>& keys, std::size_t band) : begin_((1 << kBandBits) + 1), images_(keys.size()) {
    for (const Key& key : keys) ++begin_[key.bands[band] + 1U];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    std::vector<std::uint32_t> end(begin_.begin(), begin_.end() - 1);
    for (std::size_t i = 0; i < keys.size(); ++i) images_[end[keys[i].bands[band]]++] = static_cast<std::uint32_t>(i);
  }
  // The images with this value, ascending.
  std::span<const std::uint32_t> with(std::uint16_t value) const {
    return std::span(images_).subspan(begin_[value], begin_[value + 1U] - begin_[value]);
  }

 private:
  std::vector<std::uint32_t> begin_, images_;
};

// All values of a band with at most two bits set, those with fewer bits first.
std::vector<std::uint16_t> differences() {
  std::vector<std::uint16_t> masks;
  for (int bits = 0; bits <= 2; ++bits) {
    for (std::uint32_t mask = 0; mask < 1U << kBandBits; ++mask) {
      if (std::popcount(mask) == bits) masks.push_back(static_cast<std::uint16_t>(mask));
    }
  }
  return masks;
}

// Disjoint sets of indices.
class Sets {
 public:
  explicit Sets(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t first(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = first(a);
    b = first(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

// Joins the sets of near-duplicates. Image i is in the set set_of[i].
void join_similar(const std::vector<const ImageContent*>& images, const std::vector<std::size_t>& set_of,
                  const Limits& limits, Sets& sets) {
  std::vector<Key> keys;
  keys.reserve(images.size());
  for (const ImageContent* image : images) keys.emplace_back(*image);
  std::vector<BandIndex> bands;
  for (std::size_t band = 0; band < kBands; ++band) bands.emplace_back(keys, band);
  const std::vector<std::uint16_t> masks = differences();
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    if (i % 64 == 0) check_interrupt();
    std::int64_t left = kMaxComparisons;
    for (const std::uint16_t mask : masks) {
      for (std::size_t band = 0; band < kBands && left > 0; ++band) {
        const auto value = static_cast<std::uint16_t>(keys[i].bands[band] ^ mask);
        const std::span<const std::uint32_t> same = bands[band].with(value);
        for (auto j = std::upper_bound(same.begin(), same.end(), i); j != same.end() && left > 0; ++j, --left) {
          if (distance(keys[i], keys[*j]) > limits.distance || sets.first(set_of[i]) == sets.first(set_of[*j]))
            continue;
          if (same_thumbnail(*images[i], *images[*j], limits.correlation)) sets.join(set_of[i], set_of[*j]);
        }
      }
    }
  }
}

// The groups among the images with these indices.
ImageGroups groups_among(const std::vector<ImageContent>& contents, const std::vector<std::int64_t>& indices,
                         const Limits& limits) {
  Sets sets(indices.size());
  std::map<ImageContent::Digest, std::size_t> first;  // digest -> its first image
  std::vector<const ImageContent*> images;            // one of each digest
  std::vector<std::size_t> set_of;                    // their sets
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const ImageContent& content = contents[static_cast<std::size_t>(indices[i])];
    if (!content.why.empty()) continue;
    const auto [copy, added] = first.emplace(content.digest, i);
    if (!added) {
      sets.join(copy->second, i);
    } else if (!is_flat(content)) {
      images.push_back(&content);
      set_of.push_back(i);
    }
  }
  join_similar(images, set_of, limits, sets);
  ImageGroups members(indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) members[sets.first(i)].push_back(indices[i]);
  std::erase_if(members, [](const auto& group) { return group.size() < 2; });
  return members;
}

std::size_t different_images(const std::vector<ImageContent>& contents, const std::vector<std::int64_t>& group) {
  std::set<ImageContent::Digest> digests;
  for (const std::int64_t i : group) digests.insert(contents[static_cast<std::size_t>(i)].digest);
  return digests.size();
}

}  // namespace

ImageGroups near_duplicates(const std::vector<ImageContent>& contents) {
  std::vector<std::int64_t> all(contents.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  ImageGroups groups;
  for (std::vector<std::int64_t>& group : groups_among(contents, all, kLimits)) {
    if (different_images(contents, group) <= kLargeGroup) {
      groups.push_back(std::move(group));
    } else {
      for (std::vector<std::int64_t>& part : groups_among(contents, group, kStrictLimits))
        groups.push_back(std::move(part));
    }
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

}  // namespace effnet::data

#include "effnet/data/content.h"

#include <xxhash.h>

#include <algorithm>
#include <mutex>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/resize.h"

namespace effnet::data {
namespace {

constexpr std::int64_t kReduced = 72;  // a multiple of 9 and of 12

// Means of the pixels in a grid of side x side equal cells of a reduced image: (side, side, 3), unrounded sums.
std::vector<std::int32_t> cell_sums(const vision::Image& reduced, std::int64_t side) {
  std::vector<std::int32_t> sums(static_cast<std::size_t>(3 * side * side));
  const std::int64_t cell = kReduced / side;
  for (std::int64_t y = 0; y < kReduced; ++y) {
    for (std::int64_t x = 0; x < kReduced; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        sums[static_cast<std::size_t>(3 * (y / cell * side + x / cell) + c)] +=
            reduced.rgb[static_cast<std::size_t>(3 * (y * kReduced + x) + c)];
      }
    }
  }
  return sums;
}

std::array<std::uint64_t, 2> difference_hash(const vision::Image& reduced) {
  constexpr std::int64_t kSide = 9;
  const std::vector<std::int32_t> sums = cell_sums(reduced, kSide);
  const auto grey = [&](std::int64_t y, std::int64_t x) {  // ITU-R BT.601, times 1000
    const std::int32_t* rgb = &sums[static_cast<std::size_t>(3 * (y * kSide + x))];
    return 299 * std::int64_t{rgb[0]} + 587 * std::int64_t{rgb[1]} + 114 * std::int64_t{rgb[2]};
  };
  std::array<std::uint64_t, 2> hash{};
  for (std::int64_t y = 0; y < kSide - 1; ++y) {
    for (std::int64_t x = 0; x < kSide - 1; ++x) {
      const std::int64_t bit = 8 * y + x;
      hash[0] |= std::uint64_t{grey(y, x + 1) > grey(y, x)} << bit;
      hash[1] |= std::uint64_t{grey(y + 1, x) > grey(y, x)} << bit;
    }
  }
  return hash;
}

ImageContent read_content(const Dataset& set, std::int64_t index) {
  try {
    ImageData stored = set.read(index);
    if (const auto* image = std::get_if<vision::Image>(&stored)) return content_of(*image);
    vision::StoredImage decoded = vision::decode_stored(std::get<std::vector<std::byte>>(stored));
    ImageContent content = content_of(vision::oriented(std::move(decoded.image), decoded.orientation));
    content.orientation = decoded.orientation;
    return content;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw error.in(set.name(index));
    ImageContent content;
    content.why = error.what();
    return content;
  }
}

}  // namespace

ImageContent content_of(const vision::Image& image) {
  ImageContent content;
  const XXH128_hash_t digest =
      XXH3_128bits_withSeed(image.rgb.data(), image.rgb.size(), static_cast<std::uint64_t>(image.w));
  content.digest = {digest.high64, digest.low64};
  const vision::Image reduced = vision::resize(image, {kReduced, kReduced}, Filter::box);
  content.hash = difference_hash(reduced);
  constexpr std::int64_t kPixels = kReduced / ImageContent::kThumbnailSide * kReduced / ImageContent::kThumbnailSide;
  const std::vector<std::int32_t> sums = cell_sums(reduced, ImageContent::kThumbnailSide);
  std::transform(sums.begin(), sums.end(), content.thumbnail.begin(),
                 [](std::int32_t sum) { return static_cast<std::uint8_t>((sum + kPixels / 2) / kPixels); });
  return content;
}

std::vector<ImageContent> read_contents(const Dataset& set, ThreadPool& pool, const ImagesDone& images_done) {
  std::vector<ImageContent> contents(static_cast<std::size_t>(set.size()));
  std::mutex mutex;
  std::int64_t done = 0;
  pool.parallel_for(set.size(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      check_interrupt();
      contents[static_cast<std::size_t>(i)] = read_content(set, i);
      const std::lock_guard lock(mutex);
      ++done;
      if (images_done) images_done(done, set.size());
    }
  });
  return contents;
}

void check_readable(const Dataset& set, const std::vector<ImageContent>& contents) {
  std::vector<std::int64_t> readable(set.classes().size()), corrupt(set.classes().size(), -1);
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto label = static_cast<std::size_t>(set.label(i));
    const bool good = contents[static_cast<std::size_t>(i)].why.empty();
    if (good) ++readable[label];
    if (!good && corrupt[label] < 0) corrupt[label] = i;
  }
  for (std::size_t label = 0; label < readable.size(); ++label) {
    if (readable[label] > 0 || corrupt[label] < 0) continue;
    const std::int64_t first = corrupt[label];
    throw input_error("class {}: no readable image (got only corrupt ones, expected at least one); {}: {}",
                      in_quotes(set.classes()[label]), set.name(first), contents[static_cast<std::size_t>(first)].why)
        .with_hint("effnet data check lists all corrupt images");
  }
}

ImageGroups duplicates(const std::vector<ImageContent>& contents) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (contents[i].why.empty()) order.push_back(static_cast<std::int64_t>(i));
  }
  const auto digest = [&](std::int64_t i) { return contents[static_cast<std::size_t>(i)].digest; };
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return digest(a) != digest(b) ? digest(a) < digest(b) : a < b; });
  ImageGroups groups;
  for (auto begin = order.begin(), end = begin; begin != order.end(); begin = end) {
    end = std::find_if(begin, order.end(), [&](std::int64_t i) { return digest(i) != digest(*begin); });
    if (end - begin > 1) groups.emplace_back(begin, end);
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

}  // namespace effnet::data

// What images show, for comparing them: an exact digest of the pixels, and a coarse fingerprint that stays nearly the
// same if an image is encoded again, resized, cropped by a few percent, or made a little brighter or darker.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/data/dataset.h"

namespace effnet::data {

// About 500 bytes per image.
struct ImageContent {
  using Digest = std::array<std::uint64_t, 2>;

  // XXH3 (128 bits) of the decoded, oriented pixels, with the width as its seed: the same for all lossless encodings of
  // an image. The probability that two of a billion different images have the same digest is 1e-21.
  Digest digest{};
  // A difference hash. In a grey image of 9 rows and 9 columns, each bit says whether a pixel is brighter than its left
  // neighbour (hash[0]: bit 8 * row + column) or than the pixel above it (hash[1]).
  std::array<std::uint64_t, 2> hash{};
  static constexpr std::int64_t kThumbnailSide = 12;
  std::array<std::uint8_t, 3 * kThumbnailSide * kThumbnailSide> thumbnail{};  // (12, 12, 3), each pixel a mean
  int orientation = 1;  // EXIF's number, 1 to 8; it is applied to the pixels
  std::string why;      // why the image cannot be decoded; empty if it can. All other members are then not set
};

// Called with the number of images that are done and their total, from any thread, but never by two threads at once. If
// it throws, the work ends with that exception.
using ImagesDone = std::function<void(std::int64_t done, std::int64_t total)>;

// Reads and decodes every image of `set` once. Entry i of the result is image i. The result does not depend on the
// number of threads.
std::vector<ImageContent> read_contents(const Dataset& set, ThreadPool& pool, const ImagesDone& images_done = {});
ImageContent content_of(const vision::Image& image);

// Throws Error(input) that names the class if none of the images of a class can be decoded.
void check_readable(const Dataset& set, const std::vector<ImageContent>& contents);

// Groups of images, each of at least two. The indices in a group ascend; the groups are sorted by their first index.
using ImageGroups = std::vector<std::vector<std::int64_t>>;

// Images with the same pixels.
ImageGroups duplicates(const std::vector<ImageContent>& contents);

// Images that show the same: duplicates, and images that were encoded again, resized, cropped by up to 3 % of each
// side, or made brighter or darker. Two images are near-duplicates if their hashes differ in at most 23 of 128 bits and
// the correlation of their thumbnails is at least 0.93. Groups are transitive: if a and b, and b and c are
// near-duplicates, all three are one group. A group of more than 16 images is usually not copies of one image, but a
// chain of images of one kind (digits, scans). Such a group is divided with stricter limits: 10 bits and 0.98. An image
// of almost one colour has no near-duplicates except duplicates. The indices in a group ascend; the groups are sorted
// by their first index.
//
// Time: the hash has 8 bands of 16 bits. If two hashes differ in at most 23 bits, they differ in at most 2 bits in one
// of the bands (pigeonhole principle), so only images with such a band are compared. If very many images have similar
// bands, the number of comparisons is limited to 2^18 for each image; then near-duplicates may be missed.
ImageGroups near_duplicates(const std::vector<ImageContent>& contents);

}  // namespace effnet::data

// Splits images into training, validation and test images by their content.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/data/content.h"
#include "effnet/data/part.h"

namespace effnet::data {

struct SplitOptions {
  double val = 0.2, test = 0.2;  // fractions of the images; each from 0 to below 1, together below 1
  std::uint64_t seed = 0;        // another seed gives another split
};

struct Split {
  std::vector<Part> parts;         // by index
  std::int64_t mixed = 0;          // groups with images of several classes
  std::vector<std::string> notes;  // what else a user should know, one sentence each
};

void check_split_options(const SplitOptions& options);  // throws Error(usage) if an option is out of range

// `contents` and `groups` are those of read_contents() and near_duplicates().
//
// Images that show the same must not be in two parts, because then the accuracy on val or test would be too high. So
// each group, and each image without a group, is assigned as a whole. A hash of (seed, smallest digest in the group) is
// a number in [0, 1): below `test` the group is test, in the next interval of the length `val` it is val, otherwise
// train.
//
// The numbers of groups of each class are then bounded, so that also small classes can be trained and measured. Of n
// groups and a fraction f, val and test each get n f rounded to the nearest number if n is below 10, otherwise n f
// within two standard deviations of a binomial distribution; at least one if n is at least 3; and train at least one. 5
// groups give 3, 1, 1. If a number is outside of its bounds, the groups whose hashes are nearest to the limits of the
// intervals move.
//
// What this guarantees:
//   - The split depends on content only: not on names, the order of the images, or the number of threads.
//   - A group is in one part.
//   - If an image is added that is no near-duplicate of another one, no image changes its part, in classes whose
//   numbers
//     are within their bounds before and after.
// What it does not guarantee: in a class whose numbers are outside of their bounds, an added image may change the part
// of a few others. An added image that is a near-duplicate may change the part of its group, because it may have the
// smallest digest, or join two groups. If parts must not change, store them (split_file.h).
//
// A group with images of several classes is always train: at least one of its labels is wrong, and val and test should
// have right labels. So are images that cannot be decoded.
// Throws Error(usage) if an option is out of range.
Split split_by_content(const Dataset& set, const std::vector<ImageContent>& contents, const ImageGroups& groups,
                       const SplitOptions& options);

// Explains a split_by_content() in which val and test together are a much larger part of one class than of another one
// (by more than 0.25; classes of at least 5 images). Empty if there are no such classes.
std::string uneven_note(const Dataset& set, const std::vector<Part>& parts);

}  // namespace effnet::data

#include "effnet/data/split.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::data {
namespace {

// Images that are in one part together: a group, or a single image.
struct Unit {
  double hash = 0;  // in [0, 1)
  ImageContent::Digest digest{};
  std::vector<std::int64_t> images;
};

Unit unit_of(std::vector<std::int64_t> images, const std::vector<ImageContent>& contents, std::uint64_t seed) {
  Unit unit;
  unit.images = std::move(images);
  unit.digest = contents[static_cast<std::size_t>(unit.images[0])].digest;
  for (const std::int64_t i : unit.images)
    unit.digest = std::min(unit.digest, contents[static_cast<std::size_t>(i)].digest);
  // XXH64 is a fixed specification, so the split is the same in every program version. 53 bits are exact in a double.
  unit.hash = static_cast<double>(XXH64(unit.digest.data(), sizeof unit.digest, seed) >> 11) * 0x1p-53;
  return unit;
}

// Returns the units of each class. `mixed` counts the groups with several classes; they and corrupt images are left
// out.
std::vector<std::vector<Unit>> units_of_classes(const Dataset& set, const std::vector<ImageContent>& contents,
                                                const ImageGroups& groups, std::uint64_t seed, std::int64_t& mixed) {
  std::vector<std::vector<Unit>> classes(set.classes().size());
  std::vector<bool> grouped(contents.size());
  const auto add = [&](std::vector<std::int64_t> images) {
    const auto label = static_cast<std::size_t>(set.label(images[0]));
    classes[label].push_back(unit_of(std::move(images), contents, seed));
  };
  for (const std::vector<std::int64_t>& group : groups) {
    for (const std::int64_t i : group) grouped[static_cast<std::size_t>(i)] = true;
    const bool one_class =
        std::all_of(group.begin(), group.end(), [&](std::int64_t i) { return set.label(i) == set.label(group[0]); });
    if (one_class) add(group);
    mixed += one_class ? 0 : 1;
  }
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (!grouped[i] && contents[i].why.empty()) add({static_cast<std::int64_t>(i)});
  }
  for (std::vector<Unit>& units : classes) {
    std::sort(units.begin(), units.end(),
              [](const Unit& a, const Unit& b) { return a.hash != b.hash ? a.hash < b.hash : a.digest < b.digest; });
  }
  return classes;
}

// Returns `count`, moved into the bounds for a part with the fraction f of n units (split.h).
std::int64_t bounded(std::int64_t count, std::int64_t n, double f) {
  constexpr std::int64_t kFew = 10;        // below: the nearest number
  constexpr std::int64_t kMeasurable = 3;  // from here on, each part gets a unit
  if (f == 0) return 0;
  const double expected = static_cast<double>(n) * f;
  if (n < kFew) {
    const auto nearest = static_cast<std::int64_t>(std::lround(expected));
    return n < kMeasurable ? std::min(count, std::max<std::int64_t>(nearest, 1)) : std::max<std::int64_t>(nearest, 1);
  }
  const double deviation = 2 * std::sqrt(expected * (1 - f));
  const auto low = static_cast<std::int64_t>(std::ceil(expected - deviation));
  const auto high = static_cast<std::int64_t>(std::floor(expected + deviation));
  return std::clamp(count, std::max<std::int64_t>(low, 1), std::max<std::int64_t>(high, 1));
}

struct Counts {
  std::int64_t val = 0, test = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};

Counts by_hash(const std::vector<Unit>& units, const SplitOptions& options) {
  const auto below = [&](double limit) {
    return std::count_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.hash < limit; });
  };
  const std::int64_t test = below(options.test);
  return {below(options.test + options.val) - test, test};
}

Counts bounded(Counts counts, std::int64_t n, const SplitOptions& options) {
  counts = {bounded(counts.val, n, options.val), bounded(counts.test, n, options.test)};
  while (counts.val + counts.test > std::max<std::int64_t>(n - 1, 0))
    --(counts.val >= counts.test ? counts.val : counts.test);
  return counts;
}

}  // namespace

void check_split_options(const SplitOptions& options) {
  const auto check = [](const char* name, double fraction) {
    if (!(fraction >= 0 && fraction < 1))
      throw usage_error("{}: out of range (got {}, expected a fraction from 0 to below 1)", name, fraction);
  };
  check("val", options.val);
  check("test", options.test);
  if (options.val + options.test >= 1)
    throw usage_error("val and test: no images are left for training (got {} and {}, expected a sum below 1)",
                      options.val, options.test);
}

Split split_by_content(const Dataset& set, const std::vector<ImageContent>& contents, const ImageGroups& groups,
                       const SplitOptions& options) {
  EFFNET_CHECK(contents.size() == static_cast<std::size_t>(set.size()));
  check_split_options(options);
  Split split;
  split.parts.resize(contents.size(), Part::train);
  const std::vector<std::vector<Unit>> classes = units_of_classes(set, contents, groups, options.seed, split.mixed);
  std::int64_t moved = 0;
  std::vector<std::string> lacking;  // classes without an image of val or test
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::vector<Unit>& units = classes[c];
    const auto n = static_cast<std::int64_t>(units.size());
    const Counts hashed = by_hash(units, options);
    const Counts counts = bounded(hashed, n, options);
    moved += counts == hashed ? 0 : 1;
    if ((options.val > 0 && counts.val == 0) || (options.test > 0 && counts.test == 0))
      lacking.push_back(set.classes()[c]);
    for (std::int64_t i = 0; i < counts.test + counts.val; ++i) {
      for (const std::int64_t image : units[static_cast<std::size_t>(i)].images)
        split.parts[static_cast<std::size_t>(image)] = i < counts.test ? Part::test : Part::val;
    }
  }
  if (moved > 0) {
    split.notes.push_back(fmt::format(
        "in {} of {} classes some images were moved, so that each part has enough of them", moved, classes.size()));
  }
  if (!lacking.empty()) {
    split.notes.push_back(fmt::format("{} {} too few different images for all parts: {}", lacking.size(),
                                      lacking.size() == 1 ? "class has" : "classes have", first_in_quotes(lacking, 5)));
  }
  return split;
}

std::string uneven_note(const Dataset& set, const std::vector<Part>& parts) {
  constexpr std::int64_t kFewest = 5;       // images of a class that is compared
  constexpr double kMostDifference = 0.25;  // between the fractions of val and test together
  struct Class {
    std::int64_t train = 0, val = 0, test = 0;
    std::int64_t total() const { return train + val + test; }
    double held_out() const { return static_cast<double>(val + test) / static_cast<double>(total()); }
  };
  std::vector<Class> classes(set.classes().size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Class& one = classes[static_cast<std::size_t>(set.label(static_cast<std::int64_t>(i)))];
    ++(parts[i] == Part::train ? one.train : parts[i] == Part::val ? one.val : one.test);
  }
  std::optional<std::size_t> least, most;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (classes[c].total() < kFewest) continue;
    if (!least || classes[c].held_out() < classes[*least].held_out()) least = c;
    if (!most || classes[c].held_out() > classes[*most].held_out()) most = c;
  }
  if (!least || classes[*most].held_out() - classes[*least].held_out() <= kMostDifference) return {};
  const auto counts = [&](std::size_t c) {
    return fmt::format("{} has {} for train, {} for val and {} for test", in_quotes(set.classes()[c]),
                       count_of(classes[c].train, "image"), classes[c].val, classes[c].test);
  };
  return fmt::format(
      "the classes are divided unevenly: {}, {}. The content of an image decides its part, and images that look the "
      "same stay together, so small classes are not divided exactly",
      counts(*least), counts(*most));
}

}  // namespace effnet::data

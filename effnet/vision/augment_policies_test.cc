#include "effnet/vision/augment_policies.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "effnet/base/error.h"
#include "effnet/vision/golden_files.h"
#include "effnet/vision/jpeg_testing.h"
#include "effnet/vision/statistics_testing.h"

namespace effnet::vision {
namespace {

// The table of docs/reference/paper.md, section D. A line has two operations, each with its probability and level.
constexpr const char* kReferenceTable = R"(
Equalize 0.8 1     ShearY 0.8 4
Color 0.4 9        Equalize 0.6 3
Color 0.4 1        Rotate 0.6 8
Solarize 0.8 3     Equalize 0.4 7
Solarize 0.4 2     Solarize 0.6 2
Color 0.2 0        Equalize 0.8 8
Equalize 0.4 8     SolarizeAdd 0.8 3
ShearX 0.2 9       Rotate 0.6 8
Color 0.6 1        Equalize 1.0 2
Invert 0.4 9       Rotate 0.6 0
Equalize 1.0 9     ShearY 0.6 3
Color 0.4 7        Equalize 0.6 0
Posterize 0.4 6    AutoContrast 0.4 7
Solarize 0.6 8     Color 0.6 9
Solarize 0.2 4     Rotate 0.8 9
Rotate 1.0 7       TranslateY 0.8 9
ShearX 0.0 0       Solarize 0.8 4
ShearY 0.8 0       Color 0.6 4
Color 1.0 0        Rotate 0.6 2
Equalize 0.8 4     Equalize 0.0 8
Equalize 1.0 4     AutoContrast 0.6 2
ShearY 0.4 7       SolarizeAdd 0.6 7
Posterize 0.8 2    Solarize 0.6 10
Solarize 0.6 8     Equalize 0.6 1
Color 0.8 6        Rotate 0.4 5
)";

TEST(AugmentPolicies, AutoAugmentEqualsTheReferenceTable) {
  std::istringstream table(kReferenceTable);
  for (const SubPolicy& policy : autoaugment_v0()) {
    for (const PolicyStep& step : policy) {
      std::string name;
      double probability = 0;
      int level = 0;
      table >> name >> probability >> level;
      EXPECT_EQ(operation(step.op).name, name);
      EXPECT_EQ(step.probability, probability);
      EXPECT_EQ(step.level, level);
    }
  }
  std::string more;
  EXPECT_FALSE(table >> more);
}

// Draws the numbers of one operation in the documented order, and applies the operation.
void replay(Image& image, Op op, bool applied, double level, const Distances& distances, Draws& draws) {
  const bool negated = draws.uniform() < 0.5F;
  const std::int64_t y = draws.below(image.h), x = draws.below(image.w);
  const Operation& row = operation(op);
  const double argument = row.argument(level, distances);
  if (applied) row.apply(image, row.directed && negated ? -argument : argument, y, x);
}

TEST(AugmentPolicies, DrawsInTheDocumentedOrder) {
  const Image source = testkit::noise({40, 60}, 1);
  int changed = 0;
  for (std::uint64_t sample = 0; sample < 300; ++sample) {
    const RandomKey key{3, 1, sample};
    Image actual = source, expected = source;
    Draws first(key, "augment"), second(key, "augment");
    autoaugment(actual, 0.2, first);
    const SubPolicy& policy = autoaugment_v0()[static_cast<std::size_t>(second.below(25))];
    for (const PolicyStep& step : policy) {
      const bool applied = second.uniform() < step.probability;
      replay(expected, step.op, applied, step.level, {50, 20}, second);
    }
    ASSERT_EQ(actual, expected) << sample;
    changed += actual != source ? 1 : 0;

    actual = expected = source;
    randaugment(actual, 3, 17, 0.5, first);
    for (int layer = 0; layer < 3; ++layer) {
      const Op op = static_cast<Op>(second.below(16));
      replay(expected, op, true, 17, {50, 20}, second);
    }
    ASSERT_EQ(actual, expected) << sample;
  }
  EXPECT_GT(changed, 200);
}

// Each of the 16 operations is drawn with probability 1/16. An operation is recognised by its result, because all
// results differ for this image. Cutout has a random position; it is recognised because no other result matches.
TEST(AugmentPolicies, RandAugmentDrawsUniformly) {
  const Image source = testkit::noise({24, 24}, 2, 20, 200);
  std::vector<std::int64_t> counts(16), directions(2);
  const auto after = [&](std::size_t i, double sign) {
    Image image = source;
    const Operation& row = operations()[i];
    row.apply(image, sign * row.argument(9, {10, 4}), 0, 0);
    return image;
  };
  std::vector<Image> plus, minus;
  for (std::size_t i = 0; i < 16; ++i) {
    plus.push_back(after(i, 1));
    minus.push_back(operations()[i].directed ? after(i, -1) : plus.back());
  }
  for (std::uint64_t sample = 0; sample < 8000; ++sample) {
    Draws draws({4, 0, sample}, "augment");
    Image image = source;
    randaugment(image, 1, 9, 0.1, draws);
    int found = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      if (operations()[i].name == "Cutout" || (image != plus[i] && image != minus[i])) continue;
      ++found;
      ++counts[i];
      if (operations()[i].directed) ++directions[image == plus[i] ? 0 : 1];
    }
    if (found == 0) ++counts[static_cast<std::size_t>(Op::cutout)];
    ASSERT_LE(found, 1);
  }
  EXPECT_LT(testkit::chi_square(counts, std::vector<double>(16, 1.0 / 16)), testkit::chi_square_bound(16));
  EXPECT_LT(testkit::chi_square(directions, {0.5, 0.5}), testkit::chi_square_bound(2));
}

TEST(AugmentPolicies, RejectsInvalidSettings) {
  Image image = golden::source();
  Draws draws({}, "augment");
  EXPECT_THROW(randaugment(image, -1, 9, 1, draws), Error);
  EXPECT_THROW(randaugment(image, 101, 9, 1, draws), Error);
  EXPECT_THROW(randaugment(image, 2, -1, 1, draws), Error);
  EXPECT_THROW(randaugment(image, 2, 1e9, 1, draws), Error);
  EXPECT_EQ(image, golden::source());
  randaugment(image, 0, 9, 1, draws);
  EXPECT_EQ(image, golden::source());
}

}  // namespace
}  // namespace effnet::vision

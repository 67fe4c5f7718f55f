#include "effnet/search/control/importance.h"

#include <gtest/gtest.h>

#include "effnet/search/control/controller_testing.h"

namespace effnet::search {
namespace {

// Values 1, 2, 3 of option 0 and 4, 5, 6 of option 2: means 2 and 5, mean of all 3.5. B = 6 * 1.5^2 = 13.5, W = 4,
// W / (n - k) = 4 / 4 = 1, so epsilon squared = (13.5 - 1) / 17.5.
TEST(Importance, ByHand) {
  std::vector<ValuedPoint> points;
  points.reserve(6);
  for (int i = 0; i < 6; ++i) points.push_back({{i < 3 ? 0 : 2, i % 2, 0, 0}, 1.0 + i});
  const std::vector<ChoiceImportance> rows = importance(small_space(), points);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_NEAR(rows[0].explained, 12.5 / 17.5, 1e-12);
  EXPECT_EQ(rows[0].best, 2U);
  ASSERT_EQ(rows[0].options.size(), 3U);
  EXPECT_EQ(rows[0].options[0].networks, 3);
  EXPECT_DOUBLE_EQ(rows[0].options[0].mean, 2);
  EXPECT_EQ(rows[0].options[1].networks, 0);
  EXPECT_DOUBLE_EQ(rows[0].options[2].mean, 5);
  // Values 1, 3, 5 and 2, 4, 6: B = 6 * 0.5^2 = 1.5 and W = 16, so 1.5 - 16 / 4 is below 0.
  EXPECT_EQ(rows[1].explained, 0);
  EXPECT_EQ(rows[1].best, 1U);
  EXPECT_EQ(rows[2].explained, 0);  // one option only
}

TEST(Importance, OneChoiceDecides) {
  const Space space = wide_space();
  std::vector<ValuedPoint> points;
  points.reserve(200);
  Draws draws({1}, "points");
  for (int i = 0; i < 200; ++i) {
    const Point point = sample(space, draws);
    points.push_back({point, point[5] == 1 ? 0.9 : 0.5});
  }
  const std::vector<ChoiceImportance> rows = importance(space, points);
  EXPECT_NEAR(rows[5].explained, 1, 1e-9);
  EXPECT_EQ(rows[5].best, 1U);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_TRUE(i == 5 || rows[i].explained < 0.1) << i;
}

TEST(Importance, FewOrEqualPoints) {
  const Space space = small_space();
  for (const ChoiceImportance& row : importance(space, std::vector<ValuedPoint>{{{1, 1, 1, 1}, 0.5}})) {
    EXPECT_EQ(row.explained, 0);
    EXPECT_EQ(row.best, 1U);
  }
  for (const ChoiceImportance& row :
       importance(space, std::vector<ValuedPoint>{{{0, 0, 0, 0}, 1}, {{1, 1, 1, 1}, 1}, {{0, 1, 0, 1}, 1}}))
    EXPECT_EQ(row.explained, 0);
}

}  // namespace
}  // namespace effnet::search

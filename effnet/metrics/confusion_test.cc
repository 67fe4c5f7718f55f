#include "effnet/metrics/confusion.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

//            predicted
//  truth   0  1  2  3
//    0     3  1  0  0
//    1     2  4  0  0
//    2     0  2  0  0      class 3 has no images and is never predicted; class 2 has images and is never predicted
Confusion small_matrix() {
  Confusion confusion(4);
  const auto add = [&](std::int64_t truth, std::int64_t predicted, int times) {
    for (int i = 0; i < times; ++i) confusion.add(truth, predicted);
  };
  add(0, 0, 3);
  add(0, 1, 1);
  add(1, 0, 2);
  add(1, 1, 4);
  add(2, 1, 2);
  return confusion;
}

TEST(Confusion, ScoresMatchValuesComputedByHand) {
  const Confusion confusion = small_matrix();
  EXPECT_EQ(confusion.images(), 12);
  EXPECT_EQ(confusion.right(), 7);
  EXPECT_EQ(confusion.at(1, 0), 2);
  EXPECT_EQ(confusion.at(0, 2), 0);

  const ClassScore zero = confusion.score(0);
  EXPECT_EQ(zero.support, 4);
  EXPECT_EQ(zero.predicted, 5);
  EXPECT_DOUBLE_EQ(*zero.recall, 3.0 / 4);
  EXPECT_DOUBLE_EQ(*zero.precision, 3.0 / 5);
  EXPECT_DOUBLE_EQ(*zero.f1, 2.0 / 3);  // 2 * 0.75 * 0.6 / 1.35

  const ClassScore two = confusion.score(2);
  EXPECT_DOUBLE_EQ(*two.recall, 0);
  EXPECT_FALSE(two.precision);
  EXPECT_DOUBLE_EQ(*two.f1, 0);

  const ClassScore three = confusion.score(3);
  EXPECT_EQ(three.support, 0);
  EXPECT_FALSE(three.recall || three.precision || three.f1);

  // The scores of the classes 0, 1 and 2: recall 3/4, 4/6 and 0; precision 3/5, 4/7 and none; F1 6/9, 8/13 and 0.
  const Confusion::Means means = confusion.means();
  EXPECT_DOUBLE_EQ(*means.recall, (3.0 / 4 + 4.0 / 6) / 3);
  EXPECT_DOUBLE_EQ(*means.precision, (3.0 / 5 + 4.0 / 7) / 3);
  EXPECT_DOUBLE_EQ(*means.f1, (6.0 / 9 + 8.0 / 13) / 3);
}

TEST(Confusion, MostConfusedPairsAreSortedByCount) {
  const Confusion confusion = small_matrix();
  const std::vector<ConfusedPair> all = confusion.most_confused(10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].truth, 1);
  EXPECT_EQ(all[0].count, 2);
  EXPECT_EQ(all[1].truth, 2);
  EXPECT_EQ(all[1].count, 2);
  EXPECT_EQ(all[2].truth, 0);
  EXPECT_EQ(confusion.most_confused(1).size(), 1U);

  EXPECT_EQ(confusion.most_frequent_mistake(2)->predicted, 1);
  EXPECT_EQ(confusion.most_frequent_mistake(1)->predicted, 0);
  EXPECT_FALSE(confusion.most_frequent_mistake(3));
}

TEST(Confusion, IsEmptyWithoutImagesAndChecksItsIndices) {
  EXPECT_FALSE(Confusion(3).means().recall);
  EXPECT_TRUE(Confusion(3).most_confused(5).empty());
  Confusion confusion(3);
  EXPECT_THROW(confusion.add(3, 0), Error);
  EXPECT_THROW(confusion.add(0, -1), Error);
}

}  // namespace
}  // namespace effnet::metrics

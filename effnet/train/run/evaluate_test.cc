#include "effnet/train/run/evaluate.h"

#include <gtest/gtest.h>

#include "effnet/train/step/testing.h"

namespace effnet::train {
namespace {

TEST(GatherFromAllRanks, AnImageThatSeveralRanksMetCountsOnce) {
  ThreadGroup all(2);
  ThreadGroup::Member rank(all, 1);  // its gather() returns the same list for both ranks
  const CorruptList found{{"train/b.jpg", "cut"}, {"train/a.jpg", "empty"}}, sorted{found[1], found[0]};
  EXPECT_EQ(gather_from_all_ranks(rank, found), sorted);
}

// The corrupt images of training are added again in each epoch.
TEST(GatherFromAllRanks, AnImageOfSeveralEpochsCountsOnce) {
  const auto group = single_process();
  EXPECT_EQ(gather_from_all_ranks(*group, {{"a.jpg", "cut"}, {"a.jpg", "cut"}}), (CorruptList{{"a.jpg", "cut"}}));
}

}  // namespace
}  // namespace effnet::train

#include "effnet/train/run/epoch_log.h"

#include <gtest/gtest.h>

namespace effnet::train {
namespace {

TEST(EpochLine, ThePartOfAnEpochAtTheEndIsNotBeyondTheEnd) {
  report::EpochMetrics row;
  row.epoch = 22;
  EXPECT_EQ(epoch_line(row, 22.375, 0).rfind("epoch 22 of 22.38: ", 0), 0U);
  row.epoch = 23;
  EXPECT_EQ(epoch_line(row, 22.375, 0).rfind("epoch 22.38 of 22.38: ", 0), 0U);
  row.epoch = 2;
  EXPECT_EQ(epoch_line(row, 2, 0).rfind("epoch 2 of 2: ", 0), 0U);
}

}  // namespace
}  // namespace effnet::train

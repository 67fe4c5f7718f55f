// Batch norm cases that the tests of the layers do not cover: moving statistics with momentum 0 and 1, and NaN.
#include "effnet/layers/batch_norm.h"

#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

constexpr std::int64_t kChannels = 20, kPixels = 9;

struct Fixture {
  Fixture() : moments({kPixels}, kChannels) {
    const Kernels kernels{kernels::chosen_isa()};
    const std::vector<float> y = blocked(normal("y", kPixels * kChannels, 2, 5), kChannels);
    for (std::int64_t b = 0; b < 2; ++b) {
      moments.take(kernels.training, 0, b, y.data() + b * kPixels * kBlock, kPixels);
    }
  }
  primitives::ChannelMoments moments;
  BatchNormValues values{"norm", kChannels};
};

TEST(BatchNorm, MomentumOneKeepsTheStatisticsAndZeroReplacesThem) {
  Fixture fixture;
  const BatchNormValues before = fixture.values;
  fixture.values.momentum = 1;
  batch_norm_constants(fixture.moments, kChannels, fixture.values.parameters(), {.training = true});
  EXPECT_EQ(fixture.values.mean, before.mean);
  EXPECT_EQ(fixture.values.variance, before.variance);
  fixture.values.momentum = 0;
  batch_norm_constants(fixture.moments, kChannels, fixture.values.parameters(), {.training = true});
  const auto joined = fixture.moments.joined();
  for (std::size_t c = 0; c < kChannels; ++c) {
    EXPECT_EQ(fixture.values.mean[c], static_cast<float>(joined.mean[c]));
    EXPECT_EQ(fixture.values.variance[c], static_cast<float>(joined.squares[c] / kPixels));
  }
}

TEST(BatchNorm, EvaluationKeepsTheStatisticsAndPadsWithZeros) {
  Fixture fixture;
  const BatchNormValues before = fixture.values;
  const BatchNormConstants norm = batch_norm_constants(fixture.moments, kChannels, fixture.values.parameters(), {});
  EXPECT_EQ(fixture.values.mean, before.mean);
  EXPECT_EQ(fixture.values.variance, before.variance);
  for (const std::vector<float>* values : {&norm.scale, &norm.shift, &norm.inverse, &norm.offset}) {
    ASSERT_EQ(values->size(), 32);
    for (std::size_t c = kChannels; c < 32; ++c) EXPECT_EQ((*values)[c], 0);
  }
}

// A NaN input must give a NaN variance: a variance of 0 would hide the NaN.
TEST(BatchNorm, NanInputGivesNanStatistics) {
  primitives::ChannelMoments moments({1}, 1);
  const std::vector<float> y(kBlock, kNan);
  moments.take(Kernels{kernels::chosen_isa()}.training, 0, 0, y.data(), 1);
  BatchNormValues values("norm", 1);
  batch_norm_constants(moments, 1, values.parameters(), {.training = true});
  EXPECT_TRUE(std::isnan(values.mean[0]));
  EXPECT_TRUE(std::isnan(values.variance[0]));
}

}  // namespace
}  // namespace effnet::layers

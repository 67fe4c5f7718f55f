#include "effnet/primitives/channel_moments.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "effnet/base/philox.h"

namespace effnet::primitives {
namespace {

using kernels::kBlock;

// Compares with sums in double, for values with a mean of 1000. The sums of a slot are about its first pixel, so the
// error depends on the size of the deviations, not on the size of the mean. The slots are computed in reverse order;
// padding lanes are NaN.
TEST(ChannelMoments, EqualSumsInDouble) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::TrainingSet& set = kernels::training_set({isa});
    for (const std::int64_t channels : {1, 16, 21}) {
      const std::vector<std::int64_t> slots{1, 7, 2, 100};
      const std::int64_t pixels = 110, blocks = kernels::blocks_of(channels);
      std::vector<float> y(static_cast<std::size_t>(blocks * pixels * kBlock));
      Philox(3, stream_of("moments")).fill_normal(y, 0, 1);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const auto channel =
            static_cast<std::int64_t>(i) / (pixels * kBlock) * kBlock + static_cast<std::int64_t>(i) % kBlock;
        y[i] = channel < channels ? y[i] + 1000 : std::numeric_limits<float>::quiet_NaN();
      }
      ChannelMoments moments(slots, channels);
      for (std::int64_t slot = 3; slot >= 0; --slot) {
        std::int64_t first = 0;
        for (std::int64_t i = 0; i < slot; ++i) first += slots[static_cast<std::size_t>(i)];
        for (std::int64_t b = 0; b < blocks; ++b) {
          moments.take(set, slot, b, y.data() + (b * pixels + first) * kBlock, slots[static_cast<std::size_t>(slot)]);
        }
      }
      const ChannelMoments::Joined joined = moments.joined();
      ASSERT_EQ(joined.pixels, pixels);
      ASSERT_EQ(joined.mean.size(), channels);
      ASSERT_EQ(joined.squares.size(), channels);
      for (std::int64_t c = 0; c < channels; ++c) {
        const auto value = [&](std::int64_t p) {
          return double{y[static_cast<std::size_t>((c / kBlock * pixels + p) * kBlock + c % kBlock)]};
        };
        double mean = 0, squares = 0;
        for (std::int64_t p = 0; p < pixels; ++p) mean += value(p) / pixels;
        for (std::int64_t p = 0; p < pixels; ++p) squares += (value(p) - mean) * (value(p) - mean);
        // A sum of up to 100 floats of magnitude at most 8 (twice the largest deviation) has at most 101 roundings.
        EXPECT_NEAR(joined.mean[static_cast<std::size_t>(c)], mean, 8 * 101 * 0x1p-24);
        EXPECT_NEAR(joined.squares[static_cast<std::size_t>(c)], squares, 64 * 101 * 101 * 0x1p-24);
      }
    }
  }
}

}  // namespace
}  // namespace effnet::primitives

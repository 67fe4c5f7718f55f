#include "effnet/layers/layout.h"

#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

TEST(Layout, RowsToBlocksAndBackRestoresTheValues) {
  Resources resources;
  for (const int threads : {1, 3}) {
    const Loops loops(resources.team, threads);
    const Context context{resources.kernels, loops, resources.workspace};
    for (const std::int64_t channels : {1, 7, 16, 17, 40}) {
      for (const std::int64_t pixels : {1, 5, 50}) {
        const std::vector<float> values = normal("values", pixels * channels);
        std::vector<float> blocks(static_cast<std::size_t>(padded(channels) * pixels), kNan), back(values.size(), kNan);
        to_blocks(context, values.data(), channels, pixels, blocks.data());
        std::vector<float> expected = blocked(values, channels);
        std::replace_if(
            expected.begin(), expected.end(), [](float x) { return std::isnan(x); }, 0.0F);
        EXPECT_EQ(blocks, expected);
        to_rows(context, blocks.data(), channels, pixels, back.data());
        EXPECT_EQ(back, values);
      }
    }
  }
}

TEST(Layout, PlaneOfVisitsEveryPlaneOnceImageByImage) {
  std::vector<int> visits(3 * 4);
  for (std::int64_t task = 0; task < 12; ++task) {
    const std::int64_t plane = plane_of(task, 3, 4);
    EXPECT_EQ(plane % 4, task / 3);
    ++visits[static_cast<std::size_t>(plane)];
  }
  EXPECT_EQ(visits, std::vector<int>(12, 1));
}

}  // namespace
}  // namespace effnet::layers

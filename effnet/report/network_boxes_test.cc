#include "effnet/report/network_boxes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/lower.h"

namespace effnet::report {
namespace {

// The sizes are those of the paper's Table 1.
TEST(NetworkBoxes, OfB0HaveTheSizesOfTable1) {
  const arch::ArchSpec& b0 = arch::variant("efficientnet_b0").spec;
  const std::vector<std::size_t> parts{0, 1, 2, 3, 4, 5, 6};
  const std::vector<BoxRows::Box> boxes = network_boxes(b0, graph::lower(b0), parts, 2);
  ASSERT_EQ(boxes.size(), 1 + 16 + 1U);
  EXPECT_FALSE(boxes.front().part.has_value());
  EXPECT_DOUBLE_EQ(boxes.front().width, std::sqrt(32));
  EXPECT_EQ(boxes.front().height, 112);
  EXPECT_EQ(boxes.front().hint, "stem: 32 channels, 112 px");
  EXPECT_EQ(boxes[4].part, 2U);  // after the stem, one block of stage 2 and two blocks of stage 3
  EXPECT_EQ(boxes[4].hint, "stage 4, block 1, mbconv, kernel 5, expansion 6, SE 0.25: 40 channels, 28 px");
  EXPECT_EQ(boxes.back().hint, "head: 1280 channels, 7 px");
}

// A box without width cannot be drawn.
TEST(NetworkBoxes, OfANetworkWithoutHeadConvolutionHaveTheLastBlocksSize) {
  const arch::ArchSpec& resnet = arch::variant("resnet50").spec;
  ASSERT_EQ(resnet.head.channels, 0);
  const std::vector<std::size_t> parts{0, 0, 0, 0};
  const std::vector<BoxRows::Box> boxes = network_boxes(resnet, graph::lower(resnet), parts);
  EXPECT_EQ(boxes[1].hint, "stage 1, block 1, bottleneck, kernel 3: 256 channels, 56 px");
  EXPECT_EQ(boxes.back().hint, "head: 2048 channels, 7 px");
  EXPECT_THROW(network_boxes(resnet, graph::lower(resnet), {}), Error);
}

}  // namespace
}  // namespace effnet::report

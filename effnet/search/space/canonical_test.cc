#include <gtest/gtest.h>

#include <map>

#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

// A space in which every field has twins.
Space twins() {
  return two_stages(
      "[choices]\n"
      "skip = [true, false]\n"
      "expand = [1, 2]\n"
      "[[stages]]\n"
      "stage = 1\n"
      "block = ['mbconv', 'depthwise_separable']\n"
      "se = [0, 0.25, 0.33]\n"  // of 8 channels: 2 and 2.64; of 16: 4 and 5.28
      "width = [0.75, 1, 2]\n"  // 6 is rounded to 8
      "layers = [-1, 0, 1]\n"   // 1, 1 and 2 blocks
      "[[stages]]\n"
      "stage = 2\n"
      "channels = [8, 16]\n"
      "layers = [0, 1]\n");
}

// Stage 1 has 36 forms. Depthwise separable: 2 widths * 2 depths = 4. MBConv, always times 2 expansions:
//    8 channels, 1 or 2 blocks: 2 squeezes (0.25 and 0.33 both give 2) * 2 skips, each: 8 + 8
//   16 channels, 1 block: 2 squeezes, and no skip, because the input has 8 channels: 4
//   16 channels, 2 blocks: 3 squeezes (the second block has 4 or 5) * 2 skips: 12
// Stage 2, for each number of input channels: 2 expansions times 2 + 2 skips with as many output channels (1 or 2
// blocks), 1 + 2 with the other number of output channels, is 14.
constexpr std::size_t kNetworks = 36 * 14;

TEST(Canonical, AllPointsOfOneNetworkHaveOneCanonicalPoint) {
  const Space space = twins();
  std::map<Point, std::string> graphs;
  for_each_point(space, [&](const Point& point) { graphs.emplace(point, graph_text(network_of(space, point))); });
  ASSERT_EQ(graphs.size(), 3456U);
  ASSERT_EQ(space.size(), "3456");
  std::map<std::string, Point> canonical_of;
  for (const auto& [point, graph] : graphs) {
    const Point one = canonical(space, point);
    EXPECT_EQ(graphs.at(one), graph) << to_text(space, point) << " became " << to_text(space, one);
    EXPECT_EQ(canonical(space, one), one) << to_text(space, point);
    EXPECT_EQ(canonical_of.emplace(graph, one).first->second, one) << to_text(space, point);
    for (std::size_t i = 0; i < point.size(); ++i) EXPECT_LE(one[i], point[i]) << "it has the smallest options";
  }
  EXPECT_EQ(canonical_of.size(), kNetworks);
}

TEST(Canonical, OneBlockWithTwoKindsAndTwoExpansionsIsThreeNetworks) {
  const Space space = two_stages("[[stages]]\nstage = 2\nblock = ['depthwise_separable', 'mbconv']\nexpand = [3, 1]\n");
  EXPECT_EQ(canonical(space, {0, 0}), (Point{0, 0}));
  EXPECT_EQ(canonical(space, {0, 1}), (Point{0, 0}));
  EXPECT_EQ(canonical(space, {1, 0}), (Point{1, 0}));
  EXPECT_EQ(canonical(space, {1, 1}), (Point{1, 1}));
}

// With 16 channels and a second block the skip has an effect again.
TEST(Canonical, SkipStaysWhereASecondBlockCanAdd) {
  const Space space = two_stages("[[stages]]\nstage = 1\nskip = [true, false]\nchannels = [8, 16]\nlayers = [0, 1]\n");
  EXPECT_EQ(to_text(space, canonical(space, {1, 0, 0})), "skip=false c8 l+0");
  EXPECT_EQ(to_text(space, canonical(space, {1, 1, 0})), "skip=true c16 l+0");
  EXPECT_EQ(to_text(space, canonical(space, {1, 1, 1})), "skip=false c16 l+1");
}

TEST(Canonical, StrideAndOtherKindsOfBlocksHaveNoSkip) {
  const Space strided = two_stages("[[stages]]\nstage = 1\nskip = [true, false]\nkernel = [3, 5]\n");
  EXPECT_EQ(canonical(strided, {0, 1}), (Point{0, 1})) << "rows of fields.cc: the kernel is first";
  Space changed = strided;
  changed.base.stages[0].stride = 2;
  EXPECT_EQ(canonical(changed, {0, 1}), (Point{0, 0}));
  changed = strided;
  changed.base.stages[0].block = "basic";
  EXPECT_EQ(canonical(changed, {1, 1}), (Point{1, 0}));
}

}  // namespace
}  // namespace effnet::search

#include "effnet/search/space/network_parts.h"

#include <gtest/gtest.h>

#include <map>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/search/space/part_work.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

const arch::ArchSpec& b0() { return arch::variant("efficientnet_b0").spec; }

// The numbers are those of the paper's Table 1. Squeezed channels are a quarter of the block's input channels.
TEST(NetworkParts, OfB0) {
  const std::vector<std::string> parts = parts_of(b0());
  ASSERT_EQ(parts.size(), 1 + 16 + 1U);
  EXPECT_EQ(parts[0], "stem px224 k3 s2 c32 silu same none, blocks silu same");
  EXPECT_EQ(parts[1], "stage 1 first mbconv in32 out16 k3 s1 e1 se8");
  EXPECT_EQ(parts[2], "stage 2 first mbconv in16 out24 k3 s2 e6 se4");
  EXPECT_EQ(parts[3], "stage 2 next mbconv in24 out24 k3 s1 e6 se6 add");
  EXPECT_EQ(parts[9], "stage 5 first mbconv in80 out112 k5 s1 e6 se20");
  EXPECT_EQ(parts[10], parts[11]) << "the other two blocks of stage 5";
  EXPECT_EQ(parts[17], "head in320 c1280 silu classes1000");
}

TEST(NetworkParts, ANetworkAtAnotherResolutionHasAnotherStem) {
  arch::ArchSpec larger = b0();
  larger.resolution = 240;
  EXPECT_NE(parts_of(larger)[0], parts_of(b0())[0]);
  larger = b0();
  larger.activation = arch::Activation::relu;
  EXPECT_NE(parts_of(larger)[0], parts_of(b0())[0]) << "the activation of the blocks";
}

TEST(NetworkParts, OfBottlenecksAreAnError) {
  try {
    parts_of(arch::variant("resnet50").spec);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_STREQ(error.what(),
                 "resnet50: stage 1: no prediction for blocks of this kind (got 'bottleneck', expected mbconv, "
                 "depthwise_separable or basic)");
  }
}

TEST(PartWork, SumsToTheCountsOfTheNetwork) {
  const std::vector<PartWork> parts = work_of_parts(b0());
  ASSERT_EQ(parts.size(), parts_of(b0()).size());
  PartWork sum{};
  for (const PartWork& part : parts) {
    for (std::size_t i = 0; i < kWorkKinds; ++i) sum[i] += part[i];
    EXPECT_EQ(part[4], 1);
  }
  const graph::Costs costs = graph::costs(graph::lower(b0()));
  EXPECT_EQ(sum[0] + sum[1], static_cast<double>(costs.macs));
  EXPECT_EQ(sum[3], static_cast<double>(costs.params));
  // The head: a 1x1 convolution of 7x7 pixels from 320 to 1280 channels with batch norm, and the classifier.
  EXPECT_EQ(parts.back(), (PartWork{320.0 * 1280 * 49 + 1280.0 * 1000, 0, 1280.0 * 49,
                                    320.0 * 1280 + 2 * 1280 + 1280.0 * 1000 + 1000, 1}));
  // The first block: no expansion; depthwise 3x3 of 32 channels at 112x112, SE with 8 channels, projection to 16.
  EXPECT_EQ(parts[1][0], 2 * 32.0 * 8 + 32.0 * 16 * 112 * 112);
  EXPECT_EQ(parts[1][1], 32.0 * 9 * 112 * 112);
  EXPECT_EQ(parts[1][2], 32.0 * 112 * 112 + 8 + 32 + 16.0 * 112 * 112);
}

// In a space whose stages have all fields, parts with the same text do the same work, whatever the rest of the network.
TEST(PartWork, IsTheSameForTheSameText) {
  const Space space = two_stages(
      "[choices]\n"
      "block = ['mbconv', 'depthwise_separable', 'basic']\n"
      "kernel = [3, 5]\n"
      "expand = [1, 3]\n"
      "se = [0, 0.5]\n"
      "layers = [0, 1]\n"
      "channels = [8, 12]\n");
  std::map<std::string, PartWork> known;
  Draws draws({.seed = 1}, "part work");
  for (int i = 0; i < 2000; ++i) {
    const arch::ArchSpec spec = network_of(space, sample(space, draws));
    const std::vector<std::string> parts = parts_of(spec);
    const std::vector<PartWork> work = work_of_parts(spec);
    ASSERT_EQ(parts.size(), work.size());
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const auto [found, is_new] = known.try_emplace(parts[p], work[p]);
      ASSERT_EQ(found->second, work[p]) << parts[p];
    }
  }
  EXPECT_GT(known.size(), 50U);
}

}  // namespace
}  // namespace effnet::search

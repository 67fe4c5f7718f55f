#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

const arch::ArchSpec& spec_of(std::string_view name) { return arch::variant(name).spec; }
const Space& mnasnet() { return named_space("mnasnet"); }

// The found network with all that find_point() does not compare.
arch::ArchSpec completed(arch::ArchSpec found, const arch::ArchSpec& from) {
  found.resolution = from.resolution;
  found.classes = from.classes;
  found.dropout = from.dropout;
  found.drop_path = from.drop_path;
  found.activation = from.activation;
  found.stem.activation = from.stem.activation;
  found.head.activation = from.head.activation;
  return found;
}

struct Published {
  const char* name;
  std::int64_t params, macs;  // docs/reference/paper.md: B0 in section C, the others in "Other networks"
  const char* point;          // the table in section F; B0: the paper's Table 1
};
constexpr Published kPublished[] = {
    {"mnasnet_a1", 3'887'038, 311'579'072,
     "k3 se0 skip=true e1 w0.75 l-1 / k3 se0 skip=true e6 w0.75 l+0 / k5 se0.25 skip=true e3 w1.25 l+0 / "
     "k3 se0 skip=true e6 w1.25 l+0 / k3 se0.25 skip=true e6 c112 l-1 / k5 se0.25 skip=true e6 c160 l+0 / "
     "k3 se0 skip=true e6 w1 l-1"},
    {"mnasnet_b1", 4'383'312, 314'415'872,
     "k3 se0 skip=true e1 w0.75 l-1 / k3 se0 skip=true e3 w0.75 l+1 / k5 se0 skip=true e3 w1.25 l+0 / "
     "k5 se0 skip=true e6 w1.25 l-1 / k3 se0 skip=true e6 c96 l-1 / k5 se0 skip=true e6 c192 l+1 / "
     "k3 se0 skip=true e6 w1 l-1"},
    {"efficientnet_b0", 5'288'548, 0,
     "k3 se0.25 skip=true e1 w0.75 l-1 / k3 se0.25 skip=true e6 w0.75 l+0 / k5 se0.25 skip=true e6 w1.25 l-1 / "
     "k3 se0.25 skip=true e6 w1.25 l-1 / k5 se0.25 skip=true e6 c112 l+0 / k5 se0.25 skip=true e6 c192 l+1 / "
     "k3 se0.25 skip=true e6 w1 l-1"},
};

// Smallest options: 16 and 24 channels are 0.75 times and once the base's, 1 block is one fewer and none fewer than 1,
// and `skip` has no effect in the first and the last stage.
TEST(FindPoint, MnasnetAndB0ArePointsOfMnasnetsSpace) {
  for (const Published& published : kPublished) {
    const arch::ArchSpec& spec = spec_of(published.name);
    const std::optional<Point> point = find_point(mnasnet(), spec);
    ASSERT_TRUE(point.has_value()) << published.name;
    EXPECT_EQ(to_text(mnasnet(), *point), published.point) << published.name;
    EXPECT_EQ(canonical(mnasnet(), *point), *point) << published.name;
    const arch::ArchSpec found = network_of(mnasnet(), *point);
    EXPECT_EQ(graph_text(completed(found, spec)), graph_text(spec)) << published.name;
    const graph::Costs costs = graph::costs(graph::lower(found));
    EXPECT_EQ(costs.params, published.params) << published.name;
    if (published.macs != 0) {
      EXPECT_EQ(costs.macs, published.macs) << published.name;
    }
  }
}

TEST(FindPoint, EveryPointIsFoundAgain) {
  Draws draws({.seed = 1}, "test");
  for (const Space& space : named_spaces()) {
    for (int i = 0; i < 200; ++i) {
      const Point point = sample(space, draws);
      EXPECT_EQ(find_point(space, network_of(space, point)), point) << to_text(space, point);
    }
  }
}

TEST(FindPoint, OtherNetworksAreNone) {
  for (const char* name : {"efficientnet_b1", "mobilenet_v2", "mobilenet_v1", "resnet50", "amoebanet_b"})
    EXPECT_FALSE(find_point(mnasnet(), spec_of(name)).has_value()) << name;
  EXPECT_FALSE(find_point(named_space("cifar"), spec_of("efficientnet_b0")).has_value());
}

// Changes one number of B0 and says whether it still is a point.
bool found_with(void (*change)(arch::ArchSpec&)) {
  arch::ArchSpec spec = spec_of("efficientnet_b0");
  change(spec);
  return find_point(mnasnet(), spec).has_value();
}

TEST(FindPoint, IgnoresWhatASearchDoesNotChoose) {
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.name = spec.family = "other"; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.resolution = 64; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.classes = 7; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.dropout = spec.drop_path = 0; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.preprocessing = "whole"; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.scalable = spec.stem.scale_width = false; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.activation = arch::Activation::hard_swish; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.stages[3].scale_depth = false; }));
  EXPECT_TRUE(found_with([](arch::ArchSpec& spec) { spec.stages[0].skip = false; })) << "32 channels become 16";
}

TEST(FindPoint, ComparesEverythingElse) {
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].kernel = 9; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].stride = 1; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].channels = 48; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].repeats = 4; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].expand = 5; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].se = 0.5; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages[1].block = "basic"; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stages.pop_back(); }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stem.channels = 24; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stem.stride = 1; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stem.kernel = 5; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stem.pool = arch::PoolKind::max; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.stem.padding = arch::Padding::symmetric; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.head.channels = 0; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.head.activation = arch::Activation::none; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.padding = arch::Padding::symmetric; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.bn_epsilon = 1e-5; }));
  EXPECT_FALSE(found_with([](arch::ArchSpec& spec) { spec.bn_momentum = 0.9; }));
}

// The kernel of the second stage has no choice, so it must be the base's.
TEST(FindPoint, NumbersWithoutAChoiceAreTheBases) {
  const Space space = two_stages("[[stages]]\nstage = 1\nkernel = [3, 5]\n");
  arch::ArchSpec spec = space.base;
  spec.stages[0].kernel = 5;
  EXPECT_EQ(find_point(space, spec), Point{1});
  spec.stages[1].kernel = 5;
  EXPECT_FALSE(find_point(space, spec).has_value());
}

TEST(NamedSpaces, MnasnetHasItsSize) {
  // Five stages: 3 kernels * 2 SE * 2 skips * 4 expansions * 3 widths * 3 depths = 432; two with 4 widths: 576.
  EXPECT_EQ(mnasnet().size(), "4991874990165983232");  // 432^5 * 576^2
}

TEST(NamedSpaces, CifarIsASmallSpaceFor32Pixels) {
  const Space& space = named_space("cifar");
  const graph::Graph base = graph::lower(space.base);
  EXPECT_EQ(base.input().h, 32);
  EXPECT_EQ(base.classes(), 10);
  EXPECT_GE(graph::costs(base).macs, 4'000'000);
  EXPECT_LE(graph::costs(base).macs, 8'000'000);
  Draws draws({.seed = 1}, "test");
  for (int i = 0; i < 100; ++i) {
    const graph::Graph network = graph::lower(network_of(space, sample(space, draws)));
    EXPECT_EQ(network.stages.back().resolution.h, 4);
  }
}

TEST(NamedSpaces, UnknownNameHasTheNearestName) {
  EXPECT_EQ(find_named_space("mnasnett"), nullptr);
  try {
    named_space("mnasnett");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_STREQ(error.what(), "unknown search space (got 'mnasnett', expected cifar, mnasnet or a .toml file)");
    EXPECT_EQ(error.hint(), "did you mean mnasnet?");
  }
}

}  // namespace
}  // namespace effnet::search

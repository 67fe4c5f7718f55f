// Compares all exact counts with the expected values of docs/reference/paper.md, sections A, B, C and G. An independent
// script computed these values, and they agree with torchvision's published counts.
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

struct Row {
  const char* name;
  std::int64_t params, statistics, macs;  // -1: the source does not give the count
};

class FamilyRow : public testing::TestWithParam<Row> {};

TEST_P(FamilyRow, HasThePublishedCounts) {
  const Costs costs = graph::costs(lower(arch::variant(GetParam().name).spec));
  EXPECT_EQ(costs.params, GetParam().params);
  if (GetParam().macs >= 0) {
    EXPECT_EQ(costs.macs, GetParam().macs);
  }
  if (GetParam().statistics >= 0) {
    EXPECT_EQ(costs.statistics, GetParam().statistics);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Paper, FamilyRow,
    testing::Values(
        Row{"efficientnet_b0", 5288548, 42016, 385814752}, Row{"efficientnet_b1", 7794184, 62048, 686802832},
        Row{"efficientnet_b2", 9109994, 67568, 993561872}, Row{"efficientnet_b3", 12233232, 87296, 1827141392},
        Row{"efficientnet_b4", 19341616, 125200, 4393771024}, Row{"efficientnet_b5", 30389784, 172736, 10266384752},
        Row{"efficientnet_b6", 43040704, 224432, 19067593536}, Row{"efficientnet_b7", 66347960, 310720, 37745884192},
        Row{"efficientnet_b8", 87413142, 380032, 62597461568}, Row{"efficientnet_l2", 480309308, 1090688, 475703653280},
        Row{"efficientnet_lite0", 4652008, 42016, 385187552}, Row{"efficientnet_lite1", 5416680, 53664, 600185232},
        Row{"efficientnet_lite2", 6092072, 58096, 859736272}, Row{"efficientnet_lite3", 8197096, -1, 1383321872},
        Row{"efficientnet_lite4", 13006568, -1, 2553034336}, Row{"mobilenet_v1", 4231976, 21888, 568740352},
        Row{"mobilenet_v2", 3504872, 34112, 300774272}, Row{"mnasnet_a1", 3887038, -1, 311579072},
        Row{"mnasnet_b1", 4383312, -1, 314415872}, Row{"resnet18", 11689512, 9600, -1},
        Row{"resnet50", 25557032, 53120, 4089184256}, Row{"resnet101", 44549160, 105344, 7801405440},
        Row{"resnet152", 60192808, 151424, 11513626624}, Row{"amoebanet_b", 557286057, -1, -1}),
    [](const auto& row) { return std::string(row.param.name); });

std::int64_t params_of(const arch::ArchSpec& spec) { return costs(lower(spec)).params; }
std::int64_t macs_of(const arch::ArchSpec& spec) { return costs(lower(spec)).macs; }

arch::ArchSpec scaled(std::string_view base, double depth, double width, std::int64_t resolution) {
  return arch::scaled(arch::variant(base).spec, depth, width, resolution);
}

// timm's published counts: parameters in millions, and GMACs that include two for each output of a batch norm (as
// fvcore counts). docs/reference/scaling.md.
TEST(TinyNet, HasThePublishedCounts) {
  const std::tuple<const char*, const char*, const char*> rows[] = {{"tinynet_a", "6.19", "0.35"},
                                                                    {"tinynet_b", "3.73", "0.21"},
                                                                    {"tinynet_c", "2.46", "0.11"},
                                                                    {"tinynet_d", "2.34", "0.05"},
                                                                    {"tinynet_e", "2.04", "0.03"}};
  for (const auto& [name, params, giga_macs] : rows) {
    const Graph graph = lower(arch::variant(name).spec);
    const Costs costs = graph::costs(graph);
    EXPECT_EQ(fmt::format("{:.2f}", static_cast<double>(costs.params) * 1e-6), params) << name;
    std::int64_t normalised = 0;
    for (const Node& node : graph.nodes) {
      if (std::holds_alternative<BatchNorm>(node.op)) normalised += node.out.numel();
    }
    EXPECT_EQ(fmt::format("{:.2f}", static_cast<double>(costs.macs + 2 * normalised) * 1e-9), giga_macs) << name;
  }
}

TEST(Paper, CountsOfL2At475Pixels) {
  const Graph graph = lower(arch::variant("efficientnet_l2").spec, {.resolution = Size{475, 475}});
  EXPECT_EQ(costs(graph).macs, 170892857680);
}

TEST(Paper, CountsOfTable3ScaledMobileNetsAndResNets) {
  // MACs in units of 1e9, rounded to three decimals as in the table.
  const auto giga = [](std::int64_t macs) { return std::round(static_cast<double>(macs) / 1e6) / 1e3; };
  const auto expect = [&](const arch::ArchSpec& spec, double billions, std::int64_t params) {
    EXPECT_DOUBLE_EQ(giga(macs_of(spec)), billions) << spec.name;
    EXPECT_EQ(params_of(spec), params) << spec.name;
  };
  expect(scaled("mobilenet_v1", 1, 2, 224), 2.216, 14742120);
  expect(scaled("mobilenet_v1", 1, 1, 448), 2.272, 4231976);
  expect(scaled("mobilenet_v1", 1.4, 1.2, 288), 2.243, 8677512);
  expect(scaled("mobilenet_v1", 1.4, 1.2, 291), 2.470, 8677512);
  expect(scaled("mobilenet_v1", 1.4, 1.2, 300), 2.520, 8677512);
  expect(scaled("mobilenet_v2", 4, 1, 224), 1.220, 12051800);
  expect(scaled("mobilenet_v2", 1, 2, 224), 1.137, 11258088);
  expect(scaled("mobilenet_v2", 1, 1, 448), 1.199, 3504872);
  expect(scaled("mobilenet_v2", 1.4, 1.2, 288), 1.284, 7987552);
  expect(scaled("mobilenet_v2", 1.4, 1.2, 291), 1.442, 7987552);
  expect(scaled("mobilenet_v2", 1.4, 1.2, 299), 1.470, 7987552);
  expect(scaled("resnet50", 4, 1, 224), 14.571, 89824040);
  expect(scaled("resnet50", 1, 2, 224), 16.117, 98004072);
  expect(scaled("resnet50", 1, 1, 448), 16.351, 25557032);
  expect(scaled("resnet50", 1.4, 1.2, 288), 14.454, 54804824);
  expect(scaled("resnet50", 1.4, 1.2, 300), 16.335, 54804824);

  arch::ArchSpec fixed_head = arch::variant("mobilenet_v2").spec;
  fixed_head.head.scale_width = false;
  expect(arch::scaled(fixed_head, 1, 2, 224), 1.096, 9156328);
}

TEST(Paper, MobileNetV2HeadNeverShrinks) { EXPECT_EQ(scaled("mobilenet_v2", 1, 0.5, 224).head.channels, 1280); }

TEST(Paper, ResNetWithStrideInTheFirst1x1HasTheOriginalMacs) {
  const auto macs = [](std::string_view name) {
    arch::ArchSpec spec = arch::variant(name).spec;
    for (arch::StageSpec& stage : spec.stages) stage.stride_first = true;
    return macs_of(spec);
  };
  EXPECT_EQ(macs("resnet50"), 3857973248);
  EXPECT_EQ(macs("resnet101"), 7570194432);
  EXPECT_EQ(macs("resnet152"), 11282415616);
}

TEST(Paper, CountsOfTable5WithoutTheClassifier) {
  const std::pair<const char*, std::int64_t> rows[] = {{"efficientnet_b0", 4007548},  {"efficientnet_b1", 6513184},
                                                       {"efficientnet_b2", 7700994},  {"efficientnet_b3", 10696232},
                                                       {"efficientnet_b4", 17548616}, {"efficientnet_b5", 28340784},
                                                       {"efficientnet_b6", 40735704}, {"efficientnet_b7", 63786960}};
  for (const auto& [name, params] : rows) {
    EXPECT_EQ(costs(lower(arch::variant(name).spec)).params_without_classifier, params) << name;
  }
}

TEST(Paper, CountsOfTable7ScaledB0) {
  const auto giga = [](std::int64_t macs) { return std::round(static_cast<double>(macs) / 1e6) / 1e3; };
  EXPECT_EQ(params_of(scaled("efficientnet_b0", 4, 1, 224)), 20091856);
  EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", 4, 1, 224))), 1.575);
  EXPECT_EQ(params_of(scaled("efficientnet_b0", 1, 2, 224)), 18122720);
  EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", 1, 2, 224))), 1.450);
  EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", 1, 1, 448))), 1.538);
  for (const auto& [resolution, billions] : {std::pair{288, 1.589}, {291, 1.800}, {299, 1.827}, {300, 1.827}}) {
    const arch::ArchSpec spec = scaled("efficientnet_b0", 1.4, 1.2, resolution);
    EXPECT_EQ(params_of(spec), 12233232);
    EXPECT_DOUBLE_EQ(giga(macs_of(spec)), billions) << resolution;
  }
}

TEST(Paper, MacsOfFigure3B0ScaledInOneDimension) {
  const auto giga = [](std::int64_t macs) { return std::round(static_cast<double>(macs) / 1e6) / 1e3; };
  for (const auto& [w, billions] :
       {std::pair{1.0, 0.386}, {1.4, 0.744}, {1.8, 1.176}, {2.6, 2.391}, {3.8, 5.060}, {5.0, 8.712}}) {
    EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", 1, w, 224))), billions) << "w " << w;
  }
  for (const auto& [d, billions] : {std::pair{1, 0.386}, {2, 0.782}, {3, 1.179}, {4, 1.575}, {6, 2.368}, {8, 3.161}}) {
    EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", d, 1, 224))), billions) << "d " << d;
  }
  for (const auto& [r, billions] :
       {std::pair{1.0, 0.386}, {1.3, 0.718}, {1.5, 0.893}, {1.7, 1.125}, {1.9, 1.458}, {2.2, 1.918}, {2.5, 2.447}}) {
    const auto pixels = static_cast<std::int64_t>(224 * r);
    EXPECT_DOUBLE_EQ(giga(macs_of(scaled("efficientnet_b0", 1, 1, pixels))), billions) << "r " << r;
  }
}

// The sum over all nodes whose names begin with `prefix`: a block or a stage.
NodeCosts sum_of(const Graph& graph, std::string_view prefix) {
  NodeCosts total;
  for (const Node& node : graph.nodes) {
    if (!node.name.starts_with(prefix)) continue;
    const NodeCosts one = costs(graph, node);
    total.params += one.params;
    total.macs += one.macs;
  }
  return total;
}

// The values are from docs/reference/paper.md, "B0 block by block at 224": parameters and MACs of each block.
TEST(Paper, CountsOfEachBlockOfB0) {
  const Graph graph = lower(arch::variant("efficientnet_b0").spec);
  const std::tuple<const char*, std::int64_t, std::int64_t> rows[] = {
      {"stem.", 928, 10838016},          {"stages.0.0.", 1448, 10035712},   {"stages.1.0.", 6004, 29203200},
      {"stages.1.1.", 10710, 25742016},  {"stages.2.0.", 15350, 18177984},  {"stages.2.1.", 31290, 19761600},
      {"stages.3.0.", 37130, 11717760},  {"stages.3.1.", 102900, 15918720}, {"stages.3.2.", 102900, 15918720},
      {"stages.4.0.", 126004, 20434560}, {"stages.4.2.", 208572, 32833920}, {"stages.5.0.", 262492, 21934752},
      {"stages.5.3.", 587952, 23197824}, {"stages.6.0.", 717232, 29520000}, {"head.", 412160, 20070400},
      {"classifier", 1281000, 1280000}};
  for (const auto& [prefix, params, macs] : rows) {
    EXPECT_EQ(sum_of(graph, prefix).params, params) << prefix;
    EXPECT_EQ(sum_of(graph, prefix).macs, macs) << prefix;
  }
}

TEST(Paper, CountsOfEachCellOfAmoebaNet) {
  const Graph graph = lower(arch::variant("amoebanet_b").spec);
  EXPECT_EQ(sum_of(graph, "stem.").params, 928);
  EXPECT_EQ(sum_of(graph, "stem.").macs, 49352544);
  EXPECT_EQ(sum_of(graph, "stages.0.0.").params, 97824);
  EXPECT_EQ(sum_of(graph, "stages.0.0.").macs, 1599749120);
  EXPECT_EQ(sum_of(graph, "stages.1.0.").params, 492800);
  EXPECT_EQ(sum_of(graph, "stages.1.0.").macs, 2731622400);
  const std::tuple<const char*, std::int64_t, double> rows[] = {
      {"stages.2.0.", 2519040, 9.032},   {"stages.2.1.", 3173376, 11.391},  {"stages.2.2.", 4222976, 15.166},
      {"stages.2.5.", 4222976, 15.166},  {"stages.3.0.", 10638336, 21.591}, {"stages.4.0.", 12640256, 11.358},
      {"stages.4.1.", 14737408, 13.245}, {"stages.4.2.", 16834560, 15.133}, {"stages.4.5.", 16834560, 15.133},
      {"stages.5.0.", 42379264, 21.560}, {"stages.6.0.", 50446336, 11.341}, {"stages.6.1.", 58834944, 13.229},
      {"stages.6.2.", 67223552, 15.116}, {"stages.6.5.", 67223552, 15.116}};
  for (const auto& [prefix, params, billions] : rows) {
    EXPECT_EQ(sum_of(graph, prefix).params, params) << prefix;
    EXPECT_DOUBLE_EQ(std::round(static_cast<double>(sum_of(graph, prefix).macs) / 1e6) / 1e3, billions) << prefix;
  }
  EXPECT_DOUBLE_EQ(std::round(static_cast<double>(costs(graph).macs) / 1e7) / 1e2, 298.79);
  EXPECT_EQ(costs(lower(arch::variant("amoebanet_b").spec, {.classes = 1000})).params, 557277864);
}

// The same cells in two small networks: F = 32 or 64, 6 normal cells, 224 px, 1000 classes.
TEST(Paper, CountsOfSmallAmoebaNets) {
  const auto small = [](std::int64_t filters) {
    arch::ArchSpec spec = arch::variant("amoebanet_b").spec;
    const std::int64_t channels[] = {filters / 4, filters / 2, filters,    filters * 2,
                                     filters * 2, filters * 4, filters * 4};
    for (std::size_t i = 0; i < spec.stages.size(); ++i) {
      spec.stages[i].channels = channels[i];
      if (spec.stages[i].stride == 1) spec.stages[i].repeats = 2;
    }
    spec.resolution = 224;
    spec.classes = 1000;
    return costs(lower(spec));
  };
  EXPECT_EQ(small(32).params, 1321292);
  EXPECT_EQ(small(32).macs, 123956896);
  EXPECT_EQ(small(64).params, 4165752);
  EXPECT_EQ(small(64).macs, 433908192);
}

struct Shapes {
  const char* name;
  std::int64_t stem;
  std::vector<std::int64_t> channels, repeats, resolutions;  // one value per stage 2 to 8 of the paper's Table 1
  std::int64_t head;
};

TEST(Paper, ChannelsRepeatsAndSizesPerStage) {
  const Shapes rows[] = {
      {"efficientnet_b0",
       32,
       {16, 24, 40, 80, 112, 192, 320},
       {1, 2, 2, 3, 3, 4, 1},
       {112, 56, 28, 14, 14, 7, 7},
       1280},
      {"efficientnet_b1",
       32,
       {16, 24, 40, 80, 112, 192, 320},
       {2, 3, 3, 4, 4, 5, 2},
       {120, 60, 30, 15, 15, 8, 8},
       1280},
      {"efficientnet_b2",
       32,
       {16, 24, 48, 88, 120, 208, 352},
       {2, 3, 3, 4, 4, 5, 2},
       {130, 65, 33, 17, 17, 9, 9},
       1408},
      {"efficientnet_b3",
       40,
       {24, 32, 48, 96, 136, 232, 384},
       {2, 3, 3, 5, 5, 6, 2},
       {150, 75, 38, 19, 19, 10, 10},
       1536},
      {"efficientnet_b4",
       48,
       {24, 32, 56, 112, 160, 272, 448},
       {2, 4, 4, 6, 6, 8, 2},
       {190, 95, 48, 24, 24, 12, 12},
       1792},
      {"efficientnet_b5",
       48,
       {24, 40, 64, 128, 176, 304, 512},
       {3, 5, 5, 7, 7, 9, 3},
       {228, 114, 57, 29, 29, 15, 15},
       2048},
      {"efficientnet_b6",
       56,
       {32, 40, 72, 144, 200, 344, 576},
       {3, 6, 6, 8, 8, 11, 3},
       {264, 132, 66, 33, 33, 17, 17},
       2304},
      {"efficientnet_b7",
       64,
       {32, 48, 80, 160, 224, 384, 640},
       {4, 7, 7, 10, 10, 13, 4},
       {300, 150, 75, 38, 38, 19, 19},
       2560},
      {"efficientnet_b8",
       72,
       {32, 56, 88, 176, 248, 424, 704},
       {4, 8, 8, 11, 11, 15, 4},
       {336, 168, 84, 42, 42, 21, 21},
       2816},
      {"efficientnet_l2",
       136,
       {72, 104, 176, 344, 480, 824, 1376},
       {6, 11, 11, 16, 16, 22, 6},
       {400, 200, 100, 50, 50, 25, 25},
       5504},
  };
  for (const Shapes& row : rows) {
    const arch::ArchSpec& spec = arch::variant(row.name).spec;
    const Graph graph = lower(spec);
    EXPECT_EQ(spec.stem.channels, row.stem);
    EXPECT_EQ(spec.head.channels, row.head);
    ASSERT_EQ(graph.stages.size(), row.channels.size());
    for (std::size_t i = 0; i < row.channels.size(); ++i) {
      EXPECT_EQ(graph.stages[i].channels, row.channels[i]) << row.name << " stage " << i;
      EXPECT_EQ(graph.stages[i].repeats, row.repeats[i]) << row.name << " stage " << i;
      EXPECT_EQ(graph.stages[i].resolution, (Size{row.resolutions[i], row.resolutions[i]}))
          << row.name << " stage " << i;
    }
  }
}

}  // namespace
}  // namespace effnet::graph

#include "effnet/graph/lower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"
#include "effnet/graph/arch_file.h"
#include "effnet/graph/costs.h"

namespace effnet::graph {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Lower, NamedNetworksAreWellFormedGraphs) {
  for (const arch::Variant& variant : arch::family()) {
    const Graph graph = lower(variant.spec);
    std::set<std::string> names;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      EXPECT_TRUE(names.insert(node.name).second) << variant.name << " " << node.name;
      EXPECT_GT(node.out.numel(), 0) << node.name;
      for (const NodeId input : node.inputs) EXPECT_LT(static_cast<std::size_t>(input), i) << node.name;
    }
    EXPECT_EQ(graph.at(graph.logits).out, (Chw{variant.spec.classes, 1, 1}));
    EXPECT_EQ(static_cast<std::size_t>(graph.logits) + 1, graph.nodes.size()) << "the logits are the last node";
  }
}

// Endpoints at strides 2, 4, 8, 16, 32 (official efficientnet_model.py:647).
TEST(Lower, ReductionsOfB0AreTheOfficialEndpoints) {
  const Graph graph = lower(arch::variant("efficientnet_b0").spec);
  ASSERT_EQ(graph.reductions.size(), 5U);
  std::vector<std::int64_t> sizes, channels;
  for (const NodeId id : graph.reductions) {
    sizes.push_back(graph.at(id).out.h);
    channels.push_back(graph.at(id).out.c);
  }
  EXPECT_THAT(sizes, testing::ElementsAre(112, 56, 28, 14, 7));
  EXPECT_THAT(channels, testing::ElementsAre(16, 24, 40, 112, 320));
  EXPECT_EQ(graph.at(graph.features).name, "head.act");
}

TEST(Lower, ParameterKindsMatchTheirNames) {
  const Graph graph = lower(arch::variant("efficientnet_b0").spec);
  for (const Parameter& parameter : parameters(graph)) {
    const bool norm = parameter.name.find(".bn.") != std::string::npos;
    const bool weight = parameter.name.ends_with(".weight"), bias = parameter.name.ends_with(".bias");
    const ParameterKind expected = weight ? norm ? ParameterKind::norm_weight : ParameterKind::weight
                                   : bias ? norm ? ParameterKind::norm_bias : ParameterKind::bias
                                   : parameter.name.ends_with(".running_mean") ? ParameterKind::norm_mean
                                                                               : ParameterKind::norm_variance;
    EXPECT_EQ(parameter.kind, expected) << parameter.name;
    EXPECT_EQ(parameter.batch_norm(), norm) << parameter.name;
    EXPECT_EQ(parameter.statistic(), !weight && !bias) << parameter.name;
  }
  const Node& norm = *graph.find("stem.bn");
  EXPECT_EQ(parameter(graph, norm, ParameterKind::norm_variance).name, "stem.bn.running_var");
  EXPECT_THROW(parameter(graph, norm, ParameterKind::weight), Error);
}

TEST(Lower, DropPathRateGrowsLinearlyFromZeroAtTheFirstBlock) {
  const Graph graph = lower(arch::variant("efficientnet_b0").spec);
  std::vector<double> rates;
  for (const Node& node : graph.nodes) {
    if (const auto* drop = std::get_if<DropPath>(&node.op)) rates.push_back(drop->rate);
  }
  // Of the 16 blocks (numbered from 0), the blocks 2, 4, 6, 7, 9, 10, 12, 13 and 14 have a residual.
  EXPECT_THAT(rates, testing::ElementsAre(0.2 * 2 / 16, 0.2 * 4 / 16, 0.2 * 6 / 16, 0.2 * 7 / 16, 0.2 * 9 / 16,
                                          0.2 * 10 / 16, 0.2 * 12 / 16, 0.2 * 13 / 16, 0.2 * 14 / 16));
}

TEST(Padding, MatchesTensorFlowAndPyTorch) {
  const auto expect = [](Padding rule, std::int64_t n, std::int64_t k, std::int64_t s, std::int64_t before,
                         std::int64_t after, std::int64_t out) {
    const AxisPadding axis = resolve_padding(rule, n, k, s);
    EXPECT_EQ(axis.before, before) << n << " " << k << " " << s;
    EXPECT_EQ(axis.after, after) << n << " " << k << " " << s;
    EXPECT_EQ(axis.out, out) << n << " " << k << " " << s;
  };
  // docs/reference/paper.md, section C. (before, after) for stride s = 2: with kernel k = 3, (0, 1) for even n and (1,
  // 1) for odd n; with k = 5, (1, 2) and (2, 2).
  expect(Padding::same, 224, 3, 2, 0, 1, 112);
  expect(Padding::same, 225, 3, 2, 1, 1, 113);
  expect(Padding::same, 56, 5, 2, 1, 2, 28);
  expect(Padding::same, 57, 5, 2, 2, 2, 29);
  expect(Padding::same, 7, 1, 2, 0, 0, 4);
  expect(Padding::same, 1, 5, 1, 2, 2, 1);
  expect(Padding::symmetric, 224, 7, 2, 3, 3, 112);
  expect(Padding::symmetric, 57, 3, 2, 1, 1, 29);
  expect(Padding::valid, 480, 3, 2, 0, 0, 239);
  EXPECT_THROW(resolve_padding(Padding::valid, 2, 3, 1), Error);
}

TEST(Lower, TakesRectanglesAndOtherNumbersOfClasses) {
  const Graph graph = lower(arch::variant("efficientnet_b0").spec, {.resolution = Size{64, 97}, .classes = 7});
  EXPECT_EQ(graph.at(graph.features).out, (Chw{1280, 2, 4}));
  EXPECT_EQ(graph.classes(), 7);
}

TEST(Lower, OnePixelGivesAGraphOrAnInputError) {
  for (const arch::Variant& variant : arch::family()) {
    try {
      lower(variant.spec, {.resolution = Size{1, 1}});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << variant.name << error.what();
    }
  }
}

TEST(Lower, UnknownBlocksAndUnsupportedChannelsAreInputErrors) {
  const auto message = [](const char* stages) {
    try {
      lower(arch::parse(std::string("name = 'n'\n") + stages, "n"), {.resolution = Size{32, 32}});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      return std::string(error.what()) + " / " + error.hint();
    }
    return std::string("no error");
  };
  EXPECT_THAT(message("[[stages]]\nblock = 'mbcnov'\nchannels = 8\n"), HasSubstr("unknown block kind (got 'mbcnov'"));
  try {
    parse_arch("name = 'n'\n[[stages]]\nchannels = 8\n[[stages]]\nchannels = 8\nblock = 'mbcnov'\n", "my.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(),
                StartsWith("my.toml:6:9: stages[1].block: unknown block kind (got 'mbcnov', expected mb"));
    EXPECT_EQ(error.hint(), "did you mean mbconv?");
  }
  EXPECT_EQ(parse_arch("name = 'n'\n[[stages]]\nchannels = 8\n", "my.toml").stages[0].block, "mbconv") << "the default";
  EXPECT_THAT(message("[[stages]]\nblock = 'mbcnov'\nchannels = 8\n"), HasSubstr("did you mean mbconv?"));
  EXPECT_THAT(message("[[stages]]\nblock = 'amoebanet_b_normal'\nchannels = 3\n"), HasSubstr("amoebanet"));
  // A stride of 4 before the cell: the previous output is not twice as large as the current one.
  EXPECT_THAT(message("[[stages]]\nblock = 'mbconv'\nchannels = 8\nstride = 4\n[[stages]]\nblock = "
                      "'amoebanet_b_normal'\nchannels = 8\n"),
              HasSubstr("amoebanet"));
}

// Each of these specs once crashed or gave a wrong graph. The ranges of a file also apply to a spec that code has
// filled in.
TEST(Lower, NumbersOutOfRangeAreAnInputError) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  struct Fault {
    const char* field;
    std::function<void(arch::ArchSpec&)> make;
  };
  const std::vector<Fault> faults{
      {"resolution", [](arch::ArchSpec& s) { s.resolution = 0; }},
      {"resolution", [](arch::ArchSpec& s) { s.resolution = kHuge; }},
      {"classes", [](arch::ArchSpec& s) { s.classes = -1; }},
      {"bn_epsilon", [](arch::ArchSpec& s) { s.bn_epsilon = NAN; }},
      {"bn_epsilon", [](arch::ArchSpec& s) { s.bn_epsilon = -1e-3; }},
      {"bn_momentum", [](arch::ArchSpec& s) { s.bn_momentum = 1.5; }},
      {"dropout", [](arch::ArchSpec& s) { s.dropout = 1; }},
      {"drop_path", [](arch::ArchSpec& s) { s.drop_path = NAN; }},
      {"stem.stride", [](arch::ArchSpec& s) { s.stem.stride = 0; }},
      {"stem.kernel", [](arch::ArchSpec& s) { s.stem.kernel = -3; }},
      {"stem.channels", [](arch::ArchSpec& s) { s.stem.channels = kHuge; }},
      {"stages[1].stride", [](arch::ArchSpec& s) { s.stages[1].stride = 0; }},
      {"stages[1].kernel", [](arch::ArchSpec& s) { s.stages[1].kernel = 131; }},
      {"stages[1].repeats", [](arch::ArchSpec& s) { s.stages[1].repeats = 0; }},
      {"stages[1].repeats", [](arch::ArchSpec& s) { s.stages[1].repeats = kHuge; }},
      {"stages[1].channels", [](arch::ArchSpec& s) { s.stages[1].channels = -8; }},
      {"stages[1].expand", [](arch::ArchSpec& s) { s.stages[1].expand = kHuge; }},
      {"stages[1].se", [](arch::ArchSpec& s) { s.stages[1].se = 1e30; }},
      {"stages[1].se", [](arch::ArchSpec& s) { s.stages[1].se = NAN; }},
      {"stages", [](arch::ArchSpec& s) { s.stages.clear(); }},
      {"head.channels", [](arch::ArchSpec& s) { s.head.channels = -1; }},
  };
  const auto refusal = [](const arch::ArchSpec& spec, const LowerOptions& options = {}) {
    try {
      lower(spec, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      return std::string(error.what());
    }
    return std::string("no error");
  };
  for (const auto& [field, make] : faults) {
    arch::ArchSpec spec = arch::variant("efficientnet_b0").spec;
    make(spec);
    EXPECT_THAT(refusal(spec), testing::StartsWith(std::string(field) + ": out of range"));
  }
  const arch::ArchSpec good = arch::variant("efficientnet_b0").spec;
  for (const Size size : {Size{0, 224}, Size{224, -1}, Size{224, 8193}, Size{kHuge, 224}})
    EXPECT_THAT(refusal(good, {.resolution = size}), HasSubstr("out of range"));
  for (const std::int64_t classes : {std::int64_t{0}, std::int64_t{-5}, kHuge})
    EXPECT_THAT(refusal(good, {.classes = classes}), HasSubstr("classes: out of range"));
}

// Found by arch_fuzz: branches with different output shapes are bad input, not a bug in effnet.
TEST(Lower, BranchesWithDifferentShapesAreAnInputError) {
  for (const char* stages :
       {"[[stages]]\nblock = 'amoebanet_b_normal'\nchannels = 8\nstride = 2\n",
        "padding = 'valid'\n[[stages]]\nblock = 'basic'\nchannels = 8\n",
        "padding = 'valid'\n[[stages]]\nblock = 'amoebanet_b_reduction'\nchannels = 8\nstride = 2\n"}) {
    try {
      lower(arch::parse(std::string("name = 'n'\n") + stages, "n"), {.resolution = Size{33, 33}});
      ADD_FAILURE() << stages;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("stages.0.0")) << stages;
    }
  }
}

TEST(Costs, ActivationMemoryMatchesValuesComputedByHand) {
  // For one image of 32 x 32 pixels, the input has 3 * 32 * 32 = 3072 values. The output of the stem and each output of
  // the separable block have 16 * 16 * 8 = 2048 values. There is no head convolution. The batch has 3 images, and a
  // value has 4 bytes.
  const arch::ArchSpec spec = arch::parse(
      "name = 'n'\nresolution = 32\nclasses = 10\ndropout = 0.0\nactivation = 'relu'\n[stem]\nchannels = 8\n"
      "[[stages]]\nblock = 'depthwise_separable'\nchannels = 8\n[head]\nchannels = 0\n",
      "n");
  const ActivationMemory memory = activation_memory(lower(spec), 3);
  EXPECT_EQ(memory.largest_bytes, 4 * 3 * 3072);
  EXPECT_EQ(memory.peak_bytes, 4 * 3 * (3072 + 2048)) << "the input and the stem's output";
}

TEST(Costs, TooLargeToCountIsAnError) {
  std::string text = "name = 'n'\nresolution = 8192\n[stem]\nchannels = 65536\nstride = 1\n";
  for (int i = 0; i < 3; ++i) text += "[[stages]]\nchannels = 65536\nexpand = 64\nkernel = 15\nrepeats = 1000\n";
  const Graph graph = lower(arch::parse(text, "n"));
  EXPECT_THROW(costs(graph), Error);
}

TEST(Lower, ScaledNetworksCanBeLowered) {
  for (const double width : {0.35, 0.75, 1.3}) {
    for (const char* name : {"efficientnet_b0", "efficientnet_lite0", "mobilenet_v1", "mobilenet_v2", "mnasnet_a1",
                             "mnasnet_b1", "resnet18", "resnet50"}) {
      const arch::ArchSpec spec = arch::scaled(arch::variant(name).spec, width, width, 100);
      EXPECT_GT(costs(lower(spec)).params, 0) << name;
    }
  }
}

}  // namespace
}  // namespace effnet::graph

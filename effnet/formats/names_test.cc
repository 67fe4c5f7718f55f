#include "effnet/formats/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/formats/fit.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

constexpr std::string_view kScope = "scope";

graph::Graph graph_of(std::string_view model) { return graph::lower(arch::variant(model).spec); }

// Returns the name map of the first naming scheme of `source` that applies to the graph.
std::optional<NameMap> map_of(std::string_view source, const graph::Graph& graph) {
  for (const NameScheme& scheme : name_schemes()) {
    if (scheme.source != source) continue;
    if (auto map = map_names(scheme, graph, kScope)) return map;
  }
  return std::nullopt;
}

std::string foreign_of(std::string_view source, std::string_view model, std::string_view ours) {
  const auto map = map_of(source, graph_of(model));
  if (!map) return "no map";
  for (const ForeignName& name : map->tensors) {
    if (name.ours == ours) return name.foreign;
  }
  return "no such parameter";
}

TEST(Names, EverySchemeThatAppliesNamesEveryParameterOnce) {
  int applied = 0;
  for (const arch::Variant& variant : arch::family()) {
    const graph::Graph graph = graph::lower(variant.spec);
    const std::vector<graph::Parameter> parameters = graph::parameters(graph);
    for (const NameScheme& scheme : name_schemes()) {
      const auto map = map_names(scheme, graph, kScope);
      if (!map) continue;
      ++applied;
      SCOPED_TRACE(fmt::format("{} {} {}", variant.name, scheme.source, scheme.network));
      ASSERT_EQ(map->tensors.size(), parameters.size());
      std::set<std::string> foreign(map->counters.begin(), map->counters.end());
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        EXPECT_EQ(map->tensors[i].ours, parameters[i].name);
        EXPECT_EQ(map->tensors[i].dims, parameters[i].dims);
        EXPECT_THAT(map->tensors[i].foreign, testing::Not(testing::HasSubstr("{")));
        foreign.insert(map->tensors[i].foreign);
      }
      EXPECT_EQ(foreign.size(), map->tensors.size() + map->counters.size());
    }
  }
  EXPECT_GT(applied, 80);
}

// The expected sources of each network are listed by hand. torchvision has no Lite and no MnasNet-A1, although the rows
// for torchvision's MobileNetV2 and MNASNet would match their graphs.
TEST(Names, SchemesApplyOnlyToNetworksOfTheirProject) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"efficientnet_b0", "effnet torchvision timm lukemelas tf"},
      {"efficientnet_l2", "effnet torchvision timm lukemelas tf"},
      {"efficientnet_lite0", "effnet timm lukemelas tf"},
      {"efficientnet_lite4", "effnet timm lukemelas tf"},
      {"mobilenet_v1", "effnet timm"},
      {"mobilenet_v2", "effnet torchvision timm lukemelas tf"},
      {"mnasnet_a1", "effnet timm lukemelas tf"},
      {"mnasnet_b1", "effnet torchvision timm lukemelas tf"},
      {"resnet18", "effnet torchvision timm"},
      {"resnet152", "effnet torchvision timm"},
      {"amoebanet_b", "effnet"}};
  for (const auto& [model, sources] : expected) {
    const graph::Graph graph = graph_of(model);
    std::string got;
    for (const std::string_view source : {"effnet", "torchvision", "timm", "lukemelas", "tf"}) {
      if (map_of(source, graph)) got += (got.empty() ? "" : " ") + std::string(source);
    }
    EXPECT_EQ(got, sources) << model;
  }
}

// The expected counts follow from the definitions of the formats: docs/reference/checkpoints.md, section 1 for B0 to
// B7, section 2.7 for the others.
TEST(Names, MatchTheOfficialCounts) {
  const std::vector<std::size_t> variables{311, 439, 439, 496, 610, 738, 852, 1037};
  const std::vector<std::size_t> trainable{213, 301, 301, 340, 418, 506, 584, 711};
  const std::vector<std::size_t> keys{360, 508, 508, 574, 706, 854, 986, 1200};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const graph::Graph graph = graph_of("efficientnet_b" + std::to_string(i));
    const std::vector<graph::Parameter> parameters = graph::parameters(graph);
    EXPECT_EQ(map_of("tf", graph)->tensors.size(), variables[i]);
    EXPECT_EQ(map_of("tf", graph)->counters.size(), 0U);
    EXPECT_EQ(static_cast<std::size_t>(std::count_if(parameters.begin(), parameters.end(),
                                                     [](const graph::Parameter& p) { return !p.statistic(); })),
              trainable[i]);
    for (const std::string_view source : {"torchvision", "timm", "lukemelas"}) {
      const auto map = map_of(source, graph);
      EXPECT_EQ(map->tensors.size() + map->counters.size(), keys[i]) << source << " b" << i;
    }
  }
  const std::vector<std::pair<std::string, std::size_t>> others{
      {"resnet50", 320}, {"resnet101", 626}, {"resnet152", 932}, {"mobilenet_v2", 314}};
  for (const auto& [model, count] : others) {
    const auto map = map_of("torchvision", graph_of(model));
    EXPECT_EQ(map->tensors.size() + map->counters.size(), count) << model;
  }
}

// Compares names and dims with those of torchvision 0.14 and the Lite package (tests/golden/import/make_names.py).
TEST(Names, MatchThePublishedPackages) {
  const std::string folder = EFFNET_SOURCE_DIR "/tests/golden/import/";
  std::istringstream rows(read_text(folder + "names.tsv"));
  std::string source, model, digest;
  std::size_t keys = 0;
  int checked = 0;
  while (rows >> source >> model >> keys >> digest) {
    const auto map = map_of(source, graph_of(model));
    ASSERT_TRUE(map) << model;
    std::vector<std::string> lines;
    for (const ForeignName& name : map->tensors) {
      lines.push_back(name.foreign + " " + tensor::to_string(foreign_dims(name)) + "\n");
    }
    for (const std::string& name : map->counters) lines.push_back(name + " scalar\n");
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string& line : lines) text += line;
    const std::string full = folder + source + "_" + model + ".txt";
    if (std::filesystem::exists(full)) {
      EXPECT_EQ(text, read_text(full));
    }
    EXPECT_EQ(lines.size(), keys) << model;
    EXPECT_EQ(sha256(std::as_bytes(std::span(text))), digest)
        << source << " " << model << "; new goldens: /usr/bin/python3 tests/golden/import/make_names.py";
    ++checked;
  }
  EXPECT_EQ(checked, 15);
}

// The expected names are written by hand from docs/reference/checkpoints.md, sections 2.1 to 2.4 and 2.7. All blocks of
// stage 0 are plain, which means without an expansion; B1 has two of them. The index of a block inside the network
// counts through all stages.
TEST(Names, MatchTheReferenceTables) {
  const auto tf = [](std::string_view rest) { return std::string(kScope) + "/" + std::string(rest); };
  EXPECT_EQ(foreign_of("tf", "efficientnet_b0", "stem.bn.running_var"),
            tf("stem/tpu_batch_normalization/moving_variance"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b1", "stages.0.1.project.conv.weight"), tf("blocks_1/conv2d/kernel"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b1", "stages.0.1.project.bn.bias"),
            tf("blocks_1/tpu_batch_normalization_1/beta"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b1", "stages.1.0.depthwise.conv.weight"),
            tf("blocks_2/depthwise_conv2d/depthwise_kernel"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b1", "stages.1.0.depthwise.bn.weight"),
            tf("blocks_2/tpu_batch_normalization_1/gamma"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b1", "stages.1.0.project.bn.running_mean"),
            tf("blocks_2/tpu_batch_normalization_2/moving_mean"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b0", "stages.6.0.se.expand.bias"), tf("blocks_15/se/conv2d_1/bias"));
  EXPECT_EQ(foreign_of("tf", "efficientnet_b0", "classifier.weight"), tf("head/dense/kernel"));

  EXPECT_EQ(foreign_of("lukemelas", "efficientnet_b7", "stages.0.3.depthwise.bn.weight"), "_blocks.3._bn1.weight");
  EXPECT_EQ(foreign_of("lukemelas", "efficientnet_b7", "stages.1.0.expand.conv.weight"),
            "_blocks.4._expand_conv.weight");
  EXPECT_EQ(foreign_of("lukemelas", "efficientnet_b0", "head.bn.bias"), "_bn1.bias");

  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.0.1.project.conv.weight"), "blocks.0.1.conv_pw.weight");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.0.1.depthwise.bn.weight"), "blocks.0.1.bn1.weight");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.0.1.project.bn.weight"), "blocks.0.1.bn2.weight");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.3.2.expand.conv.weight"), "blocks.3.2.conv_pw.weight");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.3.2.project.conv.weight"), "blocks.3.2.conv_pwl.weight");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.3.2.project.bn.bias"), "blocks.3.2.bn3.bias");
  EXPECT_EQ(foreign_of("timm", "efficientnet_b1", "stages.3.2.se.reduce.bias"), "blocks.3.2.se.conv_reduce.bias");
  EXPECT_EQ(foreign_of("timm", "mobilenet_v1", "stages.3.5.project.bn.weight"), "blocks.3.5.bn2.weight");
  EXPECT_EQ(foreign_of("timm", "resnet50", "stages.1.0.downsample.bn.weight"), "layer2.0.downsample.1.weight");
  EXPECT_EQ(foreign_of("effnet", "amoebanet_b", "classifier.bias"), "classifier.bias");
}

// The tensors of one network must not fit another network. For example, Lite0 has no squeeze layers, but otherwise the
// tensors of B0.
TEST(Names, NoTwoNetworksFitTheSameTensors) {
  struct Entry {
    std::string model;
    const NameScheme* scheme;
    NameMap map;
  };
  std::vector<Entry> entries;
  for (const arch::Variant& variant : arch::family()) {
    const graph::Graph graph = graph::lower(variant.spec, {.classes = 10});
    for (const NameScheme& scheme : name_schemes()) {
      if (auto map = map_names(scheme, graph, kScope)) entries.push_back({variant.name, &scheme, std::move(*map)});
    }
  }
  for (const Entry& file : entries) {
    tensor::Weights weights;  // shapes only: fit() reads no values
    for (const ForeignName& name : file.map.tensors) {
      weights.tensors[name.foreign] = {tensor::Dtype::f32, foreign_dims(name), {}, nullptr};
    }
    ASSERT_EQ(find_probe(*file.scheme, weights), file.scheme->source == "tf" ? kScope : "") << file.model;
    EXPECT_TRUE(weights.find(classifier_bias(*file.scheme, kScope))) << file.model;
    for (const Entry& other : entries) {
      if (other.map.tensors.size() != file.map.tensors.size()) continue;  // does not fit: a tensor is missing or unused
      if (!find_probe(*other.scheme, weights)) continue;
      EXPECT_EQ(fit(other.map, weights).exact(), other.model == file.model)
          << file.model << " " << file.scheme->source << " as " << other.model << " " << other.scheme->source;
    }
  }
}

// The permutations of docs/reference/checkpoints.md, section 1. Each value encodes its position: output channel o,
// input channel i, row y and column x give 1000o + 100i + 10y + x. The comments give effnet's dims, then TensorFlow's.
TEST(Names, PermuteTensorFlowKernels) {
  const auto graph = graph_of("efficientnet_b0");
  const auto map = map_of("tf", graph);
  const auto entry = [&](std::string_view ours) {
    return *std::find_if(map->tensors.begin(), map->tensors.end(),
                         [&](const ForeignName& n) { return n.ours == ours; });
  };
  const ForeignName stem = entry("stem.conv.weight");                       // 32,3,3,3; 3,3,3,32
  const ForeignName depthwise = entry("stages.0.0.depthwise.conv.weight");  // 32,1,3,3; 3,3,32,1
  const ForeignName reduce = entry("stages.0.0.se.reduce.weight");          // 8,32,1,1; 1,1,32,8
  const ForeignName dense = entry("classifier.weight");
  EXPECT_EQ(foreign_dims(stem), (tensor::Dims{3, 3, 3, 32}));
  EXPECT_EQ(foreign_dims(depthwise), (tensor::Dims{3, 3, 32, 1}));
  EXPECT_EQ(foreign_dims(reduce), (tensor::Dims{1, 1, 32, 8}));
  EXPECT_EQ(foreign_dims(dense), (tensor::Dims{1280, 1000}));

  const auto check = [](const ForeignName& name, auto place_in_foreign) {
    const tensor::Dims& d = name.dims;
    std::vector<float> foreign(static_cast<std::size_t>(tensor::numel(d)));
    std::vector<float> ours;
    for (std::int64_t o = 0; o < d[0]; ++o) {
      for (std::int64_t i = 0; i < d[1]; ++i) {
        for (std::int64_t y = 0; y < (d.size() > 2 ? d[2] : 1); ++y) {
          for (std::int64_t x = 0; x < (d.size() > 2 ? d[3] : 1); ++x) {
            ours.push_back(static_cast<float>(1000 * o + 100 * i + 10 * y + x));
            foreign[static_cast<std::size_t>(place_in_foreign(o, i, y, x))] = ours.back();
          }
        }
      }
    }
    const tensor::Tensor theirs = tensor::make_tensor(foreign_dims(name), foreign);
    EXPECT_EQ(tensor::to_floats(to_ours(theirs, name)), ours) << name.ours;
    EXPECT_EQ(to_ours(theirs, name).dims, name.dims);
    EXPECT_EQ(tensor::to_floats(to_foreign(tensor::make_tensor(name.dims, ours), name)), foreign) << name.ours;
  };
  check(stem, [](auto o, auto i, auto y, auto x) { return ((y * 3 + x) * 3 + i) * 32 + o; });
  check(depthwise, [](auto o, auto, auto y, auto x) { return (y * 3 + x) * 32 + o; });
  check(reduce, [](auto o, auto i, auto, auto) { return i * 8 + o; });
  check(dense, [](auto o, auto i, auto, auto) { return i * 1000 + o; });
}

TEST(Fit, PrefersMovingAveragesAndSkipsTrainingState) {
  const ForeignName name{"stem.conv.weight", "m/stem/conv2d/kernel", {2}, {0}};
  NameMap map;
  map.tensors.push_back(name);
  tensor::Weights weights;
  weights.tensors["m/stem/conv2d/kernel"] = tensor::make_tensor({2}, {1, 1});
  weights.tensors["m/stem/conv2d/kernel/ExponentialMovingAverage"] = tensor::make_tensor({2}, {2, 2});
  weights.tensors["m/stem/conv2d/kernel/RMSProp_1"] = tensor::make_tensor({2}, {3, 3});
  weights.tensors["global_step"] = tensor::make_tensor({}, {7});
  EXPECT_EQ(tensor::to_floats(*find_foreign(weights, name.foreign)), (std::vector<float>{2, 2}));
  EXPECT_TRUE(fit(map, weights).exact());
  EXPECT_THAT(fit(map, weights).skipped,
              testing::ElementsAre("global_step", "m/stem/conv2d/kernel", "m/stem/conv2d/kernel/RMSProp_1"));
  weights.tensors.erase("m/stem/conv2d/kernel/ExponentialMovingAverage");
  EXPECT_EQ(tensor::to_floats(*find_foreign(weights, name.foreign)), (std::vector<float>{1, 1}));
  weights.tensors["m/blocks_0/tpu_batch_normalization/gamma"] =
      tensor::make_tensor({2}, {1, 1});  // the parameter of another layer, not training state
  EXPECT_THAT(fit(map, weights).unused, testing::ElementsAre("m/blocks_0/tpu_batch_normalization/gamma"));
}

TEST(Fit, DescribesAtMostThreeTensorsPerList) {
  Fit fit;
  fit.wrong = {"a (got 1, expected 2)"};
  fit.missing = {"b", "c", "d", "e"};
  fit.unused = {"f\n"};
  EXPECT_EQ(describe(fit),
            "1 with a wrong shape or type: a (got 1, expected 2); 4 missing: b, c, d, ...; 1 unused: 'f\\x0a'");
}

}  // namespace
}  // namespace effnet::formats

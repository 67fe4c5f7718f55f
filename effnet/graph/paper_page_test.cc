// Compares the tables of docs/reference/paper.md with effnet's networks: every number that can be computed from a graph
// must be equal as printed on the page. An independent script counted them. The numbers are only on the page; this file
// says which network and which column they belong to. A table or a row that this file does not know is a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <regex>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/markdown_testing.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

using Row = std::vector<std::string>;

const std::string kPage = std::string(EFFNET_SOURCE_DIR) + "/docs/reference/paper.md";

// The number written like `like`: "386" for "0.386B" is a number of units of 1e9 with three decimals.
std::string written_like(const std::string& like, std::int64_t number) {
  const std::size_t point = like.find('.');
  const char unit = like.back();
  if (point == std::string::npos || (unit != 'B' && unit != 'G')) return grouped(number);
  return fmt::format("{:.{}f}{}", static_cast<double>(number) / 1e9, like.size() - point - 2, unit);
}
#define EXPECT_PRINTED(cell, number) EXPECT_EQ(written_like(cell, number), cell)

std::int64_t whole(const std::string& text) { return std::stoll(text); }

const arch::ArchSpec& named(const std::string& name) { return arch::variant(name).spec; }
arch::ArchSpec b0() { return named("efficientnet_b0"); }

std::string network_of(const std::string& title) {
  static const std::map<std::string, std::string> kNames{
      {"MobileNetV1", "mobilenet_v1"}, {"MobileNetV2", "mobilenet_v2"}, {"ResNet-50", "resnet50"},
      {"ResNet-101", "resnet101"},     {"ResNet-152", "resnet152"},     {"MnasNet-A1", "mnasnet_a1"},
      {"MnasNet-B1", "mnasnet_b1"}};
  if (const auto found = kNames.find(title); found != kNames.end()) return found->second;
  if (title.starts_with("Lite")) return "efficientnet_lite" + title.substr(4);
  std::string lower = title;
  lower[0] = static_cast<char>(lower[0] - 'A' + 'a');
  return "efficientnet_" + lower;
}

arch::ArchSpec with_stride_first(arch::ArchSpec spec) {
  for (arch::StageSpec& stage : spec.stages) stage.stride_first = true;
  return spec;
}

// The network of a label such as "MobileNetV2, w=2, head of 1280 channels", or "d=4", which is a scaling of B0.
arch::ArchSpec labelled(const std::string& label) {
  const bool of_b0 = label.find('=') < label.find(',') || label == "B0";
  arch::ArchSpec spec = of_b0 ? b0() : named(network_of(label.substr(0, label.find(','))));
  std::smatch match;
  const auto number = [&](const char* pattern, double otherwise) {
    return std::regex_search(label, match, std::regex(pattern)) ? std::stod(match[1]) : otherwise;
  };
  // The page says that rows with "compound" have these coefficients.
  const bool compound = label.find("compound") != std::string::npos;
  const double d = number("d=([0-9.]+)", compound ? 1.4 : 1), w = number("w=([0-9.]+)", compound ? 1.2 : 1);
  if (label.find("head of 1280") != std::string::npos) spec.head.scale_width = false;
  if (label.find("in the first 1×1") != std::string::npos) spec = with_stride_first(spec);
  return arch::scaled(spec, d, w, static_cast<std::int64_t>(number("r=2 \\(([0-9]+)\\)", 224)));
}

// Compares MACs at the network's resolution ("0.301B"), or at several: "288 px: 2.243B; 291 and 292 px: 2.470B".
void expect_macs(const arch::ArchSpec& spec, const std::string& cell) {
  if (cell.find("px") == std::string::npos) {
    EXPECT_PRINTED(cell, costs(lower(spec)).macs) << spec.name;
    return;
  }
  for (const std::string& part : split_at(cell, ";")) {
    const std::string value = split_at(part, ":").at(1);
    for (const std::string& px : split_at(part.substr(0, part.find(" px")), "and")) {
      const Size size{whole(px), whole(px)};
      EXPECT_PRINTED(value, costs(lower(spec, {.resolution = size, .classes = {}})).macs) << spec.name << " " << px;
    }
  }
}

void table1(const Row& row) {
  const arch::ArchSpec spec = b0();
  const Graph graph = lower(spec);
  const auto stage = static_cast<std::size_t>(whole(row[0]));
  const std::int64_t input = whole(row[4]), channels = whole(row[5]), layers = whole(row[6]);
  if (stage == 1) {
    EXPECT_EQ(row[1], "Conv");
    EXPECT_EQ(spec.stem.kernel, whole(row[2]));
    EXPECT_EQ(spec.stem.stride, whole(row[3]));
    EXPECT_EQ(graph.input().h, input);
    EXPECT_EQ(spec.stem.channels, channels);
  } else if (stage == spec.stages.size() + 2) {
    EXPECT_EQ(graph.stages.back().resolution.h, input);
    EXPECT_EQ(spec.head.channels, channels);
  } else {
    const arch::StageSpec& one = spec.stages.at(stage - 2);
    EXPECT_EQ(row[1], fmt::format("MBConv{}", one.expand));
    EXPECT_EQ(one.kernel, whole(row[2]));
    EXPECT_EQ(one.stride, whole(row[3]));
    EXPECT_EQ(stage == 2 ? spec.resolution / spec.stem.stride : graph.stages.at(stage - 3).resolution.h, input);
    EXPECT_EQ(one.channels, channels);
    EXPECT_EQ(one.repeats, layers);
  }
}

void scalings(const Row& row) {
  const arch::ArchSpec spec = labelled(row[0]);
  expect_macs(spec, row[3]);
  EXPECT_PRINTED(row[4], costs(lower(spec)).params);
}

void figure3(const Row& row) {
  const std::vector<std::string> coefficients = split_at(row[1].substr(row[1].find('=') + 1), ",");
  const std::vector<std::string> macs = split_at(row[2], ",");
  ASSERT_EQ(coefficients.size(), macs.size());
  for (std::size_t i = 0; i < macs.size(); ++i) {
    const double value = std::stod(coefficients[i]);
    const char letter = row[1][0];
    const arch::ArchSpec spec = arch::scaled(b0(), letter == 'd' ? value : 1, letter == 'w' ? value : 1,
                                             letter == 'r' ? static_cast<std::int64_t>(224 * value) : 224);
    EXPECT_PRINTED(macs[i] + "G", costs(lower(spec)).macs) << row[1];
  }
}

void family(const Row& row) {
  const arch::Variant& variant = arch::variant(network_of(row[0]));
  const Costs counted = costs(lower(variant.spec));
  EXPECT_EQ(fmt::format("{:.1f}", variant.width), row[1]);
  EXPECT_EQ(fmt::format("{:.1f}", variant.depth), row[2]);
  EXPECT_EQ(fmt::format("{:.1f}", variant.spec.dropout), row[4]);
  EXPECT_PRINTED(row[5], counted.params);
  EXPECT_PRINTED(row[6], counted.statistics);
  EXPECT_EQ(variant.resolution, whole(row[3]));
  EXPECT_PRINTED(row[7].substr(0, row[7].find(' ')), counted.macs);
  std::smatch match;
  if (!std::regex_search(row[7], match, std::regex("\\(([0-9,]+) at ([0-9]+)\\)"))) return;
  expect_macs(variant.spec, fmt::format("{} px: {}", match[2].str(), match[1].str()));
}

void stages(const Row& row) {
  const arch::ArchSpec& spec = named(network_of(row[0]));
  const Graph graph = lower(spec);
  EXPECT_EQ(spec.stem.channels, whole(row[1]));
  std::string sizes = std::to_string(graph.find("stem.conv")->out.h);
  std::int64_t blocks = 0;
  ASSERT_EQ(graph.stages.size(), 7U);
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    const Stage& stage = graph.stages[i];
    EXPECT_EQ(fmt::format("{}×{}", stage.channels, stage.repeats), row[2 + i]);
    sizes += fmt::format("/{}", stage.resolution.h);
    blocks += stage.repeats;
  }
  EXPECT_EQ(spec.head.channels, whole(row[9]));
  EXPECT_EQ(blocks, whole(row[10]));
  EXPECT_EQ(sizes, row[11]);
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

// "stages.2.1." for block 4 of B0.
std::string prefix_of_block(const Graph& graph, std::int64_t block) {
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    if (block < graph.stages[i].repeats) return fmt::format("stages.{}.{}.", i, block);
    block -= graph.stages[i].repeats;
  }
  ADD_FAILURE() << "B0 has no such block";
  return {};
}

void expect_block(const Graph& graph, const std::string& prefix, const Row& row) {
  const Node* first = nullptr;  // the first convolution, or the linear layer
  const Node* last = nullptr;   // the last node
  const Node* wide = nullptr;   // the depthwise convolution
  for (const Node& node : graph.nodes) {
    if (!node.name.starts_with(prefix)) continue;
    const auto* conv = std::get_if<Conv>(&node.op);
    if (first == nullptr && (conv != nullptr || std::holds_alternative<Linear>(node.op))) first = &node;
    if (conv != nullptr && conv->groups > 1) wide = &node;
    last = &node;
  }
  ASSERT_NE(first, nullptr) << prefix;
  EXPECT_EQ(graph.in(*first).c, whole(row[1])) << prefix;
  EXPECT_EQ(last->out.c, whole(row[2])) << prefix;
  if (row[3] != "–") {
    const auto& conv = std::get<Conv>((wide == nullptr ? first : wide)->op);
    EXPECT_EQ(conv.kernel, whole(row[3])) << prefix;
    EXPECT_EQ(conv.stride, whole(row[4])) << prefix;
  }
  if (row[5] != "–") {
    ASSERT_NE(wide, nullptr);
    EXPECT_EQ(wide->out.c, whole(row[5])) << prefix;
    const Node* reduce = graph.find(prefix + "se.reduce");
    ASSERT_NE(reduce, nullptr) << prefix;
    EXPECT_EQ(reduce->out.c, whole(row[6])) << prefix;
  }
  EXPECT_EQ(last->out.h, whole(row[7])) << prefix;
  EXPECT_PRINTED(row[8].substr(0, row[8].find(' ')), sum_of(graph, prefix).params) << prefix;
  EXPECT_PRINTED(row[9].substr(0, row[9].find(' ')), sum_of(graph, prefix).macs) << prefix;
}

void blocks_of_b0(const Row& row) {
  const Graph graph = lower(b0());
  if (row[0] == "stem") return expect_block(graph, "stem.", row);
  if (row[0] == "dense") return expect_block(graph, "classifier", row);
  if (row[0] == "head") {
    Row without_pool = row;
    // The head's last node is the global pool; the page gives the size of the convolution's output.
    EXPECT_EQ(graph.find("head.conv")->out.h, whole(row[7]));
    without_pool[7] = "1";
    return expect_block(graph, "head.", without_pool);
  }
  for (const std::string& block : split_at(row[0], ",")) expect_block(graph, prefix_of_block(graph, whole(block)), row);
}

void lite(const Row& row) {
  const arch::Variant& variant = arch::variant(network_of(row[0]));
  const Graph graph = lower(variant.spec);
  EXPECT_EQ(fmt::format("{:.1f}", variant.width), row[1]);
  EXPECT_EQ(fmt::format("{:.1f}", variant.depth), row[2]);
  EXPECT_EQ(variant.resolution, whole(row[3]));
  EXPECT_EQ(fmt::format("{:.1f}", variant.spec.dropout), row[4]);
  EXPECT_PRINTED(row[5], costs(graph).params);
  EXPECT_PRINTED(row[6], costs(graph).macs);
  std::int64_t blocks = 0;
  for (const Stage& stage : graph.stages) blocks += stage.repeats;
  EXPECT_EQ(blocks, whole(row[8]));
}

void others(const Row& row) {
  const arch::ArchSpec& spec = named(network_of(row[0]));
  const Costs counted = costs(lower(spec));
  EXPECT_PRINTED(row[2], counted.params);
  if (row[3] != "–") {
    EXPECT_PRINTED(row[3], counted.statistics);
  }
  const std::vector<std::string> macs = split_at(row[4], ";");
  EXPECT_PRINTED(macs[0], counted.macs);
  if (macs.size() == 1) return;
  EXPECT_PRINTED(split_at(macs[1], ":").at(1), costs(lower(with_stride_first(spec))).macs);
}

// AmoebaNet-B with 6 normal cells, F filters, 224 px and 1000 classes.
arch::ArchSpec small_amoebanet(std::int64_t filters) {
  arch::ArchSpec spec = named("amoebanet_b");
  const std::int64_t channels[] = {filters / 4, filters / 2, filters,    filters * 2,
                                   filters * 2, filters * 4, filters * 4};
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    spec.stages[i].channels = channels[i];
    if (spec.stages[i].stride == 1) spec.stages[i].repeats = 2;
  }
  spec.resolution = 224;
  spec.classes = 1000;
  return spec;
}

void units_of_amoebanet(const Row& row) {
  std::smatch match;
  if (std::regex_match(row[0], match, std::regex("small: B, F=([0-9]+), 6 cells, 224 px, 1000 classes"))) {
    const Costs counted = costs(lower(small_amoebanet(whole(match[1]))));
    EXPECT_PRINTED(row[1], counted.params);
    EXPECT_PRINTED(row[2], counted.macs);
    return;
  }
  // The units of each value of a row. Cells 2 to 5, 8 to 11 and 14 to 17 are equal.
  static const std::map<std::string, std::vector<std::vector<std::string>>> kUnits{
      {"stem conv + BN", {{"stem."}}},
      {"stem cells 0 / 1", {{"stages.0.0."}, {"stages.1.0."}}},
      {"normal cells 0 / 1 / 2–5 each",
       {{"stages.2.0."}, {"stages.2.1."}, {"stages.2.2.", "stages.2.3.", "stages.2.4.", "stages.2.5."}}},
      {"reduction 0; normal 6 / 7 / 8–11 each",
       {{"stages.3.0."},
        {"stages.4.0."},
        {"stages.4.1."},
        {"stages.4.2.", "stages.4.3.", "stages.4.4.", "stages.4.5."}}},
      {"reduction 1; normal 12 / 13 / 14–17 each",
       {{"stages.5.0."},
        {"stages.6.0."},
        {"stages.6.1."},
        {"stages.6.2.", "stages.6.3.", "stages.6.4.", "stages.6.5."}}}};
  const auto found = kUnits.find(row[0]);
  ASSERT_NE(found, kUnits.end()) << row[0];
  const Graph graph = lower(named("amoebanet_b"));
  std::vector<std::string> params, macs;
  for (const auto& [cell, values] : {std::pair(row[1], &params), std::pair(row[2], &macs)}) {
    for (const std::string& part : split_at(cell, ";"))
      std::ranges::move(split_at(part, "/"), std::back_inserter(*values));
  }
  ASSERT_EQ(params.size(), found->second.size());
  ASSERT_EQ(macs.size(), found->second.size());
  for (std::size_t i = 0; i < params.size(); ++i) {
    for (const std::string& prefix : found->second[i]) {
      EXPECT_PRINTED(params[i], sum_of(graph, prefix).params) << prefix;
      EXPECT_PRINTED(macs[i], sum_of(graph, prefix).macs) << prefix;
    }
  }
}

// What a table of the page is compared with.
struct Known {
  std::string heading;                      // the beginning of the table's heading
  std::string column;                       // the title of its first column
  std::function<void(const Row&)> compare;  // null: the table has no counts of networks
};

const std::vector<Known>& known_tables() {
  static const std::vector<Known> kKnown{
      {"The paper and the official code", "mark", {}},
      {"Table 1:", "stage", table1},
      {"Table 2:", "Model", {}},  // printed values only; effnet/paper/printed_test.cc compares them
      {"Table 3:", "network", scalings},
      {"Table 4:", "pair", {}},
      {"Table 5:", "Data set", {}},
      {"Table 5:", "B0", {}},  // PaperPage.CountsWithoutTheClassifier
      {"Table 6:", "Data set", {}},
      {"Table 7:", "network", scalings},
      {"Table 8:", "", {}},
      {"Figure 3:", "dimension of B0", figure3},
      {"Figures 1, 2 and 4 to 8", "figure", {}},
      {"B. Compound scaling", "subject", {}},
      {"The family", "Model", family},
      {"Channels × layers", "Model", stages},
      {"C. Architecture", "subject", {}},
      {"B0 block by block", "block", blocks_of_b0},
      {"EfficientNet-Lite", "Model", lite},
      {"Other networks", "network", others},
      {"D. Training on ImageNet", "subject", {}},
      {"Training images", "step", {}},
      {"Evaluation images", "s", {}},
      {"AutoAugment policy v0", "#", {}},
      {"Operations", "operation", {}},
      {"F. MnasNet", "", {}},
      {"G. AmoebaNet-B", "part", {}},
      {"G. AmoebaNet-B", "Normal cell B: state", {}},
      {"G. AmoebaNet-B", "Reduction cell B: state", {}},
      {"G. AmoebaNet-B", "operation", {}},
      {"G. AmoebaNet-B", "unit", units_of_amoebanet},
      {"I. Where sources contradict", "subject", {}},
  };
  return kKnown;
}

TEST(PaperPage, EveryCountOfEveryTableIsEffnets) {
  std::vector<bool> seen(known_tables().size());
  for (const MarkdownTable& table : markdown_tables(kPage)) {
    const auto known = std::ranges::find_if(known_tables(), [&](const Known& one) {
      return table.heading.starts_with(one.heading) && table.columns.front() == one.column;
    });
    if (known == known_tables().end()) {
      ADD_FAILURE() << "this test does not know the table " << table.name();
      continue;
    }
    EXPECT_FALSE(seen[static_cast<std::size_t>(known - known_tables().begin())]) << table.name() << " exists twice";
    seen[static_cast<std::size_t>(known - known_tables().begin())] = true;
    if (!known->compare) continue;
    EXPECT_FALSE(table.rows.empty()) << table.name();
    for (const Row& row : table.rows) {
      SCOPED_TRACE(table.name() + ", row " + row.front());
      known->compare(row);
    }
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_TRUE(seen[i]) << "the page has no table " << known_tables()[i].heading << ", " << known_tables()[i].column;
}

TEST(PaperPage, CountsWithoutTheClassifier) {
  int compared = 0;
  for (const MarkdownTable& table : markdown_tables(kPage)) {
    if (!table.heading.starts_with("Table 5:") || table.columns.front() != "B0") continue;
    ASSERT_EQ(table.rows.size(), 1U);
    for (std::size_t i = 0; i < table.columns.size(); ++i, ++compared)
      EXPECT_PRINTED(table.rows[0][i], costs(lower(named(network_of(table.columns[i])))).params_without_classifier);
  }
  EXPECT_EQ(compared, 8);
}

// The sentences of the page that have counts.
TEST(PaperPage, CountsInSentences) {
  std::string page = read_text(kPage);
  std::ranges::replace(page, '\n', ' ');
  const auto giga = [](const std::string& name) { return static_cast<double>(costs(lower(named(name))).macs) / 1e9; };
  const Costs amoeba = costs(lower(named("amoebanet_b")));
  std::int64_t squeeze = 0;
  const Graph graph = lower(b0());
  for (const Node& node : graph.nodes) {
    if (node.name.find(".se.") != std::string::npos) squeeze += costs(graph, node).macs;
  }
  for (const std::string& sentence :
       {fmt::format("ResNet-152 has {:.3f}G, B1 {:.3f}G, the ratio is {:.1f}", giga("resnet152"),
                    giga("efficientnet_b1"), giga("resnet152") / giga("efficientnet_b1")),
        fmt::format("AmoebaNet-B (18, 512) at 480 px has {:.1f}G, B7 {:.2f}G, the ratio is {:.1f}", giga("amoebanet_b"),
                    giga("efficientnet_b7"), giga("amoebanet_b") / giga("efficientnet_b7")),
        fmt::format("it has **{}** parameters with 1001 classes, {} with 1000, and **{:.2f} G** MACs at 480 px",
                    grouped(amoeba.params),
                    grouped(costs(lower(named("amoebanet_b"), {.resolution = {}, .classes = 1000})).params),
                    giga("amoebanet_b")),
        fmt::format("Squeeze-and-excitation has {} and the linear layer {} of B0's MACs", grouped(squeeze),
                    grouped(sum_of(graph, "classifier").macs))})
    EXPECT_NE(page.find(sentence), std::string::npos) << "the page does not say: " << sentence;
}

// Networks that are not on the page. The counts are torchvision's.
TEST(Family, ResNet18HasTorchvisionsCounts) {
  const Costs counted = costs(lower(named("resnet18")));
  EXPECT_EQ(counted.params, 11689512);
  EXPECT_EQ(counted.statistics, 9600);
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
    const Graph graph = lower(named(name));
    const Costs costs = graph::costs(graph);
    EXPECT_EQ(fmt::format("{:.2f}", static_cast<double>(costs.params) * 1e-6), params) << name;
    std::int64_t normalised = 0;
    for (const Node& node : graph.nodes) {
      if (std::holds_alternative<BatchNorm>(node.op)) normalised += node.out.numel();
    }
    EXPECT_EQ(fmt::format("{:.2f}", static_cast<double>(costs.macs + 2 * normalised) * 1e-9), giga_macs) << name;
  }
}

// The numbers of moving statistics in the published weights (docs/reference/lite_weights.md).
TEST(Family, LiteHasTheStatisticsOfItsWeights) {
  for (const auto& [name, statistics] : {std::pair("efficientnet_lite0", 42016), std::pair("efficientnet_lite1", 53664),
                                         std::pair("efficientnet_lite2", 58096)})
    EXPECT_EQ(costs(lower(named(name))).statistics, statistics) << name;
}

TEST(Family, MobileNetV2HeadNeverShrinks) {
  EXPECT_EQ(arch::scaled(named("mobilenet_v2"), 1, 0.5, 224).head.channels, 1280);
}

}  // namespace
}  // namespace effnet::graph

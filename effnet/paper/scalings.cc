// Tables 3 and 7, and Figure 7, which has Table 7's networks.
#include <fmt/format.h>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

std::vector<Column> columns() {
  return {{"name", "", Source::label},
          {"paper.name", "network", Source::quoted, Align::left},
          {"depth", "d", Source::computed, Align::right, 1},
          {"width", "w", Source::computed, Align::right, 1},
          {"resolution", "px", Source::computed},
          {"params", "params", Source::computed},
          {"macs", "MACs", Source::computed},
          {"paper.macs", "paper", Source::quoted},
          {"paper.top1", "paper: top-1 %", Source::quoted},
          {"top1", "measured: top-1 %", Source::measured},
          {"note", "note", Source::label, Align::left}};
}

Table scaling_table(std::span<const PrintedScaling> rows, const Results& results) {
  Table table{.columns = columns(), .rows = {}};
  for (const PrintedScaling& row : rows) {
    const arch::ArchSpec spec = spec_of(row.network);
    const graph::Costs costs = costs_of(spec);
    const std::string note = joined(
        {disagreement("MACs", row.macs, costs.macs), row.remark == nullptr ? std::string() : std::string(row.remark)});
    table.rows.push_back({spec.name, row.title, row.network.depth, row.network.width, spec.resolution, costs.params,
                          costs.macs, row.macs, row.top1, measured_top1(results, spec), note_of(note)});
  }
  return table;
}

// Other networks that a row of the paper may mean.
struct Reading {
  std::string title;
  arch::ArchSpec spec;
};

Table reading_table(const std::vector<Reading>& readings) {
  Table table{.key = "readings",
              .title = "Other readings of the paper",
              .columns = {{"name", "", Source::label},
                          {"reading", "network", Source::label, Align::left},
                          {"resolution", "px", Source::computed},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed}},
              .rows = {}};
  for (const Reading& reading : readings) {
    const graph::Costs costs = costs_of(reading.spec);
    table.rows.push_back({reading.spec.name, reading.title, reading.spec.resolution, costs.params, costs.macs});
  }
  return table;
}

// 288 px is 9/7 of 224, 291 px is 1.3 times 224 rounded down.
constexpr std::int64_t kOtherPixels[] = {288, 291};

void add_compound(std::vector<Reading>& readings, Text base, const std::string& title) {
  for (const std::int64_t px : kOtherPixels)
    readings.push_back({fmt::format("{}, d=1.4 w=1.2 at {} px", title, px), spec_of({base, 1.4, 1.2, px})});
}

constexpr const char* kSize =
    "The paper does not print the resolution of the compound rows. Figure 4 writes r = 1.3 for 299 px, so 299 px is "
    "used here.";

}  // namespace

Item table3(const Context& context) {
  std::vector<Reading> readings;
  add_compound(readings, "mobilenet_v1", "MobileNetV1");
  add_compound(readings, "mobilenet_v2", "MobileNetV2");
  add_compound(readings, "resnet50", "ResNet-50");
  arch::ArchSpec narrow = arch::variant("mobilenet_v2").spec;
  narrow.head.scale_width = false;
  narrow = arch::scaled(narrow, 1, 2, narrow.resolution);
  narrow.name += "-head1280";
  readings.push_back({"MobileNetV2, w=2, head of 1280 channels", std::move(narrow)});
  arch::ArchSpec original = arch::variant("resnet50").spec;
  for (arch::StageSpec& stage : original.stages) stage.stride_first = true;
  original.name += "-stride_first";
  readings.push_back({"ResNet-50, stride in the first 1x1 convolution", std::move(original)});
  return {
      .id = "table3",
      .title = "Table 3: scaling of MobileNets and ResNet-50",
      .about = fmt::format("The same networks scaled in one dimension and in all three. The depth is scaled stage by "
                           "stage and rounded up, the width is rounded to multiples of 8. {}",
                           kSize),
      .tables = {scaling_table(printed_scalings(), context.results), reading_table(readings)},
      .drawings = {},
      .notes = {
          "At 288 px the MACs of both MobileNets' compound rows are closest to the printed ones. d, w and r of the "
          "compound rows of MobileNetV2 and ResNet-50 are taken as 1.4, 1.2 and 1.3.",
          "Only the ResNet-50 with the stride in the 3x3 convolution has the printed 4.1B and 16.4B."}};
}

Item table7(const Context& context) {
  std::vector<Reading> readings;
  add_compound(readings, "efficientnet_b0", "B0");
  return {.id = "table7",
          .title = "Table 7: the networks of the class activation maps",
          .about = fmt::format("B0 and its scalings, whose class activation maps Figure 7 shows. {}", kSize),
          .tables = {scaling_table(printed_cam(), context.results), reading_table(readings)},
          .drawings = {},
          .notes = {"The printed MACs of the rows d=4, w=2 and r=2 do not follow from the printed coefficients."}};
}

Item figure7(const Context& context) {
  Table files{.key = "arch_files",
              .title = "How to make the arch files",
              .columns = {{"name", "", Source::label},
                          {"network", "network", Source::label, Align::left},
                          {"command", "command", Source::label, Align::left}},
              .rows = {}};
  std::string models;
  for (const PrintedScaling& row : printed_cam().subspan(1)) {
    const Network& network = row.network;
    const arch::ArchSpec spec = spec_of(network);
    const std::size_t i = files.rows.size() + 1;
    files.rows.push_back({spec.name, row.title,
                          fmt::format("effnet scale {} --depth {} --width {} --resolution {} -o cam{}.toml",
                                      network.base, network.depth, network.width, spec.resolution, i)});
    models += fmt::format("{}RUN{}", models.empty() ? "" : ",", i);
  }
  return {.id = "fig7",
          .title = "Figure 7: class activation maps",
          .about =
              "The paper shows the maps of five networks for some validation images of ImageNet. effnet has no trained "
              "weights of these five networks and no images of ImageNet, so this is the table of the networks, not the "
              "figure, and there is no SVG file of it.",
          .tables = {scaling_table(printed_cam(), context.results), std::move(files)},
          .drawings = {},
          .notes = {"To make the figure: write the arch files, train each network (effnet train imagenet_b0 --set "
                    "model.name=cam1.toml --data IMAGENET --out RUN1; B0 itself without --set, into RUN0), then draw "
                    "one row for each image: effnet cam RUN0 IMAGES... --models " +
                    models + " -o fig7.png"}};
}

}  // namespace effnet::paper

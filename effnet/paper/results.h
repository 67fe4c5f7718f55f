// Accuracies that effnet measured: the files docs/results/transfer.toml and docs/results/scaling.toml, which the build
// embeds. The head of each file describes its format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/paper/item.h"

namespace effnet::paper {

struct MeasuredTransfer {
  std::string dataset, backbone, metric, date, page, note;
  double accuracy_percent = 0;
  std::int64_t images = 0;
  std::int64_t params_without_classifier = 0;  // computed
};

// One training run of a scaled network.
struct MeasuredScaling {
  std::string base, dataset, rule, date, page, note;
  double depth = 1, width = 1, late_depth = 1;  // multipliers of the base
  std::int64_t resolution = 0, params = 0, macs = 0, seed = 0;
  double top1_percent = 0;
  std::optional<arch::ArchSpec> spec;  // if the base is a named network
};

struct Results {
  std::vector<MeasuredTransfer> transfer;
  std::vector<MeasuredScaling> scaling;
};

// Parse one file. They throw Error(input) with line and column for a missing or unknown key, a value out of range, a
// date that is not YYYY-MM-DD, an unknown backbone, rule or base, counts that differ from those of a named base, and a
// second row for the same run.
std::vector<MeasuredTransfer> parse_transfer(std::string_view text, std::string_view source);
std::vector<MeasuredScaling> parse_scaling(std::string_view text, std::string_view source);
// Adds the runs of a further file. Also throws for a second row for a run that `results` has.
void add_scaling(Results& results, std::string_view text, std::string_view source);

// The results built into the binary.
Results embedded_results();

// The runs of one network on one dataset by one rule, that is of all seeds.
struct MeasuredNetwork {
  const MeasuredScaling* first = nullptr;
  std::int64_t runs = 0;
  double mean = 0, low = 0, high = 0;  // top-1 in percent
};
// In the order of the first runs. `results` must outlive the return value.
std::vector<MeasuredNetwork> measured_networks(const std::vector<MeasuredScaling>& results);

// The mean top-1 accuracy in percent on ImageNet of a network with the same layers and resolution; no value if there is
// none.
Value measured_top1(const Results& results, const arch::ArchSpec& network);

// The table of measured networks with the key "measured", and a plot of the accuracy over the MACs for each base and
// dataset. `rules`: only the networks of these rules; empty: all.
Table measured_table(const Results& results, const std::vector<std::string>& rules);
std::vector<report::Drawing> measured_drawings(const Results& results, const std::vector<std::string>& rules);

}  // namespace effnet::paper

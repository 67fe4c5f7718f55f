// Table 5 of Tan & Le 2019 (transfer learning): the paper's rows as printed, parameters computed from our networks, and
// effnet's own measured results (docs/results/transfer.toml).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/output.h"

namespace effnet::cli {

// A model in a row of the paper. All figures are texts as printed; null: not in the paper.
struct TransferEntry {
  const char* name;
  const char* accuracy_percent;
  const char* params;
};

struct Table5Row {
  const char* dataset;
  std::int64_t classes;  // of the data set, from Table 6
  const char* compared;  // "public": with the best public model; "best": with the best reported result
  TransferEntry other;
  TransferEntry ours;
  const char* network;                         // effnet's name of `ours`
  const char* ratio;                           // parameters of `other` divided by those of `ours`, as printed
  std::int64_t params_without_classifier = 0;  // computed
  std::int64_t macs = 0;                       // computed, at the network's own resolution
};

struct MeasuredTransfer {
  std::string dataset, backbone, metric, date, page, note;
  double accuracy_percent = 0;
  std::int64_t images = 0;
  std::int64_t params_without_classifier = 0;  // computed
};

struct Table5 {
  std::vector<Table5Row> rows;
  std::vector<MeasuredTransfer> measured;
  bool on_stdout = false;  // show the Markdown page
};

// Parses a file such as docs/results/transfer.toml. Throws Error(input) with line and column for a missing or unknown
// key, a value out of range, a date that is not YYYY-MM-DD, and an unknown network.
std::vector<MeasuredTransfer> parse_measured_transfer(std::string_view text, std::string_view source);

Table5 paper_table5();
Json to_json(const Table5& table);
std::string to_text(const Table5& table);
std::string to_markdown(const Table5& table);

}  // namespace effnet::cli

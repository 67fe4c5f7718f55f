// effnet paper TABLE: shows a table of the paper beside effnet's own values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/cli/command.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

using model::Timing;

struct PaperOptions {
  std::string table = {};
  std::string out = {};  // FILE.md, FILE.json, or "-" for Markdown on stdout
  double seconds = 2;    // per network
};
void declare_options(CLI::App& command, PaperOptions& options);

// A network in Table 4 of Tan & Le 2019 (version 5): its accuracy and its latency for batch 1 on one core of a Xeon
// E5-2690. Parameters and FLOPS come from the paper's Table 2, which has no FLOPS for GPipe. All figures are texts as
// printed in the paper.
struct PaperEntry {
  const char* name;   // effnet's name of the network
  const char* title;  // the paper's name
  const char* accuracy_percent;
  const char* latency_s;
  const char* params;
  const char* macs;  // null: not in the paper
};

struct PaperResult {
  struct Row {
    PaperEntry paper = {};
    std::int64_t params = 0, macs = 0, resolution = 0;
    Timing timing = {};
    double gflops = 0, peak_share = 0;
  };
  struct Pair {
    PaperEntry slow = {}, fast = {};
    const char* speedup = nullptr;  // as printed in the paper
    double ratio = 0, macs_ratio = 0;
  };
  std::vector<Row> rows;
  std::vector<Pair> pairs;
  std::string cpu, isa;
  int threads = 1;
  double peak_gflops = 0;  // of all threads together
  bool on_stdout = false;  // show the Markdown page
};
// Measures the networks of Table 4 for `seconds` each.
PaperResult time_table4(int threads, double seconds, Output& out);
// Makes a table, writes it to the file of -o and shows it.
void run_paper(const PaperOptions& options, const Globals& globals, Output& out);
Json to_json(const PaperResult& result);
std::string to_text(const PaperResult& result);
std::string to_markdown(const PaperResult& result);

}  // namespace effnet::cli

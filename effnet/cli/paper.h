// effnet paper TABLE: the paper's tables beside ours.
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
  std::string out = {};  // FILE.md, FILE.json, or "-": Markdown on stdout
  double seconds = 2;    // a network
};
void declare_options(CLI::App& command, PaperOptions& options);

// Table 4 of Tan & Le 2019 (version 5): accuracy @ latency, batch 1, one core of a Xeon E5-2690. Parameters and FLOPS
// as its Table 2 prints them; it gives no FLOPS for GPipe.
struct PaperEntry {
  const char* name;   // of the network here
  const char* title;  // as printed, and so are the figures
  const char* accuracy_percent;
  const char* latency_s;
  const char* params;
  const char* macs;  // null: not given
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
    const char* speedup = nullptr;  // as printed
    double ratio = 0, macs_ratio = 0;
  };
  std::vector<Row> rows;
  std::vector<Pair> pairs;
  std::string cpu, isa;
  int threads = 1;
  double peak_gflops = 0;  // of all threads
  bool on_stdout = false;  // the Markdown page is what is shown
};
// Times the networks of table 4, `seconds` each.
PaperResult time_table4(int threads, double seconds, Output& out);
PaperResult run_paper(const PaperOptions& options, const Globals& globals, Output& out);
Json to_json(const PaperResult& result);
std::string to_text(const PaperResult& result);
std::string to_markdown(const PaperResult& result);

}  // namespace effnet::cli

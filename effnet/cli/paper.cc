#include "effnet/cli/paper.h"

#include <algorithm>
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/paper_layout.h"
#include "effnet/cli/paper_table5.h"

namespace effnet::cli {
namespace {

constexpr std::string_view kHeading = "Table 4: latency on one CPU, the paper's values and effnet's";
constexpr const char* kPaper = "Tan & Le 2019, Table 4: batch 1, one core of an Intel Xeon E5-2690, mean of 20 runs";

Json row_json(const PaperResult::Row& row) {
  return {{"name", row.paper.name},
          {"params", row.params},
          {"macs", row.macs},
          {"resolution", row.resolution},
          {"latency_ms", {{"min", row.timing.min()}, {"median", row.timing.median()}}},
          {"runs", row.timing.ms.size()},
          {"gflops", row.gflops},
          {"peak_share", row.peak_share},
          {"paper",
           {{"name", row.paper.title},
            {"accuracy", row.paper.accuracy_percent},
            {"latency_s", row.paper.latency_s},
            {"params", row.paper.params},
            {"macs", row.paper.macs == nullptr ? Json() : Json(row.paper.macs)}}},
          {"source",
           {{"params", "computed"},
            {"macs", "computed"},
            {"resolution", "computed"},
            {"latency_ms", "measured"},
            {"runs", "measured"},
            {"gflops", "measured"},
            {"peak_share", "measured"},
            {"paper", "quoted"}}}};
}

Json pair_json(const PaperResult::Pair& pair) {
  return {{"slow", pair.slow.name},
          {"fast", pair.fast.name},
          {"ratio", pair.ratio},
          {"macs_ratio", pair.macs_ratio},
          {"paper", {{"speedup", pair.speedup}}},
          {"source", {{"ratio", "measured"}, {"macs_ratio", "computed"}, {"paper", "quoted"}}}};
}

Cells row_cells(const PaperResult::Row& row) {
  return {row.paper.name,
          grouped(row.params),
          row.paper.params,
          grouped(row.macs),
          row.paper.macs == nullptr ? "-" : row.paper.macs,
          fmt::format("{:.2f}", row.timing.min()),
          fmt::format("{:.2f}", row.timing.median()),
          fmt::format("{:.0f} %", 100 * row.peak_share),
          row.paper.latency_s,
          row.paper.accuracy_percent};
}
const Cells kRowTitles{"network", "params, computed",  "paper",    "MACs, computed", "paper", "ms (min), measured",
                       "median",  "of peak, measured", "paper: s", "paper: top-1 %"};

Cells pair_cells(const PaperResult::Pair& pair) {
  return {fmt::format("{} / {}", pair.slow.name, pair.fast.name), fmt::format("{:.1f}x", pair.ratio), pair.speedup,
          fmt::format("{:.1f}x", pair.macs_ratio)};
}
const Cells kPairTitles{"pair", "time ratio, measured", "paper", "MACs ratio, computed"};

std::string machine_line(const PaperResult& result) {
  return fmt::format("{}, {}, {} thread{}, batch 1, fp32; peak {:.1f} GFLOP/s, measured in the same run.", result.cpu,
                     result.isa, result.threads, result.threads == 1 ? "" : "s", result.peak_gflops);
}

std::string page(const PaperResult& result, std::string_view heading, Layout layout) {
  std::vector<Cells> rows;
  for (const PaperResult::Row& row : result.rows) rows.push_back(row_cells(row));
  std::vector<Cells> pairs;
  for (const PaperResult::Pair& pair : result.pairs) pairs.push_back(pair_cells(pair));
  return fmt::format("{}\n\n{}\n{}\n{}\n\nThe paper: {}. Columns named paper are quoted as printed.\n", heading,
                     layout(kRowTitles, rows), layout(kPairTitles, pairs), machine_line(result), kPaper);
}

void check_name(const std::string& table) {
  static const std::vector<std::string> known{"table1", "table2", "table3", "table4", "table5", "table6", "table7",
                                              "table8", "fig2",   "fig3",   "fig4",   "fig7",   "fig8"};
  if (std::find(known.begin(), known.end(), table) == known.end())
    throw usage_error("unknown table of the paper (got {}, expected {})", in_quotes(table), one_of(known));
  if (table != "table4" && table != "table5")
    throw environment_error("effnet paper {} is not built yet (expected table4 or table5)", table);
}

// Returns the kind of the output file of -o: ".md", ".json" or empty. For stdout, which the caller prints: empty.
std::string kind_of_output(const PaperOptions& options, bool to_stdout) {
  if (options.out.empty() || to_stdout) return {};
  std::string kind = std::filesystem::path(options.out).extension().string();
  if (kind != ".md" && kind != ".json")
    throw usage_error("-o: unknown kind of file (got {}, expected FILE.md or FILE.json)", in_quotes(options.out));
  return kind;
}

template <class Result>
void write_output(const PaperOptions& options, std::string_view kind, const Result& result) {
  if (kind == ".md") write_text(options.out, to_markdown(result));
  if (kind == ".json") write_text(options.out, json_text(to_json(result)) + "\n");
}

}  // namespace

void declare_options(CLI::App& command, PaperOptions& options) {
  command
      .add_option("TABLE", options.table,
                  "A table of the paper: table4 (CPU latency) or table5 (transfer learning); the others are "
                  "not built yet")
      ->required();
  command
      .add_option("-o,--out", options.out,
                  "Also write the table to a Markdown or JSON file; - means Markdown on stdout")
      ->type_name("FILE.md|FILE.json");
  command.add_option("--seconds", options.seconds, "table4: measure each network for S seconds")->type_name("S");
}

void run_paper(const PaperOptions& options, const Globals& globals, Output& out) {
  check_name(options.table);
  check_seconds(options.seconds);
  const bool to_stdout = is_stdout("-o", options.out, globals);
  const std::string kind = kind_of_output(options, to_stdout);
  const auto finish = [&](auto table) {
    table.on_stdout = to_stdout;
    write_output(options, kind, table);
    show(table, globals, out);
  };
  if (options.table == "table5") return finish(paper_table5());
  // The paper used one core; --threads overrides this.
  finish(time_table4(globals.threads.empty() ? 1 : globals.threads.front(), options.seconds, out));
}

Json to_json(const PaperResult& result) {
  Json rows = Json::array();
  for (const PaperResult::Row& row : result.rows) rows.push_back(row_json(row));
  Json pairs = Json::array();
  for (const PaperResult::Pair& pair : result.pairs) pairs.push_back(pair_json(pair));
  return {{"table", "table4"},
          {"rows", rows},
          {"pairs", pairs},
          {"machine",
           {{"cpu", result.cpu},
            {"isa", result.isa},
            {"threads", result.threads},
            {"batch", 1},
            {"precision", "fp32"},
            {"peak_gflops", result.peak_gflops}}},
          {"weights", "any: timing does not depend on them"},
          {"paper", kPaper}};
}

std::string to_markdown(const PaperResult& result) {
  return page(result, fmt::format("# {}", kHeading), markdown_table);
}

std::string to_text(const PaperResult& result) {
  return result.on_stdout ? to_markdown(result) : page(result, kHeading, plain_table);
}

Body declare_paper(CLI::App& command, const Globals& globals) {
  auto options = std::make_shared<PaperOptions>();
  declare_options(command, *options);
  return [options, &globals](Output& out) {
    run_paper(*options, globals, out);
    return 0;
  };
}

}  // namespace effnet::cli

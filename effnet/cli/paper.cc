// effnet paper TABLE: the paper's tables beside ours.
#include <algorithm>
#include <array>
#include <filesystem>

#include "effnet/arch/family.h"
#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/engine/quick_weights.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/model/measure.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

using model::Timing;

struct Options {
  std::string table, out;
  double seconds = 2;
};

// Table 4 of Tan & Le 2019 (version 5): accuracy @ latency, batch 1, one core of a Xeon E5-2690. Parameters and FLOPS
// as its Table 2 prints them; it gives no FLOPS for GPipe.
struct Entry {
  const char* name;
  const char* title;  // as printed
  const char* accuracy_percent;
  const char* latency_s;
  const char* params;
  const char* macs;
};
struct Pair {
  Entry slow, fast;
  const char* speedup;
};
constexpr std::array kTable4{Pair{{"resnet152", "ResNet-152", "77.8", "0.554", "60M", "11B"},
                                  {"efficientnet_b1", "EfficientNet-B1", "78.8", "0.098", "7.8M", "0.70B"},
                                  "5.7x"},
                             Pair{{"amoebanet_b", "GPipe", "84.3", "19.0", "557M", nullptr},
                                  {"efficientnet_b7", "EfficientNet-B7", "84.4", "3.1", "66M", "37B"},
                                  "6.1x"}};

// A network ready to be timed, with weights that mean nothing.
struct Ready {
  Entry entry;
  graph::Graph graph;
  engine::Session session;
  std::vector<float> input;
  std::vector<double> ms;

  Ready(const Entry& what, int threads, ThreadPool& pool)
      : entry(what),
        graph(graph::lower(arch::variant(what.name).spec)),
        session(graph,
                engine::PackedWeights::pack(graph, engine::Parameters(engine::quick_weights(graph)),
                                            kernels::chosen_isa(), pool),
                {.batch = 1, .threads = threads}),
        input(model::photo_like(graph.input(), 1, pool)) {}

  void time(double seconds) {
    const Timing timing = model::measure(session, input, seconds);
    ms.insert(ms.end(), timing.ms.begin(), timing.ms.end());
    std::sort(ms.begin(), ms.end());
  }
};

Json row_of(const Ready& network, double peak_gflops) {
  const graph::Costs costs = graph::costs(network.graph);
  const Timing timing{network.ms, 0};
  const double gflops = 2e-6 * static_cast<double>(costs.macs) / timing.min();
  return {{"name", network.entry.name},
          {"params", costs.params},
          {"macs", costs.macs},
          {"resolution", network.graph.input().h},
          {"latency_ms", {{"min", timing.min()}, {"median", timing.median()}}},
          {"runs", timing.ms.size()},
          {"gflops", gflops},
          {"peak_share", gflops / peak_gflops},
          {"paper",
           {{"name", network.entry.title},
            {"accuracy", network.entry.accuracy_percent},
            {"latency_s", network.entry.latency_s},
            {"params", network.entry.params},
            {"macs", network.entry.macs == nullptr ? Json() : Json(network.entry.macs)}}},
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

Json table4(int threads, double seconds) {
  constexpr int kRounds = 2;  // the two of a pair in turns: a machine that slows down slows both
  ThreadPool pool(threads);
  double peak = model::core_peak_gflops();
  std::vector<Json> rows;
  Json pairs = Json::array();
  for (const Pair& pair : kTable4) {
    note(fmt::format("timing {} and {}", pair.slow.title, pair.fast.title));
    Ready slow(pair.slow, threads, pool);
    Ready fast(pair.fast, threads, pool);
    for (int round = 0; round < kRounds; ++round) {
      slow.time(seconds / kRounds);
      fast.time(seconds / kRounds);
    }
    peak = std::max(peak, model::core_peak_gflops());
    for (const Ready* network : {&slow, &fast}) rows.push_back(row_of(*network, peak * threads));
    pairs.push_back({{"slow", pair.slow.name},
                     {"fast", pair.fast.name},
                     {"ratio", slow.ms.front() / fast.ms.front()},
                     {"macs_ratio", static_cast<double>(graph::costs(slow.graph).macs) /
                                        static_cast<double>(graph::costs(fast.graph).macs)},
                     {"paper", {{"speedup", pair.speedup}}},
                     {"source", {{"ratio", "measured"}, {"macs_ratio", "computed"}, {"paper", "quoted"}}}});
  }
  return {{"table", "table4"},
          {"rows", rows},
          {"pairs", pairs},
          {"machine",
           {{"cpu", cpu_model()},
            {"isa", kernels::name(kernels::chosen_isa())},
            {"threads", threads},
            {"batch", 1},
            {"precision", "fp32"},
            {"peak_gflops", peak * threads}}},
          {"weights", "any: timing does not depend on them"},
          {"paper", "Tan & Le 2019, Table 4: batch 1, one core of an Intel Xeon E5-2690, mean of 20 runs"}};
}

using Cells = std::vector<std::string>;

Cells row_cells(const Json& row) {
  const auto printed = [](const Json& value) { return value.is_null() ? std::string("-") : value.get<std::string>(); };
  const Json& paper = row["paper"];
  return {row["name"].get<std::string>(),
          grouped(row["params"].get<std::int64_t>()),
          printed(paper["params"]),
          grouped(row["macs"].get<std::int64_t>()),
          printed(paper["macs"]),
          fmt::format("{:.2f}", row["latency_ms"]["min"].get<double>()),
          fmt::format("{:.2f}", row["latency_ms"]["median"].get<double>()),
          fmt::format("{:.0f} %", 100 * row["peak_share"].get<double>()),
          paper["latency_s"].get<std::string>(),
          paper["accuracy"].get<std::string>()};
}
const Cells kRowTitles{"network", "params, computed",  "paper",    "MACs, computed", "paper", "ms (min), measured",
                       "median",  "of peak, measured", "paper: s", "paper: top-1 %"};

Cells pair_cells(const Json& pair) {
  return {fmt::format("{} / {}", pair["slow"].get<std::string>(), pair["fast"].get<std::string>()),
          fmt::format("{:.1f}x", pair["ratio"].get<double>()), pair["paper"]["speedup"].get<std::string>(),
          fmt::format("{:.1f}x", pair["macs_ratio"].get<double>())};
}
const Cells kPairTitles{"pair", "time ratio, measured", "paper", "MACs ratio, computed"};

std::string machine_line(const Json& document) {
  const Json& machine = document["machine"];
  return fmt::format("{}, {}, {} thread{}, batch 1, fp32; peak {:.1f} GFLOP/s, measured in the same run.",
                     machine["cpu"].get<std::string>(), machine["isa"].get<std::string>(),
                     machine["threads"].get<int>(), machine["threads"] == 1 ? "" : "s",
                     machine["peak_gflops"].get<double>());
}

std::string plain(const Cells& titles, const std::vector<Cells>& rows) {
  std::vector<report::Column> columns;
  for (const std::string& title : titles)
    columns.push_back({title, columns.empty() ? report::Align::left : report::Align::right});
  report::Table table(columns);
  for (const Cells& row : rows) table.row(row);
  return table.text();
}

std::string markdown(const Cells& titles, const std::vector<Cells>& rows) {
  std::string text = fmt::format("| {} |\n|{}", fmt::join(titles, " | "), " --- |");
  for (std::size_t i = 1; i < titles.size(); ++i) text += " ---: |";
  text += "\n";
  for (const Cells& row : rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return text;
}

template <class Layout>
std::string text_of(const Json& document, std::string_view heading, Layout layout) {
  std::vector<Cells> rows;
  for (const Json& row : document["rows"]) rows.push_back(row_cells(row));
  std::vector<Cells> pairs;
  for (const Json& pair : document["pairs"]) pairs.push_back(pair_cells(pair));
  return fmt::format("{}\n\n{}\n{}\n{}\n\nThe paper: {}. Columns called paper are quoted as printed.\n", heading,
                     layout(kRowTitles, rows), layout(kPairTitles, pairs), machine_line(document),
                     document["paper"].get<std::string>());
}

void check_name(const std::string& table) {
  static const std::vector<std::string> known{"table1", "table2", "table3", "table4", "table5", "table6", "table7",
                                              "table8", "fig2",   "fig3",   "fig4",   "fig7",   "fig8"};
  if (std::find(known.begin(), known.end(), table) == known.end())
    throw usage_error("unknown table of the paper (got {}, expected {})", in_quotes(table), one_of(known));
  if (table != "table4") throw environment_error("effnet paper {} is not built yet (expected table4)", table);
}

}  // namespace

Body declare_paper(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("TABLE", o->table, "table4: latency (the others are not built yet)")->required();
  command.add_option("-o,--out", o->out, "Write it too, as Markdown or JSON; - is Markdown on stdout")
      ->type_name("FILE.md|FILE.json");
  command.add_option("--seconds", o->seconds, "Time to spend on a network")->type_name("S");
  return [o, &globals] {
    check_name(o->table);
    check_seconds(o->seconds);
    const bool to_stdout = is_stdout("-o", o->out, globals);
    const std::string kind = to_stdout ? ".md" : std::filesystem::path(o->out).extension().string();
    if (!o->out.empty() && kind != ".md" && kind != ".json")
      throw usage_error("-o: unknown kind of file (got {}, expected FILE.md or FILE.json)", in_quotes(o->out));
    // The paper's setting is one core, unless the user asks for more.
    const Json document = table4(globals.threads.empty() ? 1 : globals.threads.front(), o->seconds);
    const std::string heading = "Table 4: latency on one CPU, the paper's beside ours";
    const std::string page = text_of(document, "# " + heading, markdown);
    if (to_stdout) {
      print(page);
      return 0;
    }
    if (kind == ".md") write_text(o->out, page);
    if (kind == ".json") write_text(o->out, document.dump(2) + "\n");
    if (globals.json) {
      print_json(document);
    } else {
      print(text_of(document, heading, plain));
    }
    return 0;
  };
}

}  // namespace effnet::cli

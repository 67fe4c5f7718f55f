#include "effnet/cli/bench.h"

#include <algorithm>
#include <chrono>

#include "effnet/base/interrupt.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/tune.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/graph/costs.h"
#include "effnet/model/measure.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::vector<BenchLayer> profile(engine::Session& session, std::span<const float> input, double seconds,
                                double peak_gflops) {
  constexpr int kRuns = 5;
  std::vector<engine::StepInfo> best;
  const auto start = std::chrono::steady_clock::now();
  for (int run = 0; run < kRuns || ms_since(start) < 1000 * seconds; ++run) {
    check_interrupt();
    const std::vector<engine::StepInfo> steps = session.profile(input);
    if (best.empty()) best = steps;
    for (std::size_t i = 0; i < steps.size(); ++i) best[i].ms = std::min(best[i].ms, steps[i].ms);
  }
  std::vector<BenchLayer> layers;
  for (const engine::StepInfo& step : best) {
    const double seconds_taken = std::max(step.ms, 1e-6) * 1e-3;
    const double gflops = 2e-9 * static_cast<double>(step.macs) / seconds_taken;
    layers.push_back({step, gflops, gflops / peak_gflops, 1e-9 * static_cast<double>(step.bytes) / seconds_taken});
  }
  return layers;
}

BenchRow run_case(const BenchOptions& o, const BenchCase& one, model::ModelHandle& model,
                  const std::shared_ptr<const engine::PackedWeights>& weights, Output& out) {
  ThreadPool pool(one.threads);
  const std::shared_ptr<const graph::Graph> graph = model.graph(one.size);
  engine::SessionOptions options{.batch = one.batch, .threads = one.threads};
  options.plan = plan_without(o.without);
  if (o.tune) options.plan = tuned_plan(*graph, arch::print(model.arch()), weights, options, o.seconds, pool, out);
  const auto start = std::chrono::steady_clock::now();
  engine::Session session(*graph, weights, options);

  BenchRow row;
  row.plan_ms = ms_since(start);
  row.what = one;
  row.model = model.arch().name;
  row.weights = model.weights_from();
  row.precision = o.precision;
  row.isa = session.isa();
  row.logits.resize(static_cast<std::size_t>(one.batch * session.classes()));
  const std::vector<float> input = model::photo_like(graph->input(), one.batch, pool);
  row.timing = model::measure([&] { session.run(input, row.logits); }, o.seconds);
  row.images_per_second = 1000 * static_cast<double>(one.batch) / row.timing.median();
  row.gmacs_per_second = 1e-9 * static_cast<double>(graph::costs(*graph).macs) * row.images_per_second;
  row.workspace_bytes = session.workspace_bytes();
  row.weights_bytes = session.weights_bytes();
  row.peak_rss_bytes = peak_rss_bytes();
  if (o.tune) row.tuned = options.plan;
  if (o.layers) {
    row.peak_gflops = model::core_peak_gflops() * one.threads;
    row.layers = profile(session, input, o.seconds / 2, row.peak_gflops);
  }
  return row;
}

// Returns the largest difference between the logits of the last timed run and those of the reference executor, divided
// by the reference's largest logit.
double error_of(const BenchRow& row, model::ModelHandle& model, ThreadPool& pool) {
  const std::shared_ptr<const graph::Graph> graph = model.graph(row.what.size);
  const engine::Parameters parameters(model.load_weights().weights);
  const std::vector<float> input = model::photo_like(graph->input(), row.what.batch, pool);
  const std::vector<float> expected =
      engine::Reference(*graph, parameters, pool, {.double_accumulation = true}).run(input, row.what.batch);
  return model::difference(row.logits, expected).max_rel;
}

std::vector<BenchCase> cases(const BenchOptions& o, const arch::ArchSpec& arch, const std::vector<int>& threads) {
  std::vector<Size> sizes;
  if (o.resolution.empty()) {
    sizes.push_back({arch.resolution, arch.resolution});
  } else {
    for (const std::string& part : split_list(o.resolution)) sizes.push_back(parse_resolution(part));
  }
  std::vector<BenchCase> all;
  for (const Size size : sizes) {
    for (const int batch : o.batch) {
      for (const int count : threads) all.push_back({size, batch, count});
    }
  }
  return all;
}

Json layer_json(const BenchLayer& layer) {
  return {{"name", layer.step.name},
          {"kernel", layer.step.kernel},
          {"ms", layer.step.ms},
          {"macs", layer.step.macs},
          {"gflops", layer.gflops},
          {"peak_share", layer.peak_share},
          {"gbytes_per_second", layer.gbytes_per_second}};
}

std::string layers_text(const BenchRow& row) {
  report::Table table({{"step", report::Align::left},
                       {"kernel", report::Align::left},
                       {"ms"},
                       {"MACs"},
                       {"GFLOP/s"},
                       {"of peak"},
                       {"GB/s"}});
  double total = 0;
  for (const BenchLayer& layer : row.layers) {
    total += layer.step.ms;
    table.row({layer.step.name, layer.step.kernel, fmt::format("{:.4f}", layer.step.ms), grouped(layer.step.macs),
               fmt::format("{:.1f}", layer.gflops), fmt::format("{:.0f} %", 100 * layer.peak_share),
               fmt::format("{:.1f}", layer.gbytes_per_second)});
  }
  return fmt::format("\n{}all steps together: {:.3f} ms; measured peak: {:.1f} GFLOP/s\n", table.text(), total,
                     row.peak_gflops);
}

}  // namespace

void declare_options(CLI::App& command, BenchOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  add_numbers(command, "--batch", options.batch, 4096, "Run N images at once; a list such as 1,8 measures each [1]");
  command.add_option("--precision", options.precision, kPrecisionHelp);
  command
      .add_option("--resolution", options.resolution,
                  "Use this input size: pixels, or HxW; a list such as 224,197x311 measures each [the model's]")
      ->type_name("R");
  command.add_option("--seconds", options.seconds, "Measure each case for S seconds")->type_name("S");
  command.add_flag("--layers", options.layers, "List every step: ms, MACs, GFLOP/s, share of the measured peak, GB/s");
  command.add_option("--isa", options.isa, "Use this instruction set [EFFNET_ISA, else the best of this CPU]")
      ->type_name("NAME");
  command.add_flag("--check", options.check, "Compare the logits with those of the reference executor");
  command.add_flag("--tune", options.tune, "Measure other plans, use the fastest and store the choice");
  command
      .add_option("--without", options.without,
                  "Turn off these switches of the plan: fuse_epilogues, fuse_depthwise, fuse_scale, fuse_pool")
      ->type_name("A,B");
  options.load.declare(command);
}

BenchResult run_bench(const BenchOptions& o, const Globals& globals, Output& out) {
  check_precision(o.precision);
  check_seconds(o.seconds);
  plan_without(o.without);
  if (o.tune && !o.without.empty()) {
    throw usage_error(
        "--tune cannot be combined with --without, because it chooses and stores the switches itself (got both, "
        "expected one of them)");
  }
  const kernels::Isa isa = kernels::isa_of(o.isa);
  const std::vector<int> threads = thread_counts(globals);
  ThreadPool pool(*std::max_element(threads.begin(), threads.end()));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  const std::vector<BenchCase> all = cases(o, model.arch(), threads);
  const auto weights = model.packed(isa)->in_huge_pages();

  BenchResult rows;
  Progress progress(out, "bench", static_cast<std::int64_t>(all.size()));
  for (const BenchCase& one : all) {
    rows.push_back(run_case(o, one, model, weights, out));
    progress.update(static_cast<std::int64_t>(rows.size()));
  }
  // The reference executor runs after all timing, so that its memory is not part of peak_rss_bytes.
  if (o.check) {
    for (BenchRow& row : rows) row.max_rel_error = error_of(row, model, pool);
  }
  return rows;
}

Json to_json(const BenchRow& row) {
  const model::Timing& timing = row.timing;
  Json document{{"model", row.model},
                {"weights", row.weights},
                {"resolution", to_json(row.what.size)},
                {"precision", row.precision},
                {"threads", row.what.threads},
                {"batch", row.what.batch},
                {"isa", kernels::name(row.isa)},
                {"runs", timing.ms.size()},
                {"latency_ms",
                 {{"min", timing.min()},
                  {"median", timing.median()},
                  {"mean", timing.mean_ms},
                  {"p90", timing.percentile(90)},
                  {"p99", timing.percentile(99)}}},
                {"images_per_second", row.images_per_second},
                {"gmacs_per_second", row.gmacs_per_second},
                {"workspace_bytes", row.workspace_bytes},
                {"weights_bytes", row.weights_bytes},
                {"peak_rss_bytes", row.peak_rss_bytes},
                {"plan_ms", row.plan_ms},
                {"tuned", row.tuned.has_value()}};
  if (row.tuned) document["plan"] = to_json(*row.tuned);
  if (!row.layers.empty()) {
    document["peak_gflops"] = row.peak_gflops;
    Json& layers = document["layers"] = Json::array();
    for (const BenchLayer& layer : row.layers) layers.push_back(layer_json(layer));
  }
  if (row.max_rel_error) document["max_rel_error"] = *row.max_rel_error;
  return document;
}

Json to_json(const BenchResult& rows) {
  if (rows.size() == 1) return to_json(rows.front());
  Json documents = Json::array();
  for (const BenchRow& row : rows) documents.push_back(to_json(row));
  return documents;
}

std::string to_text(const BenchResult& rows) {
  report::Table table({{"px"},
                       {"batch"},
                       {"threads"},
                       {"min ms"},
                       {"median"},
                       {"mean"},
                       {"p90"},
                       {"p99"},
                       {"images/s"},
                       {"GMAC/s"},
                       {"workspace MB"},
                       {"weights MB"},
                       {"peak RSS MB"},
                       {"error"}});
  const auto ms = [](double value) { return fmt::format("{:.3f}", value); };
  const auto mb = [](std::int64_t bytes) { return fmt::format("{:.1f}", 1e-6 * static_cast<double>(bytes)); };
  std::string layers;
  for (const BenchRow& row : rows) {
    const model::Timing& timing = row.timing;
    table.row({to_string(row.what.size), std::to_string(row.what.batch), std::to_string(row.what.threads),
               ms(timing.min()), ms(timing.median()), ms(timing.mean_ms), ms(timing.percentile(90)),
               ms(timing.percentile(99)), fmt::format("{:.1f}", row.images_per_second),
               fmt::format("{:.1f}", row.gmacs_per_second), mb(row.workspace_bytes), mb(row.weights_bytes),
               mb(row.peak_rss_bytes), row.max_rel_error ? fmt::format("{:.1e}", *row.max_rel_error) : "-"});
    if (!row.layers.empty()) layers += layers_text(row);
  }
  const BenchRow& first = rows.front();
  return fmt::format("{}, {}, {}{}\n\n{}{}", first.model, first.precision, kernels::name(first.isa),
                     first.tuned ? ", tuned" : "", table.text(), layers);
}

Body declare_bench(CLI::App& command, const Globals& globals) { return bind(command, globals, run_bench); }

}  // namespace effnet::cli

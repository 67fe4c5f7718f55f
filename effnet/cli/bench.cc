// effnet bench MODEL: how fast a network runs here, as a whole and step by step.
#include <algorithm>
#include <chrono>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/backend.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/cli/measure.h"
#include "effnet/cli/tune.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

struct Options {
  std::string model, precision = "fp32", resolution, isa, without;
  std::vector<int> batch{1};
  double seconds = 2;
  bool layers = false, check = false, tune = false;
  LoadOptions load;
};

// One combination of the flags that take lists.
struct Case {
  Size size;
  std::int64_t batch = 1;
  int threads = 1;
};

struct Measured {
  Case what;
  Json document;
  std::vector<float> logits;
};

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Every step at its fastest of several profiled runs, and how much of the core's peak it reached.
Json profile(engine::Session& session, std::span<const float> input, double seconds, double peak_gflops) {
  constexpr int kRuns = 5;
  std::vector<engine::StepInfo> best;
  const auto start = std::chrono::steady_clock::now();
  for (int run = 0; run < kRuns || ms_since(start) < 1000 * seconds; ++run) {
    check_interrupt();
    const std::vector<engine::StepInfo> steps = session.profile(input);
    if (best.empty()) best = steps;
    for (std::size_t i = 0; i < steps.size(); ++i) best[i].ms = std::min(best[i].ms, steps[i].ms);
  }
  Json layers = Json::array();
  for (const engine::StepInfo& step : best) {
    const double seconds_taken = std::max(step.ms, 1e-6) * 1e-3;
    const double gflops = 2e-9 * static_cast<double>(step.macs) / seconds_taken;
    layers.push_back({{"name", step.name},
                      {"kernel", step.kernel},
                      {"ms", step.ms},
                      {"macs", step.macs},
                      {"gflops", gflops},
                      {"peak_share", gflops / peak_gflops},
                      {"gbytes_per_second", 1e-9 * static_cast<double>(step.bytes) / seconds_taken}});
  }
  return layers;
}

Measured run_case(const Options& o, const Case& one, LoadedModel& model,
                  const std::shared_ptr<const engine::PackedWeights>& weights) {
  ThreadPool pool(one.threads);
  const graph::Graph graph = graph::lower(model.arch(), {.resolution = one.size});
  engine::SessionOptions options{.batch = one.batch, .threads = one.threads};
  options.plan = plan_without(o.without);
  if (o.tune)
    options.plan = tuned_plan(graph, arch::print(model.arch()), weights, options, o.seconds, pool, model.out());
  const auto start = std::chrono::steady_clock::now();
  engine::Session session(graph, weights, options);
  const double plan_ms = ms_since(start);

  Measured measured{one, {}, std::vector<float>(static_cast<std::size_t>(one.batch * session.classes()))};
  const std::vector<float> input = photo_like(graph.input(), one.batch, pool);
  const Timing timing = measure([&] { session.run(input, measured.logits); }, o.seconds);

  const double images_per_second = 1000 * static_cast<double>(one.batch) / timing.median();
  measured.document = {{"model", model.arch().name},
                       {"weights", model.weights_from()},
                       {"resolution", to_json(one.size)},
                       {"precision", o.precision},
                       {"threads", one.threads},
                       {"batch", one.batch},
                       {"isa", kernels::name(session.isa())},
                       {"runs", timing.ms.size()},
                       {"latency_ms",
                        {{"min", timing.min()},
                         {"median", timing.median()},
                         {"mean", timing.mean_ms},
                         {"p90", timing.percentile(90)},
                         {"p99", timing.percentile(99)}}},
                       {"images_per_second", images_per_second},
                       {"gmacs_per_second", 1e-9 * static_cast<double>(graph::costs(graph).macs) * images_per_second},
                       {"workspace_bytes", session.workspace_bytes()},
                       {"weights_bytes", session.weights_bytes()},
                       {"peak_rss_bytes", peak_rss_bytes()},
                       {"plan_ms", plan_ms},
                       {"tuned", o.tune}};
  if (o.tune) measured.document["plan"] = to_json(options.plan);
  if (o.layers) {
    const double peak = core_peak_gflops() * one.threads;
    measured.document["peak_gflops"] = peak;
    measured.document["layers"] = profile(session, input, o.seconds / 2, peak);
  }
  return measured;
}

// The timed session's last logits against the reference executor's, largest difference over largest value.
void check(Measured& measured, LoadedModel& model, ThreadPool& pool) {
  const graph::Graph graph = graph::lower(model.arch(), {.resolution = measured.what.size});
  const engine::Parameters parameters(model.whole().weights);
  const std::vector<float> input = photo_like(graph.input(), measured.what.batch, pool);
  const std::vector<float> expected =
      engine::Reference(graph, parameters, pool, {.double_accumulation = true}).run(input, measured.what.batch);
  measured.document["max_rel_error"] = difference(measured.logits, expected).max_rel;
}

std::string layers_text(const Json& document) {
  report::Table table({{"step", report::Align::left},
                       {"kernel", report::Align::left},
                       {"ms"},
                       {"MACs"},
                       {"GFLOP/s"},
                       {"of peak"},
                       {"GB/s"}});
  double total = 0;
  for (const Json& layer : document["layers"]) {
    total += layer["ms"].get<double>();
    table.row({layer["name"].get<std::string>(), layer["kernel"].get<std::string>(),
               fmt::format("{:.4f}", layer["ms"].get<double>()), grouped(layer["macs"].get<std::int64_t>()),
               fmt::format("{:.1f}", layer["gflops"].get<double>()),
               fmt::format("{:.0f} %", 100 * layer["peak_share"].get<double>()),
               fmt::format("{:.1f}", layer["gbytes_per_second"].get<double>())});
  }
  return fmt::format("\n{}{:.3f} ms in all steps; peak {:.1f} GFLOP/s, measured\n", table.text(), total,
                     document["peak_gflops"].get<double>());
}

std::string text_of(const std::vector<Measured>& rows) {
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
  const auto ms = [](const Json& value) { return fmt::format("{:.3f}", value.get<double>()); };
  const auto mb = [](const Json& value) { return fmt::format("{:.1f}", 1e-6 * value.get<double>()); };
  std::string layers;
  for (const Measured& row : rows) {
    const Json& d = row.document;
    const Json& latency = d["latency_ms"];
    table.row({to_string(row.what.size), std::to_string(row.what.batch), std::to_string(row.what.threads),
               ms(latency["min"]), ms(latency["median"]), ms(latency["mean"]), ms(latency["p90"]), ms(latency["p99"]),
               fmt::format("{:.1f}", d["images_per_second"].get<double>()),
               fmt::format("{:.1f}", d["gmacs_per_second"].get<double>()), mb(d["workspace_bytes"]),
               mb(d["weights_bytes"]), mb(d["peak_rss_bytes"]),
               d.contains("max_rel_error") ? fmt::format("{:.1e}", d["max_rel_error"].get<double>()) : "-"});
    if (d.contains("layers")) layers += layers_text(d);
  }
  const Json& first = rows.front().document;
  return fmt::format("{}, {}, {}{}\n\n{}{}", first["model"].get<std::string>(), first["precision"].get<std::string>(),
                     first["isa"].get<std::string>(), first["tuned"].get<bool>() ? ", tuned" : "", table.text(),
                     layers);
}

std::vector<Case> cases(const Options& o, const arch::ArchSpec& arch, const std::vector<int>& threads) {
  std::vector<Size> sizes;
  if (o.resolution.empty()) {
    sizes.push_back({arch.resolution, arch.resolution});
  } else {
    for (const std::string& part : split_list(o.resolution)) sizes.push_back(parse_resolution(part));
  }
  std::vector<Case> all;
  for (const Size size : sizes) {
    for (const int batch : o.batch) {
      for (const int count : threads) all.push_back({size, batch, count});
    }
  }
  return all;
}

}  // namespace

Body declare_bench(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  add_numbers(command, "--batch", o->batch, 4096, "Pictures a run, or a list: 1,8 [1]");
  command.add_option("--precision", o->precision, "fp32 (bf16 and int8 are not built yet)");
  command.add_option("--resolution", o->resolution, "Input size instead of the model's, or a list: 224,197x311")
      ->type_name("R");
  command.add_option("--seconds", o->seconds, "Time to spend on a case")->type_name("S");
  command.add_flag("--layers", o->layers, "Every step too: ms, GFLOP/s, share of the core's measured peak, GB/s");
  command.add_option("--isa", o->isa, "Instruction set [the best of this CPU, or EFFNET_ISA]")->type_name("NAME");
  command.add_flag("--check", o->check, "Compare the logits with the reference executor's");
  command.add_flag("--tune", o->tune, "Measure other plans and take the fastest; the choice is kept");
  command
      .add_option("--without", o->without,
                  "Switches of the plan to turn off, to see what each brings: fuse_epilogues, fuse_depthwise, ...")
      ->type_name("A,B");
  o->load.declare(command);
  return [o, &globals](Output& out) {
    check_precision(o->precision);
    check_seconds(o->seconds);
    plan_without(o->without);
    const kernels::Isa isa = kernels::isa_of(o->isa);
    const std::vector<int> threads = thread_counts(globals);
    ThreadPool pool(*std::max_element(threads.begin(), threads.end()));
    LoadedModel model(o->model, o->load, pool, out);
    const std::vector<Case> all = cases(*o, model.arch(), threads);
    const auto weights = packed_weights(model, isa, pool)->in_huge_pages();

    std::vector<Measured> rows;
    Progress progress(out, "bench", static_cast<std::int64_t>(all.size()));
    for (const Case& one : all) {
      rows.push_back(run_case(*o, one, model, weights));
      progress.update(static_cast<std::int64_t>(rows.size()));
    }
    // After all timing, so that the executor's memory does not count.
    if (o->check) {
      for (Measured& row : rows) check(row, model, pool);
    }
    if (!globals.json) {
      out.print(text_of(rows));
      return 0;
    }
    Json documents = Json::array();
    for (Measured& row : rows) documents.push_back(std::move(row.document));
    out.print_json(documents.size() == 1 ? documents[0] : documents);
    return 0;
  };
}

}  // namespace effnet::cli

#include "effnet/cli/scale.h"

#include <cmath>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/cli/scale_family.h"
#include "effnet/graph/lower.h"
#include "effnet/kernels/isa.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

arch::Dimensions parse_dims(const std::string& text) {
  arch::Dimensions dims{false, false, false};
  for (const char letter : text) {
    if (letter == 'd') {
      dims.depth = true;
    } else if (letter == 'w') {
      dims.width = true;
    } else if (letter == 'r') {
      dims.resolution = true;
    } else {
      throw usage_error("--dims: unknown dimension (got {}, expected one or more of the letters d, w, r)",
                        in_quotes(text));
    }
  }
  if (text.empty())
    throw usage_error("--dims: no dimension (got nothing, expected one or more of the letters d, w, r)");
  return dims;
}

struct Target {
  std::string_view flag;
  const std::string& text;
  arch::Cost cost;
};

// A scaling; `timing` is set only for a latency target.
struct Scaled {
  arch::Scaling scaling;
  std::optional<Timing> timing;
};

constexpr double kMinuteMs = 60'000;

Scaled scale(const ScaleOptions& options, const arch::ArchSpec& base, int threads, Output& out) {
  const arch::Dimensions dims = parse_dims(options.dims);
  const Target targets[] = {
      {"--target-macs", options.target_macs,
       [](const arch::ArchSpec& spec) { return static_cast<double>(graph::costs(graph::lower(spec)).macs); }},
      {"--target-params", options.target_params,
       [](const arch::ArchSpec& spec) { return static_cast<double>(graph::costs(graph::lower(spec)).params); }},
      {"--target-memory", options.target_memory, [](const arch::ArchSpec& spec) {
         return static_cast<double>(graph::activation_memory(graph::lower(spec)).peak_bytes);
       }}};

  std::vector<std::string_view> ways;
  if (options.phi) ways.push_back("--phi");
  if (options.depth || options.width || !options.resolution.empty()) ways.push_back("--depth/--width/--resolution");
  for (const Target& target : targets) {
    if (!target.text.empty()) ways.push_back(target.flag);
  }
  if (!options.target_latency.empty()) ways.push_back("--target-latency-ms");
  if (ways.size() != 1) {
    throw usage_error(
        "choose one way of scaling (got {}, expected --phi, or --depth/--width/--resolution, or one --target option)",
        ways.empty() ? "none" : fmt::format("{}", fmt::join(ways, " and ")));
  }
  if (options.phi) {
    if (!(std::abs(*options.phi) <= 60))
      throw usage_error("--phi: out of range (got {}, expected -60 to 60)", *options.phi);
    return {arch::compound(base, *options.phi, options.coefficients, dims), {}};
  }
  if (!options.target_latency.empty()) {
    const double target = parse_milliseconds("--target-latency-ms", options.target_latency, kMinuteMs);
    model::TimedScaling timed = model::scale_to_latency(base, target, options.coefficients, dims, threads,
                                                        [&out](std::string_view text) { out.note(text); });
    return {std::move(timed.scaling), std::move(timed.timing)};
  }
  for (const Target& target : targets) {
    if (!target.text.empty())
      return {arch::solve(base, parse_amount(target.text, target.flag), options.coefficients, dims, target.cost), {}};
  }
  arch::Scaling by_hand;
  by_hand.depth = options.depth.value_or(1);
  by_hand.width = options.width.value_or(1);
  by_hand.resolution = base.resolution;
  if (!options.resolution.empty()) {
    const Size size = parse_resolution(options.resolution);
    if (size.h != size.w)
      throw usage_error("--resolution: a scaled network is square (got {}, expected one number)", to_string(size));
    by_hand.resolution = size.h;
  }
  by_hand.spec = arch::scaled(base, by_hand.depth, by_hand.width, by_hand.resolution);
  return {std::move(by_hand), {}};
}

double ratio(std::int64_t after, std::int64_t before) {
  return static_cast<double>(after) / static_cast<double>(before);
}

}  // namespace

void check_coefficients(const arch::Coefficients& c) {
  const std::pair<const char*, double> rows[] = {{"--alpha", c.alpha}, {"--beta", c.beta}, {"--gamma", c.gamma}};
  for (const auto& [name, value] : rows) {
    if (!(value >= 1 && value <= 10))
      throw usage_error("{}: out of range (got {}, expected 1 to 10; the paper requires at least 1)", name, value);
  }
}

void declare_options(CLI::App& command, ScaleOptions& options) {
  command.add_option("BASE", options.base, kModelHelp)->required();
  command
      .add_option("--phi", options.phi,
                  "Scale by this compound coefficient: d = alpha^phi, w = beta^phi, r = gamma^phi")
      ->type_name("F");
  command.add_option("--depth", options.depth, "Multiply the depth (blocks per stage) by D [1]")->type_name("D");
  command.add_option("--width", options.width, "Multiply the width (channels) by W [1]")->type_name("W");
  command.add_option("--resolution", options.resolution, "Use this input size in pixels [the resolution of BASE]")
      ->type_name("R");
  command
      .add_option("--target-macs", options.target_macs,
                  "Find the largest compound scaling with at most X MACs: 390M, 1.8G")
      ->type_name("X");
  command
      .add_option("--target-params", options.target_params,
                  "Find the largest compound scaling with at most X parameters: 10M")
      ->type_name("X");
  command
      .add_option("--target-memory", options.target_memory,
                  "Find the largest compound scaling with at most X bytes of live activations: 20MB, 64MiB")
      ->type_name("X");
  command
      .add_option(
          "--target-latency-ms", options.target_latency,
          "Find the largest compound scaling with at most X ms latency, measured on this machine with --threads")
      ->type_name("X");
  command.add_option("--alpha", options.coefficients.alpha, "Set the base of the depth multiplier");
  command.add_option("--beta", options.coefficients.beta, "Set the base of the width multiplier");
  command.add_option("--gamma", options.coefficients.gamma, "Set the base of the resolution multiplier");
  command.add_option("--dims", options.dims,
                     "Scale only these dimensions: one or more of d (depth), w (width), r (resolution)");
  command.add_option("-o,--out", options.out, "Write the scaled network as an arch file; - means stdout")
      ->type_name("OUT.toml");
  command.add_flag("--family", options.family, "Show the published scalings of BASE beside the formula's values");
}

ScaleResult run_scale(const ScaleOptions& options, const Globals& globals, Output& out) {
  check_coefficients(options.coefficients);
  const arch::ArchSpec base = formats::describe(formats::find_model(options.base, formats::Pulled::ignore)).arch;
  const int threads = thread_count(globals);
  auto [scaling, timing] = scale(options, base, threads, out);
  ScaleResult result{.base = base.name,
                     .scaling = std::move(scaling),
                     .coefficients = options.coefficients,
                     .timing = std::move(timing),
                     .threads = threads,
                     .out = options.out};
  result.graph = graph::lower(result.scaling.spec);
  result.costs = graph::costs(result.graph);
  result.base_costs = graph::costs(graph::lower(base));
  result.arch = arch::print(result.scaling.spec);
  if (!is_stdout("-o", options.out, globals) && !options.out.empty()) write_text(options.out, result.arch);
  return result;
}

Json to_json(const ScaleResult& result) {
  const arch::Scaling& scaling = result.scaling;
  const graph::Costs& costs = result.costs;
  Json document{{"base", result.base},
                {"phi", scaling.phi ? Json(*scaling.phi) : Json()},
                {"depth", scaling.depth},
                {"width", scaling.width},
                {"resolution", scaling.resolution},
                {"params", costs.params},
                {"macs", costs.macs},
                {"activations", {{"peak_bytes", graph::activation_memory(result.graph).peak_bytes}}},
                {"constraint", result.coefficients.constraint()},
                {"ratio",
                 {{"params", ratio(costs.params, result.base_costs.params)},
                  {"macs", ratio(costs.macs, result.base_costs.macs)}}},
                {"stages", stages_json(result.graph)},
                {"arch", result.arch}};
  if (result.timing) {
    document["latency_ms"] = result.timing->median();
    document["measured"] = {{"threads", result.threads},
                            {"batch", 1},
                            {"isa", kernels::name(kernels::chosen_isa())},
                            {"runs", result.timing->ms.size()},
                            {"min_ms", result.timing->min()}};
  }
  return document;
}

std::string to_text(const ScaleResult& result) {
  if (result.out == "-") return result.arch;
  const arch::Scaling& scaling = result.scaling;
  const arch::Coefficients& c = result.coefficients;
  std::string text =
      fmt::format("{} scaled by depth {:.4g}, width {:.4g} to {} px{}\n", result.base, scaling.depth, scaling.width,
                  scaling.resolution, scaling.phi ? fmt::format("  (phi = {:.4g})", *scaling.phi) : "");
  text += fmt::format(
      "alpha {} beta {} gamma {}: alpha*beta^2*gamma^2 = {:.4f}, so cost grows by a factor of {:.4f} per unit of "
      "phi\n\n",
      c.alpha, c.beta, c.gamma, c.constraint(), c.constraint());
  text += fmt::format("parameters {}  ({:.2f}x)\nMACs       {}  ({:.2f}x)\n\n", grouped(result.costs.params),
                      ratio(result.costs.params, result.base_costs.params), grouped(result.costs.macs),
                      ratio(result.costs.macs, result.base_costs.macs));
  if (result.timing) {
    text += fmt::format("latency    {:.3f} ms, median of {} runs on {} thread(s)\n\n", result.timing->median(),
                        result.timing->ms.size(), result.threads);
  }
  text += stages_table(result.graph);
  if (!result.out.empty()) text += fmt::format("\nwritten to {}; try: effnet inspect {}\n", result.out, result.out);
  return text;
}

Body declare_scale(CLI::App& command, const Globals& globals) {
  auto options = std::make_shared<ScaleOptions>();
  declare_options(command, *options);
  return [options, &globals](Output& out) {
    if (options->family) {
      show(run_family(*options), globals, out);
    } else {
      show(run_scale(*options, globals, out), globals, out);
    }
    return 0;
  };
}

}  // namespace effnet::cli

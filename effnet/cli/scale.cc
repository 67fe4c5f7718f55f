// effnet scale BASE: compound scaling by phi, by hand, or to a target; and the published family beside the formula.
#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

struct Options {
  std::string base;
  std::optional<double> phi, depth, width;
  std::string resolution;
  std::string target_macs, target_params, target_memory, target_latency;
  arch::Coefficients coefficients;
  std::string dims = "dwr";
  std::string out;
  bool family = false;
};

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
      throw usage_error("--dims: unknown dimension (got {}, expected letters of dwr)", in_quotes(text));
    }
  }
  if (text.empty()) throw usage_error("--dims: no dimension (got nothing, expected letters of dwr)");
  return dims;
}

void check_coefficients(const arch::Coefficients& c) {
  const std::pair<const char*, double> rows[] = {{"--alpha", c.alpha}, {"--beta", c.beta}, {"--gamma", c.gamma}};
  for (const auto& [name, value] : rows) {
    if (!(value >= 1 && value <= 10))
      throw usage_error("{}: out of range (got {}, expected 1 to 10: the paper's constraint)", name, value);
  }
}

struct Target {
  std::string_view flag;
  const std::string& text;
  arch::Cost cost;
};

// A scaling, and the timing that chose it where a latency was the target.
struct Scaled {
  arch::Scaling scaling;
  std::optional<model::Timing> timing;
};

double parse_latency(const std::string& text) {
  constexpr double kMinute = 60'000;
  char* end = nullptr;
  const double ms = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(ms > 0 && ms <= kMinute))
    throw usage_error("--target-latency-ms: wrong value (got {}, expected milliseconds above 0, at most {})",
                      in_quotes(text), kMinute);
  return ms;
}

Scaled scale(const Options& options, const arch::ArchSpec& base, int threads) {
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
        "say how to scale in one way (got {}, expected --phi, or --depth/--width/--resolution, or one --target)",
        ways.empty() ? "none" : fmt::format("{}", fmt::join(ways, " and ")));
  }
  if (options.phi) {
    if (!(std::abs(*options.phi) <= 60))
      throw usage_error("--phi: out of range (got {}, expected -60 to 60)", *options.phi);
    return {arch::compound(base, *options.phi, options.coefficients, dims), {}};
  }
  if (!options.target_latency.empty()) {
    model::TimedScaling timed =
        model::scale_to_latency(base, parse_latency(options.target_latency), options.coefficients, dims, threads, note);
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

std::string channels_text(const graph::Graph& graph) {
  std::string text;
  for (const graph::Stage& stage : graph.stages)
    text += fmt::format("{}{}x{}", text.empty() ? "" : " ", stage.channels, stage.repeats);
  return text;
}

struct Formula {
  double phi, depth, width, resolution;
};

// The formula at the phi that spends the published coefficients' budget: d*w^2*r^2 = (alpha*beta^2*gamma^2)^phi.
Formula formula_for(const arch::Variant& variant, double base_resolution, const arch::Coefficients& c) {
  const double ratio = static_cast<double>(variant.resolution) / base_resolution;
  const double phi = std::log(variant.depth * variant.width * variant.width * ratio * ratio) / std::log(c.constraint());
  return {phi, std::pow(c.alpha, phi), std::pow(c.beta, phi), std::pow(c.gamma, phi) * base_resolution};
}

// Every published scaling of one base, beside what the formula says for the same budget.
int print_family(const Options& options, const Globals& globals) {
  const arch::Variant& base = arch::variant(options.base);
  Json rows = Json::array();
  report::Table table({{"name", report::Align::left},
                       {"d"},
                       {"w"},
                       {"px"},
                       {"phi"},
                       {"d=a^phi"},
                       {"w=b^phi"},
                       {"px=g^phi"},
                       {"parameters"},
                       {"paper"},
                       {"MACs"},
                       {"paper"},
                       {"channels x repeats", report::Align::left}});
  for (const arch::Variant& variant : arch::family()) {
    if (variant.base != base.base) continue;
    const Formula formula = formula_for(variant, static_cast<double>(base.resolution), options.coefficients);
    const graph::Graph graph = graph::lower(variant.spec);
    const graph::Costs costs = graph::costs(graph);
    rows.push_back({{"name", variant.name},
                    {"depth", variant.depth},
                    {"width", variant.width},
                    {"resolution", variant.resolution},
                    {"formula",
                     {{"phi", formula.phi},
                      {"depth", formula.depth},
                      {"width", formula.width},
                      {"resolution", formula.resolution}}},
                    {"params", costs.params},
                    {"macs", costs.macs},
                    {"paper", {{"params", variant.published.params}, {"macs", variant.published.macs}}},
                    {"stages", stages_json(graph)}});
    table.row({variant.name, fmt::format("{:.1f}", variant.depth), fmt::format("{:.1f}", variant.width),
               std::to_string(variant.resolution), fmt::format("{:.2f}", formula.phi),
               fmt::format("{:.2f}", formula.depth), fmt::format("{:.2f}", formula.width),
               fmt::format("{:.0f}", formula.resolution), grouped(costs.params), variant.published.params,
               grouped(costs.macs), variant.published.macs, channels_text(graph)});
  }
  if (globals.json) {
    print_json(rows);
    return 0;
  }
  print(fmt::format("Published coefficients (d, w, px), and the formula at the phi that spends the same budget\n"
                    "(alpha {}, beta {}, gamma {}: alpha*beta^2*gamma^2 = {:.4f})\n\n",
                    options.coefficients.alpha, options.coefficients.beta, options.coefficients.gamma,
                    options.coefficients.constraint()) +
        table.text());
  return 0;
}

}  // namespace

Body declare_scale(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("BASE", o->base, kModelHelp)->required();
  command.add_option("--phi", o->phi, "Compound coefficient: d = alpha^phi, w = beta^phi, r = gamma^phi")
      ->type_name("F");
  command.add_option("--depth", o->depth, "Depth multiplier")->type_name("D");
  command.add_option("--width", o->width, "Width multiplier")->type_name("W");
  command.add_option("--resolution", o->resolution, "Input side in pixels")->type_name("R");
  command.add_option("--target-macs", o->target_macs, "The largest compound scaling within these MACs: 390M, 1.8G")
      ->type_name("X");
  command.add_option("--target-params", o->target_params, "... within these parameters")->type_name("X");
  command.add_option("--target-memory", o->target_memory, "... within these bytes of live activations: 20MB, 64MiB")
      ->type_name("X");
  command
      .add_option("--target-latency-ms", o->target_latency, "... within this latency, measured here on --threads cores")
      ->type_name("X");
  command.add_option("--alpha", o->coefficients.alpha, "Depth base");
  command.add_option("--beta", o->coefficients.beta, "Width base");
  command.add_option("--gamma", o->coefficients.gamma, "Resolution base");
  command.add_option("--dims", o->dims, "Dimensions that phi moves: letters of dwr");
  command.add_option("-o,--out", o->out, "Write the scaled network as an arch file; - is stdout")
      ->type_name("OUT.toml");
  command.add_flag("--family", o->family, "The published scalings of BASE beside the formula's");
  return [o, &globals] {
    check_coefficients(o->coefficients);
    if (o->family) return print_family(*o, globals);
    const arch::ArchSpec base = formats::describe(formats::find_model(o->base, formats::Pulled::ignore)).arch;
    const int threads = thread_count(globals);
    const auto [scaling, timing] = scale(*o, base, threads);
    const graph::Graph graph = graph::lower(scaling.spec);
    const graph::Costs costs = graph::costs(graph);
    const graph::Costs before = graph::costs(graph::lower(base));
    const std::string text = arch::print(scaling.spec);
    if (is_stdout("-o", o->out, globals)) {
      print(text);
      return 0;
    }
    if (!o->out.empty()) write_text(o->out, text);

    const double params_ratio = static_cast<double>(costs.params) / static_cast<double>(before.params);
    const double macs_ratio = static_cast<double>(costs.macs) / static_cast<double>(before.macs);
    if (globals.json) {
      Json document{{"base", base.name},
                    {"phi", scaling.phi ? Json(*scaling.phi) : Json()},
                    {"depth", scaling.depth},
                    {"width", scaling.width},
                    {"resolution", scaling.resolution},
                    {"params", costs.params},
                    {"macs", costs.macs},
                    {"activations", {{"peak_bytes", graph::activation_memory(graph).peak_bytes}}},
                    {"constraint", o->coefficients.constraint()},
                    {"ratio", {{"params", params_ratio}, {"macs", macs_ratio}}},
                    {"stages", stages_json(graph)},
                    {"arch", text}};
      if (timing) {
        document["latency_ms"] = timing->median();
        document["measured"] = {{"threads", threads},
                                {"batch", 1},
                                {"isa", kernels::name(kernels::chosen_isa())},
                                {"runs", timing->ms.size()},
                                {"min_ms", timing->min()}};
      }
      print_json(document);
      return 0;
    }
    std::string out =
        fmt::format("{} scaled by depth {:.4g}, width {:.4g} to {} px{}\n", base.name, scaling.depth, scaling.width,
                    scaling.resolution, scaling.phi ? fmt::format("  (phi = {:.4g})", *scaling.phi) : "");
    out += fmt::format(
        "alpha {} beta {} gamma {}: alpha*beta^2*gamma^2 = {:.4f}, so cost grows by {:.4f} a step of phi\n\n",
        o->coefficients.alpha, o->coefficients.beta, o->coefficients.gamma, o->coefficients.constraint(),
        o->coefficients.constraint());
    out += fmt::format("parameters {}  ({:.2f}x)\nMACs       {}  ({:.2f}x)\n\n", grouped(costs.params), params_ratio,
                       grouped(costs.macs), macs_ratio);
    if (timing) {
      out += fmt::format("latency    {:.3f} ms, median of {} runs on {} thread(s)\n\n", timing->median(),
                         timing->ms.size(), threads);
    }
    out += stages_table(graph);
    if (!o->out.empty()) out += fmt::format("\nwritten to {}; try: effnet inspect {}\n", o->out, o->out);
    print(out);
    return 0;
  };
}

}  // namespace effnet::cli

#include "effnet/cli/scale.h"

#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/program.h"
#include "effnet/cli/scale_compare.h"
#include "effnet/cli/scale_family.h"
#include "effnet/cli/scale_frontier.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

constexpr double kSecondsAgain = 0.5;  // of the measurement after the search for a latency

// A scaling; the latencies are set only for a latency target.
struct Scaled {
  arch::Scaling scaling;
  std::optional<Timing> timing = {};
  std::optional<double> again_ms = {};
  std::string_view target_cost = {};  // empty: scaled without a target
  double target = 0;
};

// `cost`: index in graph::counted_costs().
const std::string& target_text(const ScaleOptions& options, std::size_t cost) {
  const std::string* const texts[] = {&options.target_macs, &options.target_params, &options.target_memory};
  EFFNET_CHECK(cost < std::size(texts));
  return *texts[cost];
}

arch::Scaling scale_by_hand(const ScaleOptions& options, const arch::ArchSpec& base) {
  const RuleOptions defaults;
  std::vector<std::string_view> of_rules;
  if (options.rule.rule != defaults.rule) of_rules.emplace_back("--rule");
  if (options.rule.coefficients != defaults.coefficients) of_rules.emplace_back("--alpha/--beta/--gamma");
  if (options.rule.dims != defaults.dims) of_rules.emplace_back("--dims");
  if (!of_rules.empty()) {
    throw usage_error(
        "{}: only for a rule, but the multipliers are given (got --depth/--width/--resolution too, expected one of "
        "both)",
        fmt::join(of_rules, " and "));
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
  return by_hand;
}

Scaled scale(const ScaleOptions& options, const arch::ArchSpec& base, const arch::RuleChoice& rule, int threads,
             Output& out) {
  const std::vector<std::string> ways = given_ways(options);
  if (ways.size() != 1) {
    throw usage_error(
        "choose one way of scaling (got {}, expected --phi, or --factor, or --depth/--width/--resolution, "
        "or one --target option)",
        ways.empty() ? "none" : fmt::format("{}", fmt::join(ways, " and ")));
  }
  if (options.phi) {
    check_phi(*options.phi);
    return {.scaling = arch::scaled_by(base, *options.phi, rule)};
  }
  if (options.factor) {
    check_factor(*options.factor);
    const graph::CountedCost& macs = graph::counted_costs().front();
    const double target = *options.factor * macs.count(base);
    return {.scaling = graph::scale_to_cost(base, target, rule, macs), .target_cost = macs.name, .target = target};
  }
  if (!options.target_latency.empty()) {
    const double target = parse_cost(target_flag(graph::kLatencyCost), options.target_latency, graph::kLatencyCost);
    model::TimedScaling timed =
        model::scale_to_latency(base, target, rule, threads, [&out](std::string_view text) { out.note(text); });
    const double again_ms = model::time_network(timed.scaling.spec, threads, kSecondsAgain).median();
    const std::string warning = latency_warning(target, timed.timing.median(), again_ms);
    if (!warning.empty()) out.warn(warning);
    return {.scaling = std::move(timed.scaling),
            .timing = std::move(timed.timing),
            .again_ms = again_ms,
            .target_cost = graph::kLatencyCost,
            .target = target};
  }
  for (std::size_t i = 0; i < graph::counted_costs().size(); ++i) {
    const graph::CountedCost& cost = graph::counted_costs()[i];
    const std::string& text = target_text(options, i);
    if (text.empty()) continue;
    const double target = parse_cost(target_flag(cost.name), text, cost.name);
    return {.scaling = graph::scale_to_cost(base, target, rule, cost), .target_cost = cost.name, .target = target};
  }
  return {.scaling = scale_by_hand(options, base)};
}

// The options that make the scaled network again. Empty if --depth, --width and --resolution with the printed numbers
// do. If they do not, a target may have moved the resolution away from the rule's, so that only the arch file has the
// network.
std::string options_again(const arch::ArchSpec& base, const arch::Scaling& scaling, const arch::RuleChoice& rule) {
  if (!scaling.phi || multipliers_suffice(base, scaling)) return {};  // without a phi they were typed
  if (scaling.spec != arch::scaled_by(base, *scaling.phi, rule).spec) return "-o OUT.toml";
  const arch::Coefficients& c = rule.coefficients;
  return fmt::format("--rule {} --phi {}", rule.rule->name, *scaling.phi) +
         (c == arch::Coefficients{} ? "" : fmt::format(" --alpha {} --beta {} --gamma {}", c.alpha, c.beta, c.gamma));
}

// `by_phi`: the network was scaled by a phi, not by separate factors.
std::string rule_text(const arch::RuleChoice& choice, bool by_phi) {
  const arch::Coefficients& c = choice.coefficients;
  std::string text;
  if (choice.rule->name != RuleOptions{}.rule)
    text += fmt::format("rule {}: {} ({})\n", choice.rule->name, choice.rule->formula, choice.rule->source);
  if (choice.rule->has_coefficients && by_phi) {
    const arch::Dimensions& scales = choice.dimensions;
    const double growth = (scales.depth ? c.alpha : 1) * (scales.width ? c.beta * c.beta : 1) *
                          (scales.resolution ? c.gamma * c.gamma : 1);
    text += fmt::format(
        "alpha {} beta {} gamma {}: alpha*beta^2*gamma^2 = {:.4f}; before rounding, the MACs grow {:.4f} times per "
        "unit of phi\n",
        c.alpha, c.beta, c.gamma, c.constraint(), growth);
  }
  return text + "\n";
}

// Options of `scale` that stand beside a sub-command would have no effect.
void check_no_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    throw usage_error("{}: not an option of this sub-command (got {}, expected an option that --help lists)",
                      option->get_name(), option->get_name())
        .with_hint("effnet scale frontier --help shows what is expected");
  }
}

std::int64_t peak_bytes(const ScaleResult& result) { return graph::activation_memory(result.graph).peak_bytes; }

std::string dropout_text(const ScaleResult& result) {
  const arch::ArchSpec& spec = result.scaling.spec;
  if (result.dropout_is_published) {
    return fmt::format("dropout    {:g}, by the published rule of this family; drop path {:g} as in {}\n", spec.dropout,
                       spec.drop_path, result.base);
  }
  return fmt::format(
      "dropout    {:g} and drop path {:g} are those of {}; effnet train --set model.dropout=F --set model.drop_path=F "
      "changes them\n",
      spec.dropout, spec.drop_path, result.base);
}

double ratio(std::int64_t after, std::int64_t before) {
  return static_cast<double>(after) / static_cast<double>(before);
}

}  // namespace

std::vector<std::string> given_ways(const ScaleOptions& options) {
  std::vector<std::string> ways;
  if (options.phi) ways.emplace_back("--phi");
  if (options.factor) ways.emplace_back("--factor");
  if (options.depth || options.width || !options.resolution.empty()) ways.emplace_back("--depth/--width/--resolution");
  for (std::size_t i = 0; i < graph::counted_costs().size(); ++i) {
    if (!target_text(options, i).empty()) ways.push_back(target_flag(graph::counted_costs()[i].name));
  }
  if (!options.target_latency.empty()) ways.push_back(target_flag(graph::kLatencyCost));
  return ways;
}

void check_phi(double phi) {
  if (!(std::abs(phi) <= 60)) throw usage_error("--phi: out of range (got {}, expected -60 to 60)", phi);
}

void declare_options(CLI::App& command, ScaleOptions& options) {
  command.add_option("BASE", options.base, kModelHelp);  // required unless a sub-command is given
  command
      .add_option("--phi", options.phi,
                  "Scale by this compound coefficient: d = alpha^phi, w = beta^phi, r = gamma^phi; the rules without "
                  "alpha use s = 2^phi")
      ->type_name("F");
  command.add_option("--factor", options.factor, "Find a scaling with at most S times the MACs of BASE")
      ->type_name("S");
  command.add_option("--depth", options.depth, "Multiply the depth (blocks per stage) by D [1]")->type_name("D");
  command.add_option("--width", options.width, "Multiply the width (channels) by W [1]")->type_name("W");
  command.add_option("--resolution", options.resolution, "Use this input size in pixels [the resolution of BASE]")
      ->type_name("R");
  command.add_option("--target-macs", options.target_macs, "Find a scaling with at most X MACs: 390M, 1.8G")
      ->type_name("X");
  command.add_option("--target-params", options.target_params, "Find a scaling with at most X parameters: 10M")
      ->type_name("X");
  command
      .add_option("--target-memory", options.target_memory,
                  "Find a scaling with at most X bytes of live activations: 20MB, 64MiB")
      ->type_name("X");
  command
      .add_option("--target-latency-ms", options.target_latency,
                  "Find a scaling with at most X ms latency, measured on this machine with --threads")
      ->type_name("X");
  declare_options(command, options.rule);
  add_output(command, "-o,--out", options.out, "Write the scaled network as an arch file; - means stdout")
      ->type_name("OUT.toml");
  command.add_flag("--family", options.family, "Show the published scalings of BASE beside the formula's values");
  command.add_flag("--compare", options.compare,
                   "Show all rules side by side at the MACs of --factor [4], --phi (of the compound rule) or "
                   "--target-macs");
  command.add_flag("--no-latency", options.no_latency, "With --compare: measure no latency");
  command.footer(fmt::format(
      "{}\nA target is never exceeded. The result is within {:g} % of it unless the rounding of depth, width and "
      "resolution leaves no network there.\n",
      rules_text(), 100 * arch::kTargetTolerance));
}

ScaleResult run_scale(const ScaleOptions& options, const Globals& globals, Output& out) {
  if (options.no_latency) throw usage_error("--no-latency: only for --compare (got no --compare, expected it)");
  const arch::RuleChoice rule = parse_rule(options.rule);
  const bool to_stdout = is_stdout("-o", options.out, globals);
  check_arch_output("-o", options.out);
  check_not_input("-o", options.out, options.base);
  const arch::ArchSpec base = formats::describe(formats::find_model(options.base, formats::Pulled::ignore)).arch;
  const int threads = thread_count(globals);
  Scaled scaled = scale(options, base, rule, threads, out);
  ScaleResult result{.base = base.name,
                     .scaling = std::move(scaled.scaling),
                     .rule = rule,
                     .target_cost = std::string(scaled.target_cost),
                     .target = scaled.target,
                     .timing = std::move(scaled.timing),
                     .again_ms = scaled.again_ms,
                     .threads = threads,
                     .out = options.out};
  if (result.timing) {
    result.reached = result.timing->median();
  } else if (const graph::CountedCost* cost = graph::find_counted_cost(result.target_cost)) {
    result.reached = cost->count(result.scaling.spec);
  }
  result.again = options_again(base, result.scaling, rule);
  const arch::Variant* const named = arch::find_variant(options.base);
  if (named != nullptr && result.scaling.phi) {
    if (const std::optional<double> dropout = arch::published_dropout(*named, rule, *result.scaling.phi)) {
      result.scaling.spec.dropout = *dropout;
      result.dropout_is_published = true;
    }
  }
  result.graph = graph::lower(result.scaling.spec);
  result.costs = graph::costs(result.graph);
  result.base_costs = graph::costs(graph::lower(base));
  result.arch = arch::print(result.scaling.spec);
  if (!options.out.empty() && !to_stdout) write_text(options.out, result.arch);
  return result;
}

std::string latency_warning(double target_ms, double found_ms, double again_ms) {
  constexpr double kLow = 1 - arch::kTargetTolerance, kHigh = 1 + arch::kTargetTolerance;
  if (found_ms >= kLow * target_ms && again_ms >= kLow * target_ms && again_ms <= kHigh * target_ms) return {};
  const double difference = again_ms / found_ms - 1;
  const std::string why =
      std::abs(difference) > arch::kTargetTolerance
          ? fmt::format(
                "the second differs from the first by {:+.0f} %, so the machine is busy or its clock changes; "
                "repeat the command on an idle machine",
                100 * difference)
          : std::string("the rule has no nearer network, or the machine was busy during the search");
  return fmt::format(
      "the latency is not within {:g} % of the target (got {:.4g} ms and, measured again, {:.4g} ms, "
      "expected {:.4g} ms): {}",
      100 * arch::kTargetTolerance, found_ms, again_ms, target_ms, why);
}

Json to_json(const ScaleResult& result) {
  const arch::Scaling& scaling = result.scaling;
  const graph::Costs& costs = result.costs;
  Json document{{"base", result.base},
                {"phi", scaling.phi ? Json(*scaling.phi) : Json()},
                {"rule", scaling.phi ? Json(result.rule.rule->name) : Json()},
                {"depth", scaling.depth},
                {"width", scaling.width},
                {"resolution", scaling.resolution},
                {"params", costs.params},
                {"macs", costs.macs},
                {"activations", {{"peak_bytes", peak_bytes(result)}}},
                {"constraint", result.rule.base_of_s()},
                {"ratio",
                 {{"params", ratio(costs.params, result.base_costs.params)},
                  {"macs", ratio(costs.macs, result.base_costs.macs)}}},
                {"stages", stages_json(result.graph)},
                {"arch", result.arch}};
  if (scaling.late_depth != 1) document["late_depth"] = scaling.late_depth;
  if (result.timing) {
    document["latency_ms"] = result.timing->median();
    document["measured"] = measured_json(result.threads);
    document["measured"]["runs"] = result.timing->ms.size();
    document["measured"]["min_ms"] = result.timing->min();
    if (result.again_ms) document["measured"]["again_ms"] = *result.again_ms;
  }
  return document;
}

std::string to_text(const ScaleResult& result) {
  if (result.out == "-") return result.arch;
  const arch::Scaling& scaling = result.scaling;
  // The numbers have all their digits, so that they make the same network when they are typed.
  std::string text =
      fmt::format("{} scaled by depth {}, width {} to {} px{}\n", result.base, scaling.depth, scaling.width,
                  scaling.resolution, scaling.phi ? fmt::format("  (phi = {})", *scaling.phi) : "");
  if (scaling.late_depth != 1)
    text += fmt::format("depth of the later stages: {:.4g} times more\n", scaling.late_depth);
  if (!result.again.empty()) {
    text += fmt::format("the rule changes more than depth, width and resolution: {} {}\n", result.again,
                        result.again.starts_with("-o") ? "keeps this network" : "makes this network again");
  }
  text += rule_text(result.rule, scaling.phi.has_value());
  text += fmt::format("parameters {}  ({:.2f}x)\nMACs       {}  ({:.2f}x)\nmemory     {} bytes of activations\n",
                      grouped(result.costs.params), ratio(result.costs.params, result.base_costs.params),
                      grouped(result.costs.macs), ratio(result.costs.macs, result.base_costs.macs),
                      grouped(peak_bytes(result)));
  if (!result.target_cost.empty()) {
    text +=
        fmt::format("target     at most {}: {:.1f} % of it reached\n",
                    graph::exact_cost_text(result.target_cost, result.target), 100 * result.reached / result.target);
  }
  text += dropout_text(result) + "\n";
  if (result.timing) {
    text += fmt::format("latency    {:.3f} ms, median of {} on {}", result.timing->median(),
                        count_of(std::ssize(result.timing->ms), "run"), count_of(result.threads, "thread"));
    if (result.again_ms) text += fmt::format("; measured again {:.3f} ms", *result.again_ms);
    text += "\n\n";
  }
  text += stages_table(result.graph);
  if (!result.out.empty())
    text += fmt::format("\nwritten to {}; try: effnet inspect {}\n", result.out, path_in_shell(result.out));
  return text;
}

Body declare_scale(CLI::App& command, const Globals& globals) {
  auto options = std::make_shared<ScaleOptions>();
  auto frontier_options = std::make_shared<FrontierOptions>();
  declare_options(command, *options);
  CLI::App* frontier = command.add_subcommand("frontier",
                                              "Show what each budget of MACs, parameters, memory or "
                                              "latency buys, and draw it");
  declare_options(*frontier, *frontier_options);
  // effnet-train declares its options and runs it (scale_exec.cc).
  command.add_subcommand("search", "Find alpha, beta and gamma for BASE by training candidates (needs effnet-train)");
  return [=, &command, &globals](Output& out) {
    if (frontier->parsed()) {
      check_no_options(command);
      show(run_frontier(*frontier_options, globals, out), globals, out);
    } else if (options->base.empty()) {
      throw usage_error("BASE is missing (got no argument, expected a MODEL)")
          .with_hint("effnet scale --help shows what is expected");
    } else if (options->family) {
      show(run_family(*options), globals, out);
    } else if (options->compare) {
      show(run_compare_rules(*options, globals, out), globals, out);
    } else {
      show(run_scale(*options, globals, out), globals, out);
    }
    return 0;
  };
}

}  // namespace effnet::cli

// effnet scale search [BASE] --study FILE --data DIR: finds the coefficients of compound scaling for a base network.
#include <algorithm>
#include <array>
#include <optional>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/search_worker.h"
#include "effnet/cli/study_options.h"
#include "effnet/cli/worker_processes.h"
#include "effnet/cli_train/commands.h"
#include "effnet/cli_train/scale_search.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/lab/proxy.h"
#include "effnet/model/cost_by_name.h"
#include "effnet/report/table.h"
#include "effnet/train/run/data.h"
#include "effnet/train/step/device.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;
using search::ScaleSearch;
using search::Study;

constexpr double kLatencySeconds = 0.1;  // of measurement per candidate

// The settings of a study and the options that set them.
constexpr std::array kOptions{
    StudyOption{"/cost", "--cost"},
    StudyOption{"/factor", "--factor"},
    StudyOption{"/step", "--step"},
    StudyOption{"/tolerance", "--tolerance"},
    StudyOption{"/seeds", "--seeds",
                [](const nlohmann::json& settings) { return fmt::format("{}", settings.at("seeds").size()); }},
    StudyOption{"/epochs", "--epochs"},
    StudyOption{"/keep", "--keep"},
    StudyOption{"/recipe", "--data, --recipe or --set"},
};

std::vector<std::uint64_t> first_seeds(int count) {
  std::vector<std::uint64_t> seeds;
  seeds.reserve(static_cast<std::size_t>(count));
  for (int seed = 1; seed <= count; ++seed) seeds.push_back(static_cast<std::uint64_t>(seed));
  return seeds;
}

// The settings that are asked for: those of the study if there is one, changed by the options. Without candidates if
// there is none.
ScaleSearch settings_of(const ScaleSearchOptions& o, const std::optional<ScaleSearch>& stored) {
  const search::GridOptions grid;
  ScaleSearch search = stored ? *stored
                              : ScaleSearch{.base = {},
                                            .cost = "macs",
                                            .factor = grid.factor,
                                            .step = grid.step,
                                            .tolerance = grid.tolerance,
                                            .candidates = {},
                                            .seeds = first_seeds(2),
                                            .epochs = {2, 6},
                                            .keep = 1.0 / 3,
                                            .recipe = {}};
  if (!o.base.empty()) search.base = formats::describe(formats::find_model(o.base, formats::Pulled::ignore)).arch;
  if (!o.cost.empty()) search.cost = o.cost;
  if (o.factor) search.factor = *o.factor;
  if (o.step && search.step) search.step = *o.step;  // not in a study of an earlier version, which does not have it
  if (o.tolerance && search.tolerance) search.tolerance = *o.tolerance;
  if (o.seeds > 0) search.seeds = first_seeds(o.seeds);
  if (!o.epochs.empty()) search.epochs = parse_epochs("--epochs", o.epochs);
  if (o.keep) search.keep = *o.keep;
  search.recipe = train::print(
      recipe_of_study({.recipe = o.recipe, .usual = "scale_proxy", .stored = search.recipe, .data = o.data},
                      overrides_of(o.settings, fixed_in_scale_trials())));
  return search;
}

std::vector<search::ScaleCandidate> candidates_of(const ScaleSearch& search, int threads) {
  const arch::Cost cost = model::cost_by_name(search.cost, threads, kLatencySeconds);
  std::vector<search::ScaleCandidate> candidates;
  for (const search::GridPoint& point :
       search::scale_grid(search.base, cost, {*search.step, search.factor, *search.tolerance}))
    candidates.push_back({point.coefficients, point.factor});
  return candidates;
}

// Makes the study after all checks.
void make_study(const ScaleSearchOptions& o, int threads, Output& out) {
  if (o.base.empty()) {
    throw usage_error("BASE: missing (got no network, expected the one to scale, because there is no study {})",
                      search::name_of(o.study))
        .with_hint("effnet models lists the networks by name; only a study that exists knows its own base");
  }
  ScaleSearch asked = settings_of(o, {});
  const train::Recipe recipe = train::parse_recipe(asked.recipe, "the recipe");
  if (recipe.data.resolution > 0) {
    throw usage_error("{}: data.resolution: gamma scales the resolution of each candidate (got {}, expected 0)",
                      o.recipe, recipe.data.resolution)
        .with_hint("leave it out, and write the resolution for gamma = 1 into the arch file of BASE");
  }
  train::open_run_data(recipe, recipe.data.folder, {asked.base.resolution, asked.base.resolution});  // or throws
  asked.candidates = candidates_of(asked, threads);
  search::next_round(search::halving_of(asked), {});  // throws for settings that cannot be searched
  out.say(fmt::format("{} with {:g} times the {} of {}, within {:g} %",
                      count_of(std::ssize(asked.candidates), "candidate"), asked.factor, asked.cost, asked.base.name,
                      100 * *asked.tolerance));
  Study::create_if_missing(o.study, search::kScaleStudy, search::settings_text(asked));
}

// Makes the study if it does not exist, and returns its settings. Throws Error(usage) if it has other settings.
ScaleSearch open_study(const ScaleSearchOptions& o, int threads, Output& out) {
  if (!Study::exists(o.study)) make_study(o, threads, out);
  const Study study(o.study, search::kScaleStudy);
  ScaleSearch stored = search::parse_scale_search(study.settings(), study.name());
  const ScaleSearch asked = settings_of(o, stored);
  if (arch::print(asked.base) != arch::print(stored.base)) {
    const bool same_name = asked.base.name == stored.base.name;
    throw usage_error("{}: BASE: the study is for another network (got {}, expected {}{})", study.name(),
                      in_quotes(asked.base.name), in_quotes(stored.base.name),
                      same_name ? " as it was when the study was made" : "")
        .with_hint(fmt::format("effnet scale search --study {} continues it with its own base; another base needs "
                               "another study",
                               path_in_shell(study.name())));
  }
  check_same_options(study.name(), search::settings_text(asked), search::settings_text(stored), kOptions);
  return stored;
}

// One line for each trial that has ended, with the time that the rest takes.
void say_end(const ScaleSearch& search, Study& study, const search::Trial& trial, int workers, Output& out) {
  const std::string line = fmt::format(
      "trial {} ({}, seed {}, {}): {}", trial.id, trial.what.candidate, trial.what.seed,
      number_of(trial.what.budget, "epoch"),
      trial.state == search::TrialState::done ? fmt::format("{:.2f} %", trial.score) : "failed: " + trial.details);
  out.say(line + left_text(search::seconds_left(search, study.trials(), workers)));
}

void run_worker(const ScaleSearchOptions& o, const ScaleSearch& search, Study& study, int threads, Output& out) {
  const train::Recipe recipe = train::parse_recipe(search.recipe, "the study's recipe");
  check_still_there(study.name(), "the images", recipe.data.folder);
  lab::ProxyOptions proxy{
      .recipe = recipe, .folder = runs_folder(o.study, study.settings()), .device = o.device, .threads = threads};
  search::WorkerOptions options = worker_options(o.timeout_s);
  options.ended = [&](const search::Trial& trial) {
    lab::remove_proxy_files(trial, proxy.folder);
    say_end(search, study, trial, 1, out);
  };
  const InterruptNotice notice = stopping_notice(out.quiet());
  search::work(
      study, search::kScaleStudy, search::plan_of(search::halving_of(search)),
      [&](const search::Trial& trial) {
        return lab::train_proxy(trial, search::network_of(search, trial.what.candidate), proxy);
      },
      options);
  remove_empty_runs_folder(o.study, study.settings());
}

// Runs `o.workers` processes, each with one worker. They read all settings from the study. Returns the first error of a
// worker.
std::optional<Error> run_workers_of(const ScaleSearchOptions& o, const ScaleSearch& search, Study& study, int threads,
                                    Output& out) {
  EndedTrials ended(study);
  const WorkerCommand worker{.words = {"scale", "search", "--workers=1", fmt::format("--study={}", o.study),
                                       fmt::format("--timeout={}", o.timeout_s), fmt::format("--device={}", o.device)},
                             .operands = {}};
  const InterruptNotice notice = stopping_notice(out.quiet());
  return run_workers(worker, o.workers, threads, [&] {
    ended.update([&](const search::Trial& trial) { say_end(search, study, trial, o.workers, out); });
  });
}

// The name that stands for the base on the command line; empty if the base came from a file.
std::string name_of_base(const arch::ArchSpec& base) {
  const arch::Variant* const named = arch::find_variant(base.name);
  return named != nullptr && arch::print(named->spec) == arch::print(base) ? base.name : std::string();
}

constexpr int kLargestPhi = 7;  // of -o, as in the paper: B1 to B7

std::string family_name(const ScaleSearch& search, int phi) { return fmt::format("{}-phi{}", search.base.name, phi); }
std::string family_file(const ScaleSearch& search, int phi, const fs::path& folder) {
  return (folder / (in_file_name(family_name(search, phi)) + ".toml")).string();
}

// Throws, before hours of training, if a file of write_family() would replace the base or a file that is no arch file.
void check_family_files(const ScaleSearch& search, const std::string& base, const fs::path& folder) {
  for (int phi = 1; phi <= kLargestPhi; ++phi) {
    const std::string file = family_file(search, phi, folder);
    check_not_input("-o", file, base);
    check_not_kept("-o", file);
    check_arch_output("-o", file);
  }
}

// Writes the base scaled by the coefficients for phi = 1 to 7, as effnet scale does, and appends the paths to `files`.
// `base`: ScaleSearchReport::base. Large coefficients may exceed the limits of an architecture from some phi on: a
// warning says which networks are left out.
void write_family(const ScaleSearch& search, const std::string& base, const arch::Coefficients& best,
                  const fs::path& folder, std::vector<std::string>& files, Output& out) {
  make_folders(folder);
  const arch::Variant* const named = arch::find_variant(base);
  const arch::RuleChoice rule{.coefficients = best};
  for (int phi = 1; phi <= kLargestPhi; ++phi) {
    arch::ArchSpec spec;
    try {
      spec = arch::scaled_by(search.base, phi, rule).spec;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage && error.code() != ErrorCode::input) throw;
      out.warn(fmt::format("no arch file for phi = {}{}: {}", phi,
                           phi < kLargestPhi ? fmt::format(" to {}", kLargestPhi) : "", error.what()));
      return;
    }
    if (named != nullptr) spec.dropout = arch::published_dropout(*named, rule, phi).value_or(spec.dropout);
    spec.name = family_name(search, phi);
    files.push_back(family_file(search, phi, folder));
    write_text(files.back(), arch::print(spec));
  }
}

Json json_of(const arch::Coefficients& c) { return {{"alpha", c.alpha}, {"beta", c.beta}, {"gamma", c.gamma}}; }

Json json_of(const search::ScaleRow& row) {
  Json json = json_of(row.candidate.coefficients);
  json["factor"] = row.candidate.factor;
  json["round"] = row.round;
  json["score"] = row.scored.mean;
  json["deviation"] = row.scored.deviation;
  json["seeds"] = row.scored.seeds;
  return json;
}

Json json_of(const search::ResponseSurface& surface) {
  Json json = json_of(surface.best);
  json["score"] = surface.best_score;
  json["deviation"] = surface.deviation;
  json["intervals"] = {{"alpha", surface.alpha}, {"beta", surface.beta}, {"gamma", surface.gamma}};
  return json;
}

}  // namespace

Json to_json(const ScaleSearchReport& report) {
  Json trials = Json::array(), rows = Json::array(), pareto = Json::array();
  for (const search::Trial& trial : report.trials) {
    Json one{{"id", trial.id},
             {"state", name_in(search::kTrialStates, trial.state)},
             {"score", trial.state == search::TrialState::done ? Json(trial.score) : Json()}};
    one.update(json_of(search::parse_candidate(trial.what.candidate)));
    one["generation"] = trial.generation;
    one["seed"] = trial.what.seed;
    one["epochs"] = trial.what.budget;
    one["attempts"] = trial.attempts;
    trials.push_back(std::move(one));
  }
  for (const search::ScaleRow& row : report.result.rows) rows.push_back(json_of(row));
  for (const search::ScaleRow& row : report.result.pareto) pareto.push_back(json_of(row));
  return {{"base", report.search.base.name},
          {"cost", report.search.cost},
          {"trials", std::move(trials)},
          {"rows", rows},
          {"pareto", std::move(pareto)},
          {"best", rows.empty() ? Json() : rows.front()},
          {"coefficients", report.result.best ? json_of(*report.result.best) : Json()},
          {"surface", report.result.surface ? json_of(*report.result.surface) : Json()},
          {"complete", report.result.complete},
          {"files", report.files}};
}

std::string to_text(const ScaleSearchReport& report) {
  const search::ScaleSearchResult& result = report.result;
  const std::int64_t candidates = std::ssize(report.search.candidates);
  std::string text = fmt::format("{}: {}; ", report.search.base.name, count_of(candidates, "candidate"));
  if (report.trials.empty()) {  // the first worker plans them
    text += fmt::format("the {} of the first round wait\n",
                        count_of(candidates * std::ssize(report.search.seeds), "trial"));
  } else {
    text += fmt::format("trials: {} done, {} failed, {} running, {} waiting\n", result.done, result.failed,
                        result.running, result.waiting);
  }
  if (!result.complete) {
    text += fmt::format("not complete; to continue: effnet scale search --study {}\n", path_in_shell(report.study));
  }
  if (result.rows.empty()) return text;
  text += "\n";
  report::Table table(
      {{"alpha"}, {"beta"}, {"gamma"}, {report.search.cost}, {"epochs"}, {"top-1 %"}, {"+-"}, {"seeds"}});
  constexpr std::size_t kShown = 15;
  for (std::size_t i = 0; i < std::min(kShown, result.rows.size()); ++i) {
    const search::ScaleRow& row = result.rows[i];
    const arch::Coefficients& c = row.candidate.coefficients;
    table.row({fmt::format("{:g}", c.alpha), fmt::format("{:g}", c.beta), fmt::format("{:g}", c.gamma),
               fmt::format("{:.2f}x", row.candidate.factor),
               fmt::format("{:g}", report.search.epochs[static_cast<std::size_t>(row.round)]),
               fmt::format("{:.2f}", row.scored.mean),
               row.scored.seeds > 1 ? fmt::format("{:.2f}", row.scored.deviation) : "-",
               std::to_string(row.scored.seeds)});
  }
  text += table.text();
  if (result.rows.size() > kShown) text += fmt::format("... {} more (--json lists all)\n", result.rows.size() - kShown);
  if (const auto& surface = result.surface) {
    text += fmt::format(
        "\nresponse surface of the first round: best at alpha {:.3f} ({:.3f} to {:.3f}), beta {:.3f} ({:.3f} to "
        "{:.3f}), "
        "gamma {:.3f} ({:.3f} to {:.3f}), 95 % bootstrap intervals; residual deviation {:.2f} points\n",
        surface->best.alpha, surface->alpha[0], surface->alpha[1], surface->best.beta, surface->beta[0],
        surface->beta[1], surface->best.gamma, surface->gamma[0], surface->gamma[1], surface->deviation);
  }
  if (result.best) {
    const arch::Coefficients& c = *result.best;
    text += fmt::format("\nbest measured: alpha {:g}, beta {:g}, gamma {:g}\n", c.alpha, c.beta, c.gamma);
    text += report.base.empty() ? fmt::format("try: effnet scale search --study {} --workers 0 -o FOLDER\n",
                                              path_in_shell(report.study))
                                : fmt::format("try: effnet scale {} --phi 2 --alpha {:g} --beta {:g} --gamma {:g}\n",
                                              path_in_shell(report.base), c.alpha, c.beta, c.gamma);
  }
  if (!report.files.empty())
    text += fmt::format("phi = 1 to {}: {} to {}\n", report.files.size(), report.files.front(), report.files.back());
  return text;
}

Body declare_scale_search(CLI::App& scale, const Globals& globals) {
  auto o = std::make_shared<ScaleSearchOptions>();
  scale.require_subcommand(1);
  CLI::App& command = *scale.add_subcommand("search", "Find the coefficients of compound scaling for a base network");
  command.add_option("BASE", o->base, fmt::format("{}. A study that exists has its own base", kModelHelp));
  command.add_option("--study", o->study, "Keep all trials in this file; if it exists, the search continues")
      ->type_name("FILE")
      ->required();
  command.add_option("--data", o->data, "Train and validate on this folder [data.folder of the recipe]")
      ->type_name("DIR");
  command.add_option("--recipe", o->recipe, "Train every candidate with this recipe [scale_proxy]")
      ->type_name("RECIPE");
  command.add_option("--set", o->settings, "Change a setting of the recipe; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command
      .add_option("--epochs", o->epochs,
                  "Epochs of each round of successive halving; the best candidates of a round go to the next one [2,6]")
      ->type_name("LIST");
  command.add_option("--keep", o->keep, "Keep this fraction of the candidates after each round [0.333]")
      ->type_name("F");
  add_number(command, "--seeds", o->seeds, 1, 1000, "Train each candidate with N seeds [2]");
  command.add_option("--factor", o->factor, "phi = 1 costs this times the base [2]")->type_name("F");
  command.add_option("--tolerance", o->tolerance, "Accept costs within this fraction of the factor [0.1]")
      ->type_name("F");
  command.add_option("--step", o->step, "Try alpha, beta and gamma in steps of this size [0.05]")->type_name("F");
  command.add_option("--cost", o->cost,
                     "What the factor is of: macs, params, memory or latency (measured here) [macs]");
  add_number(
      command, "--workers", o->workers, 0, 256,
      "Run N processes on the study; 0 only makes it, or shows how far it is. The same command in other terminals "
      "adds workers [1]");
  command
      .add_option("--timeout", o->timeout_s,
                  "Repeat a trial whose worker has given no sign of life for S seconds: it was killed, or its machine "
                  "is off [120]")
      ->type_name("S");
  command.add_option("--device", o->device, "Train on this device: auto, cpu or cuda")->type_name("D");
  command.add_option("-o,--out", o->out, "Write the arch files of phi = 1 to 7 to this folder")->type_name("DIR");
  return [o, &globals](Output& out) {
    turn_warnings_off();
    static_cast<void>(train::device_named(o->device, 0));
    static_cast<void>(worker_options(o->timeout_s));  // throws for a wrong --timeout
    const int threads = thread_count(globals);
    if (!o->out.empty()) make_folders(o->out);  // throws before the study is made
    ScaleSearch search = open_study(*o, threads, out);
    if (!o->out.empty()) check_family_files(search, o->base, o->out);
    ScaleSearchReport report{.base = o->base.empty() ? name_of_base(search.base) : o->base,
                             .study = o->study,
                             .search = std::move(search),
                             .result = {},
                             .trials = {},
                             .files = {}};
    // Opened before the workers: if the file is moved while they work, their error is shown, and not a missing study.
    Study study(o->study, search::kScaleStudy);
    std::optional<Error> failed;
    if (o->workers == 1) run_worker(*o, report.search, study, threads, out);
    if (o->workers > 1) failed = run_workers_of(*o, report.search, study, threads, out);
    report.trials = study.trials();
    report.result = search::result_of(report.search, report.trials, study.name());
    check_ended(failed, report.result.complete, out);
    std::optional<Error> not_written;  // the result of hours of training is shown first
    try {
      if (!o->out.empty() && report.result.best)
        write_family(report.search, report.base, *report.result.best, o->out, report.files, out);
    } catch (const Error& error) {
      not_written = error;
    }
    show(report, globals, out);
    if (not_written) throw *not_written;
    check_any_done(study);
    return 0;
  };
}

}  // namespace effnet::cli

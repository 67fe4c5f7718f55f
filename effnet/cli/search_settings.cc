#include "effnet/cli/search_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/search.h"
#include "effnet/cli/study_options.h"
#include "effnet/formats/checkpoint_sum.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/model/cost_by_name.h"
#include "effnet/search/space/extreme_point.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;
using search::NasSearch;

constexpr std::string_view kDefaultEvaluator = "proxy";
constexpr std::string_view kDefaultSpace = "mnasnet";
constexpr std::string_view kDefaultScore = "synflow";

// The settings of a study in the order in which a difference is looked for: a cost before its target.
constexpr std::array kOptions{
    StudyOption{"/space", "--space"},
    StudyOption{"/evaluator/name", "--evaluator"},
    StudyOption{"/evaluator/score", "--score"},
    StudyOption{"/evaluator/supernet", "--supernet"},
    StudyOption{"/evaluator/recipe", "--data, --recipe or --set"},
    StudyOption{"/evaluator/seed", "--seed"},
    StudyOption{"/controller", "--controller"},
    StudyOption{"/control/seed", "--seed"},
    StudyOption{"/control/population", "--population"},
    StudyOption{"/control/tournament", "--tournament"},
    StudyOption{"/control/learning_rate", "--learning-rate"},
    StudyOption{"/objective/form", "--objective"},
    StudyOption{"/objective/cost", "--cost"},
    StudyOption{"/objective/target", "--target",
                [](const nlohmann::json& settings) {
                  const nlohmann::json& objective = settings.at("objective");
                  return graph::exact_cost_text(objective.at("cost").get<std::string>(),
                                                objective.at("target").get<double>());
                }},
    StudyOption{"/objective/weight", "--weight"},
    StudyOption{"/latency", "--latency-table"},
    StudyOption{"/budgets", "--budgets"},
    StudyOption{"/keep", "--keep"},
    StudyOption{"/points", "--points-of",
                [](const nlohmann::json& settings) { return count_of(std::ssize(settings.at("points")), "network"); }},
    StudyOption{"/trials", "--trials"},
    StudyOption{"/generation_size", "--generation"},
};

// An option that has an effect only with some values of another option.
struct Owned {
  std::string_view flag;
  bool given;
  std::string_view owner;           // the other option
  std::string_view value;           // its value in this search; empty for --controller if the search has none
  std::vector<std::string> values;  // with which `flag` has an effect
};

std::vector<std::string> evaluators_where(bool (*has)(const search::EvaluatorFacts&)) {
  std::vector<std::string> names;
  for (const search::EvaluatorFacts& one : search::evaluators()) {
    if (has(one)) names.emplace_back(one.name);
  }
  return names;
}

void check_effect(const Owned& one) {
  if (!one.given || std::ranges::find(one.values, one.value) != one.values.end()) return;
  throw usage_error("{}: it has no effect here (got {}, expected {} {})", one.flag,
                    one.value.empty() ? std::string("--points-of") : fmt::format("{} {}", one.owner, one.value),
                    one.owner, one_of(one.values));
}

// Throws for an option that has no effect in this search.
void check_owners(const SearchSettings& o, const NasSearch& search) {
  const std::string_view evaluator = search.evaluator.name;
  const std::string_view controller = search.points.empty() ? std::string_view(search.controller) : std::string_view();
  const auto with_images = evaluators_where([](const search::EvaluatorFacts& one) { return one.needs_torch; });
  const auto with_budget = evaluators_where([](const search::EvaluatorFacts& one) { return !one.unit.empty(); });
  const auto controllers = names_of(search::controller_kinds());
  const Owned options[] = {
      {"--data", !o.data.empty(), "--evaluator", evaluator, with_images},
      {"--recipe", !o.recipe.empty(), "--evaluator", evaluator, with_images},
      {"--set", !o.overrides.empty(), "--evaluator", evaluator, with_images},
      {"--budgets", !o.budgets.empty(), "--evaluator", evaluator, with_budget},
      {"--keep", o.keep.has_value(), "--evaluator", evaluator, with_budget},
      {"--score", !o.score.empty(), "--evaluator", evaluator, {"zerocost"}},
      {"--supernet", !o.supernet.empty(), "--evaluator", evaluator, {"supernet"}},
      {"--controller", !o.controller.empty(), "--controller", controller, controllers},
      {"--generation", o.generation != 0, "--controller", controller, controllers},
      {"--population", o.population != 0, "--controller", controller, {"evolution", "nsga2"}},
      {"--tournament", o.tournament != 0, "--controller", controller, {"evolution"}},
      {"--learning-rate", o.learning_rate.has_value(), "--controller", controller, {"rl"}},
      {"--weight",
       o.weight.has_value(),
       "--objective",
       name_in(search::kObjectiveForms, search.objective.form),
       {std::string(name_in(search::kObjectiveForms, search::ObjectiveForm::soft))}},
      {"--latency-table",
       !o.latency_table.empty(),
       "--cost",
       search.objective.cost,
       {std::string(model::kLatencyCost)}},
  };
  for (const Owned& one : options) check_effect(one);
}

search::ObjectiveForm parse_form(const std::string& text) {
  try {
    return named_in(search::kObjectiveForms, text, "objective");
  } catch (const Error& error) {
    throw usage_error("--objective: {}", error.what());
  }
}

tensor::Weights read_supernet(const std::string& file) {
  try {
    return formats::read_safetensors(file);
  } catch (const Error& error) {
    throw error.with_hint("effnet search supernet SPACE --data DIR -o FILE trains a supernet");
  }
}

// The recipe as TOML. Options change the recipe of the study; a new study has that of the supernet, if there is one.
std::string recipe_text(const SearchSettings& o, const NasSearch& search) {
  const bool trains = !search::evaluator_facts(search.evaluator.name).unit.empty();
  std::string stored = search.evaluator.recipe;
  if (stored.empty() && !search.evaluator.supernet.empty()) {
    const tensor::Weights supernet = read_supernet(search.evaluator.supernet);
    const auto found = supernet.metadata.find(search::kSupernetRecipe);
    if (found != supernet.metadata.end()) stored = found->second;  // else it is no supernet: the evaluator says so
  }
  const train::Recipe recipe =
      recipe_of_study({.recipe = o.recipe,
                       .usual = search.evaluator.name == "supernet" ? "search_supernet" : "search_proxy",
                       .stored = stored,
                       .data = o.data},
                      overrides_of(o.overrides, fixed_in_trials(trains ? "--budgets" : "", "--seed")));
  if (recipe.data.folder.empty() && recipe.data.synthetic == 0) {
    throw usage_error("--data is missing (got none, expected the folder of the images that {} uses)",
                      search.evaluator.name);
  }
  return train::print(recipe);
}

void set_evaluator(const SearchSettings& o, bool is_new, NasSearch& search) {
  const search::EvaluatorFacts& facts = search::evaluator_facts(search.evaluator.name);
  search::EvaluatorSettings& evaluator = search.evaluator;
  const bool changed = !o.data.empty() || !o.recipe.empty() || !o.overrides.empty();
  if (facts.name == "zerocost") {
    if (!o.score.empty()) evaluator.score = o.score;
    if (evaluator.score.empty()) evaluator.score = kDefaultScore;
  }
  if (facts.name == "supernet") {
    if (!o.supernet.empty()) evaluator.supernet = fs::absolute(o.supernet).lexically_normal().string();
    if (evaluator.supernet.empty())
      throw usage_error("--supernet is missing (got none, expected a file that effnet search supernet has written)");
    // The evaluator compares it with the file, in every worker and at any later time.
    if (is_new) evaluator.supernet_digest = formats::checkpoint_sum(read_supernet(evaluator.supernet));
  }
  // Only training needs a recipe in any case: a supernet's file has one, and some scores need no images.
  const bool trains = !facts.unit.empty();
  if (changed || (trains && evaluator.recipe.empty())) evaluator.recipe = recipe_text(o, search);
  if (!o.budgets.empty()) search.budgets = parse_epochs("--budgets", o.budgets);
  if (o.keep) search.keep = *o.keep;
}

// Sets what the options name: controller, objective and cost. They decide which other options have an effect.
void set_names(const SearchSettings& o, bool is_new, NasSearch& search) {
  if (!o.controller.empty()) search.controller = search::controller_kind(o.controller).name;
  search::Objective& objective = search.objective;
  if (!o.objective.empty()) {
    objective.form = parse_form(o.objective);
  } else if (!search::evaluator_facts(search.evaluator.name).accuracy) {
    objective.form = search::ObjectiveForm::limit;
  }
  if (!o.cost.empty() && o.cost != objective.cost) {
    model::find_cost(o.cost);  // throws for an unknown one
    objective.cost = o.cost;
    objective.target = 0;  // the old one has another unit
    if (is_new) search.latency.reset();
  }
}

// The default target. A latency table that was measured for another space, or by an earlier version of effnet, can lack
// parts of a base that is no network of the space.
double cost_of_base(const NasSearch& search) {
  try {
    return search::cost_of(search, search.space.base);
  } catch (const Error& error) {
    throw error.in("--target is missing, and its default is the latency of the space's base")
        .with_hint(
            "give --target, such as 12ms, or measure a table of this space: effnet search latency SPACE -o TABLE.json");
  }
}

void set_objective(const SearchSettings& o, NasSearch& search) {
  search::Objective& objective = search.objective;
  if (!o.latency_table.empty())
    search.latency = search::parse_latency_table(read_text(o.latency_table), o.latency_table);
  if (objective.cost == model::kLatencyCost && !search.latency) {
    throw usage_error("--latency-table is missing (got none, expected a table of this space's parts)")
        .with_hint("effnet search latency SPACE -o TABLE.json measures one");
  }
  if (o.weight) objective.weight = *o.weight;
  if (!o.target.empty()) objective.target = parse_cost("--target", o.target, objective.cost);
  if (objective.target == 0) objective.target = cost_of_base(search);
}

void set_controller(const SearchSettings& o, bool is_new, NasSearch& search) {
  if (!o.seed.empty()) search.control.seed = search.evaluator.seed = parse_seed(o.seed);
  if (o.trials != 0 && o.points_of.empty()) search.trials = o.trials;  // else take_points() has used it
  if (o.generation != 0) search.generation_size = o.generation;
  search::ControllerOptions& control = search.control;
  // With a population as large as the trials no member ever leaves; a tournament as large as the population has nearly
  // always the same winner.
  if (is_new) control.population = std::clamp<std::int64_t>(search.trials / 4, 2, control.population);
  if (o.population != 0) control.population = o.population;
  if (is_new) control.tournament = std::clamp<std::int64_t>(control.population / 4, 2, control.tournament);
  if (o.tournament != 0) control.tournament = o.tournament;
  if (o.learning_rate) search.control.learning_rate = *o.learning_rate;
}

// The options of one choice as its file has them.
std::string options_text(const search::Space& space, const search::Choice& of) {
  for (const search::Choice& choice : space.choices) {
    if (choice.stage == of.stage && choice.field == of.field)
      return fmt::format("[{}]", fmt::join(choice.options, ", "));
  }
  return "no choice";
}

// What two spaces differ in, and the value of each.
struct SpaceDifference {
  std::string what, asked, stored;
};
SpaceDifference first_difference(const search::Space& asked, const search::Space& stored) {
  for (const search::Space* const space : {&asked, &stored}) {
    for (const search::Choice& choice : space->choices) {
      const std::string a = options_text(asked, choice), b = options_text(stored, choice);
      if (a != b) return {fmt::format("{} of stage {}", choice.field, choice.stage + 1), a, b};
    }
  }
  const auto [a, b] = first_different_lines(arch::print(asked.base), arch::print(stored.base));
  return {"the base", in_quotes(a), in_quotes(b)};
}

// Throws if --space is given and is another one.
void check_space(const SearchSettings& o, const search::Space& stored) {
  if (o.space.empty()) return;
  search::Space asked = load_space(o.space);
  if (search::same_networks(asked, stored)) return;
  if (asked.name != stored.name)
    throw usage_error("--space: the study has another one (got {}, expected {})", o.space, stored.name);
  asked.base.classes = stored.base.classes;
  const SpaceDifference different = first_difference(asked, stored);
  throw usage_error("--space: {} is not as it was when the study was made: {} (got {}, expected {})", o.space,
                    different.what, different.asked, different.stored)
      .with_hint("a study keeps its space: leave --space out to continue it, or make another study");
}

// Takes space, objective and networks from another study: all networks of its largest budget, or `trials` of them that
// are spread evenly over its ranking, from the best to the worst.
void take_points(const SearchSettings& o, NasSearch& search) {
  search::Study study(o.points_of, search::kNasStudy, {}, search::Access::read);
  NasSearch other = stored_search(study);
  check_space(o, other.space);
  const search::NasResult result = search::result_of(other, stored_trials(study, other));
  if (result.best.empty())
    throw input_error("--points-of: {}: no trial is done (expected networks to evaluate)", study.name());
  const std::size_t all = result.best.size();
  const std::size_t count = o.trials == 0 ? all : std::min(all, static_cast<std::size_t>(o.trials));
  search.points.clear();
  search.points.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count == 1 ? 0 : i * (all - 1) / (count - 1);
    search.points.push_back(result.best[at].point);
  }
  search.trials = static_cast<std::int64_t>(count);
  search.space = std::move(other.space);
  search.objective = other.objective;
  search.latency = std::move(other.latency);
}

NasSearch new_search(const SearchSettings& o) {
  NasSearch search;
  search.evaluator.name = evaluator_of(o, {});
  if (o.points_of.empty()) search.space = load_space(o.space.empty() ? std::string(kDefaultSpace) : o.space);
  if (!search::evaluator_facts(search.evaluator.name).unit.empty()) {
    // The networks of another study are all evaluated with one budget, so that their qualities can be compared.
    search.budgets = o.points_of.empty() ? std::vector<double>{2, 6} : std::vector<double>{6};
  }
  return search;
}

}  // namespace

std::string evaluator_of(const SearchSettings& o, const std::optional<NasSearch>& stored) {
  if (o.evaluator.empty()) return stored ? stored->evaluator.name : std::string(kDefaultEvaluator);
  std::string name(search::evaluator_facts(o.evaluator).name);
  if (stored && name != stored->evaluator.name)
    throw usage_error("--evaluator: the study has another one (got {}, expected {})", name, stored->evaluator.name);
  return name;
}

NasSearch asked_search(const SearchSettings& o, const std::optional<NasSearch>& stored) {
  NasSearch search = stored ? *stored : new_search(o);
  if (stored) check_space(o, stored->space);
  search.evaluator.name = evaluator_of(o, stored);
  if (!o.points_of.empty()) take_points(o, search);
  set_names(o, !stored, search);
  check_owners(o, search);
  set_controller(o, !stored, search);
  set_objective(o, search);
  set_evaluator(o, !stored, search);
  return search;
}

std::vector<std::string> setting_warnings(const SearchSettings& o, const NasSearch& search) {
  std::vector<std::string> warnings;
  if (!search.points.empty()) {
    if (o.trials > std::ssize(search.points)) {
      warnings.push_back(fmt::format("--trials {}: the other study has only {}, and all of them are evaluated",
                                     o.trials, count_of(std::ssize(search.points), "network")));
    }
    return warnings;
  }
  const std::string& controller = search.controller;
  const search::ControllerOptions& control = search.control;
  if (controller != "random" && search.generation_size >= search.trials) {
    warnings.push_back(
        fmt::format("all networks are in one generation (--generation {}, --trials {}), so the controller {} sees no "
                    "result: this is a random search. A generation should be at most a quarter of --trials",
                    search.generation_size, search.trials, controller));
  }
  const bool has_population = controller == "evolution" || controller == "nsga2";
  if (has_population && control.population >= search.trials) {
    warnings.push_back(
        fmt::format("no network leaves the population (--population {}, --trials {}), so bad ones are parents to the "
                    "end. A population should be at most a quarter of --trials",
                    control.population, search.trials));
  }
  if (controller == "evolution" && control.tournament > control.population) {
    warnings.push_back(
        fmt::format("the best network of the population is nearly always the parent (--tournament {}, --population "
                    "{}). A tournament should be about a quarter of --population",
                    control.tournament, control.population));
  }
  const search::Objective& objective = search.objective;
  if (objective.form == search::ObjectiveForm::soft) {  // the other forms refuse such a target
    const auto cost = [&](const arch::ArchSpec& spec) { return search::cost_of(search, spec); };
    const search::Point cheapest = search::extreme_point(search.space, search::Extreme::cheapest, cost);
    if (const double least = cost(search::network_of(search.space, cheapest)); least > objective.target) {
      warnings.push_back(fmt::format(
          "--target {}: no network of the space has so little; the cheapest one found has {}",
          graph::exact_cost_text(objective.cost, objective.target), graph::exact_cost_text(objective.cost, least)));
    }
  }
  return warnings;
}

void check_same(const NasSearch& asked, const NasSearch& stored, const std::string& study) {
  check_same_options(study, search::settings_text(asked), search::settings_text(stored), kOptions);
}

std::string device_of(const std::string& device, std::string_view evaluator) {
  check_effect({.flag = "--device",
                .given = !device.empty(),
                .owner = "--evaluator",
                .value = evaluator,
                .values = evaluators_where([](const search::EvaluatorFacts& one) { return one.device; })});
  return device.empty() ? "auto" : device;
}

void check_files(const NasSearch& search, std::string_view study) {
  check_still_there(study, "the weights of the supernet", search.evaluator.supernet);
  if (!search.evaluator.recipe.empty())
    check_still_there(study, "the images", train::parse_recipe(search.evaluator.recipe, study).data.folder);
}

}  // namespace effnet::cli

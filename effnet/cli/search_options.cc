// The options of `effnet search run` that are settings of the search.
#include "effnet/cli/arguments.h"
#include "effnet/cli/search.h"
#include "effnet/cli/search_settings.h"

namespace effnet::cli {
namespace {

std::string names_text() {
  std::string text = "Evaluators:\n";
  for (const search::EvaluatorFacts& one : search::evaluators())
    text += fmt::format("  {:<10} {}\n", one.name, one.what);
  text += "Controllers:\n";
  for (const search::ControllerKind& one : search::controller_kinds())
    text += fmt::format("  {:<10} {}\n", one.name, one.what);
  return text;
}

}  // namespace

void declare_options(CLI::App& command, SearchSettings& o) {
  command.add_option("--space", o.space, kSpaceHelp + std::string(" [mnasnet]"))->type_name("SPACE");
  command.add_option("--evaluator", o.evaluator, "Measure networks with this evaluator (see below) [proxy]")
      ->type_name("NAME");
  command.add_option("--controller", o.controller, "Choose networks with this controller (see below) [evolution]")
      ->type_name("NAME");
  add_number(command, "--trials", o.trials, 1, 1'000'000, "Propose N networks in all [100]");
  command.add_option("--seed", o.seed, "Seed of the controller and of every evaluation [1]")->type_name("N");
  add_number(command, "--generation", o.generation, 1, 100'000,
             "Propose N networks at a time; that many workers can be busy [16]");
  add_number(command, "--population", o.population, 1, 1'000'000,
             "evolution, nsga2: members of the population [a quarter of --trials, at most 64]");
  add_number(command, "--tournament", o.tournament, 1, 1'000'000,
             "evolution: draw N members, the best of which is changed [a quarter of --population, at most 16]");
  command.add_option("--learning-rate", o.learning_rate, "rl: learning rate of the controller [0.00035]")
      ->type_name("F");
  command
      .add_option("--objective", o.objective,
                  "soft: quality x (cost / target)^weight; hard: quality, less above the target; limit: no network "
                  "above the target [soft; zerocost: limit]")
      ->type_name("FORM");
  command.add_option("--cost", o.cost, "The cost in the objective: macs, params, memory or latency [macs]")
      ->type_name("NAME");
  command
      .add_option("--target", o.target,
                  "The target of the cost: 390M, 64MiB; of the latency: 12ms [the cost of the space's base]")
      ->type_name("X");
  command.add_option("--weight", o.weight, "soft: the exponent [-0.07]")->type_name("F");
  command.add_option("--latency-table", o.latency_table, "Predict the latency by this table of effnet search latency")
      ->type_name("FILE");
  command
      .add_option("--budgets", o.budgets,
                  "proxy: epochs of each round of successive halving; the best networks of a round go to the next one "
                  "[2,6]")
      ->type_name("LIST");
  command.add_option("--keep", o.keep, "proxy: keep this fraction of the networks after each round [0.333]")
      ->type_name("F");
  command
      .add_option("--data", o.data,
                  "proxy, supernet, zerocost: use the images of this folder [data.folder of the recipe]")
      ->type_name("DIR");
  command
      .add_option("--recipe", o.recipe,
                  "proxy: train every network with this recipe; supernet, zerocost: take its settings of images "
                  "[search_proxy; supernet: search_supernet]")
      ->type_name("RECIPE");
  command
      .add_option("--set", o.overrides,
                  "Change a setting of the recipe, apart from those that the search sets; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--score", o.score, "zerocost: synflow, naswot, grad_norm, macs or params [synflow]")
      ->type_name("NAME");
  command.add_option("--supernet", o.supernet, "supernet: the file that effnet search supernet has written")
      ->type_name("FILE");
  command
      .add_option("--points-of", o.points_of,
                  "Evaluate the networks of this study again, to compare two evaluators; --trials N takes N of them")
      ->type_name("STUDY");
  command.footer(names_text());
}

}  // namespace effnet::cli

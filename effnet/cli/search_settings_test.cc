// effnet search: its options and what they set.
#include <gmock/gmock.h>

#include <filesystem>

#include "effnet/base/text.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/search_export.h"
#include "effnet/cli/search_run.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_testing.h"
#include "effnet/graph/counted_costs.h"

namespace effnet::cli {
namespace {

TEST_F(SearchCommand, Options) {
  const auto plain = parsed<SearchRunOptions>({"s"});
  EXPECT_EQ(plain.worker.study, "s");
  EXPECT_EQ(plain.worker.timeout_s, 120);
  EXPECT_EQ(plain.worker.device, "");
  EXPECT_EQ(plain.workers, 1);
  EXPECT_EQ(plain.settings.trials, 0);
  EXPECT_TRUE(plain.settings.space.empty() && plain.settings.evaluator.empty() && plain.settings.seed.empty());
  EXPECT_FALSE(plain.settings.weight || plain.settings.keep || plain.settings.learning_rate);
  const auto all = parsed<SearchRunOptions>(
      {"s",   "--space",         "sp",   "--evaluator",     "proxy", "--controller", "rl",     "--trials",
       "7",   "--seed",          "9",    "--generation",    "3",     "--population", "5",      "--tournament",
       "2",   "--learning-rate", "0.01", "--objective",     "hard",  "--cost",       "params", "--target",
       "2M",  "--weight",        "-0.1", "--latency-table", "t",     "--budgets",    "1,2",    "--keep",
       "0.5", "--data",          "d",    "--recipe",        "r",     "--set",        "a=1",    "--set",
       "b=2", "--score",         "macs", "--supernet",      "n",     "--points-of",  "p",      "--workers",
       "0",   "--timeout",       "5",    "--device",        "cpu"});
  const SearchSettings& o = all.settings;
  EXPECT_EQ(o.space, "sp");
  EXPECT_EQ(o.evaluator, "proxy");
  EXPECT_EQ(o.controller, "rl");
  EXPECT_EQ(o.trials, 7);
  EXPECT_EQ(o.seed, "9");
  EXPECT_EQ(o.generation, 3);
  EXPECT_EQ(o.population, 5);
  EXPECT_EQ(o.tournament, 2);
  EXPECT_EQ(o.learning_rate, 0.01);
  EXPECT_EQ(o.objective, "hard");
  EXPECT_EQ(o.cost, "params");
  EXPECT_EQ(o.target, "2M");
  EXPECT_EQ(o.weight, -0.1);
  EXPECT_EQ(o.latency_table, "t");
  EXPECT_EQ(o.budgets, "1,2");
  EXPECT_EQ(o.keep, 0.5);
  EXPECT_EQ(o.data, "d");
  EXPECT_EQ(o.recipe, "r");
  EXPECT_EQ(o.overrides, (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_EQ(o.score, "macs");
  EXPECT_EQ(o.supernet, "n");
  EXPECT_EQ(o.points_of, "p");
  EXPECT_EQ(all.workers, 0);
  EXPECT_EQ(all.worker.timeout_s, 5);
  EXPECT_EQ(all.worker.device, "cpu");
  const auto shown = parsed<SearchShowOptions>({"s", "--top", "3", "--live", "--report", "p.html", "--against", "t"});
  EXPECT_EQ(shown.top, 3);
  EXPECT_TRUE(shown.live);
  EXPECT_EQ(shown.page, "p.html");
  EXPECT_EQ(shown.against, "t");
  const auto exported =
      parsed<SearchExportOptions>({"s", "--trial", "4", "-o", "n.toml", "--name", "n", "--weights", "w"});
  EXPECT_EQ(exported.trial, 4);
  EXPECT_EQ(exported.out, "n.toml");
  EXPECT_EQ(exported.name, "n");
  EXPECT_EQ(exported.weights, "w");
}

TEST_F(SearchCommand, DefaultsOfANewSearch) {
  const search::NasSearch search = asked_search(toy(), {});
  EXPECT_EQ(search.space.name, "tiny");
  EXPECT_EQ(search.controller, "evolution");
  EXPECT_EQ(search.trials, 100);
  EXPECT_EQ(search.budgets, std::vector<double>{1});
  EXPECT_EQ(search.objective.form, search::ObjectiveForm::soft);
  EXPECT_EQ(search.objective.cost, "macs");
  EXPECT_EQ(search.objective.target, graph::count_macs(search.space.base));
  EXPECT_EQ(search.objective.weight, -0.07);
  EXPECT_EQ(search.control.seed, 1U);
  EXPECT_EQ(search.evaluator.seed, 1U);
  EXPECT_EQ(evaluator_of({}, {}), "proxy");
}

TEST_F(SearchCommand, TargetsHaveTheUnitOfTheCost) {
  SearchSettings o = toy();
  o.target = "1.5M";
  EXPECT_EQ(asked_search(o, {}).objective.target, 1.5e6);
  o.cost = "memory";
  o.target = "64KiB";
  EXPECT_EQ(asked_search(o, {}).objective.target, 65536);
  o.target = "much";
  EXPECT_EQ(refused(o),
            "2 --target: wrong value (got 'much', expected a number of bytes above 0, such as 20MB or 64MiB)");
  o.cost = "macs";
  o.target = "5MiB";
  EXPECT_EQ(refused(o),
            "2 --target: wrong value (got '5MiB', expected a number of MACs above 0, such as 390M or 1.8G)");
}

TEST_F(SearchCommand, OptionsWithoutEffectAreRefused) {
  const auto with = [&](auto change) {
    SearchSettings o = toy();
    change(o);
    return refused(o);
  };
  EXPECT_EQ(with([](SearchSettings& o) { o.score = "macs"; }),
            "2 --score: it has no effect here (got --evaluator toy, expected --evaluator zerocost)");
  EXPECT_EQ(with([](SearchSettings& o) { o.budgets = "2,6"; }),
            "2 --budgets: it has no effect here (got --evaluator toy, expected --evaluator proxy)");
  EXPECT_EQ(
      with([](SearchSettings& o) { o.population = 5, o.controller = "random"; }),
      "2 --population: it has no effect here (got --controller random, expected --controller evolution or nsga2)");
  EXPECT_EQ(with([](SearchSettings& o) { o.weight = -0.1, o.objective = "limit"; }),
            "2 --weight: it has no effect here (got --objective limit, expected --objective soft)");
  // The option is named before its value is read: there are no such files, and no images for a recipe.
  EXPECT_EQ(with([](SearchSettings& o) { o.overrides = {"train.batch=8"}; }),
            "2 --set: it has no effect here (got --evaluator toy, expected --evaluator proxy, supernet or zerocost)");
  EXPECT_EQ(with([](SearchSettings& o) { o.latency_table = "/nonexistent"; }),
            "2 --latency-table: it has no effect here (got --cost macs, expected --cost latency)");
  EXPECT_EQ(with([](SearchSettings& o) { o.supernet = "x"; })[0], '2');
  EXPECT_EQ(with([](SearchSettings& o) { o.learning_rate = 0.1; })[0], '2');
  EXPECT_EQ(with([](SearchSettings& o) { o.tournament = 3, o.controller = "nsga2"; })[0], '2');
}

TEST_F(SearchCommand, DevicesAreForEvaluatorsThatUseThem) {
  EXPECT_EQ(device_of("", "toy"), "auto");
  EXPECT_EQ(device_of("cuda", "proxy"), "cuda");
  EXPECT_EQ(device_of("cpu", "supernet"), "cpu");
  for (const char* evaluator : {"toy", "zerocost"}) {
    EXPECT_EQ(refusal([&] { device_of("auto", evaluator); }),
              fmt::format("2 --device: it has no effect here (got --evaluator {}, expected --evaluator proxy or "
                          "supernet)",
                          evaluator));
  }
  EXPECT_EQ(run({"--space", space(), "--device", "cpu"}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(study()));
}

// The search sets these settings in every trial.
TEST_F(SearchCommand, SettingsOfTheSearchCannotBeSet) {
  const auto with = [&](const char* setting) {
    return refused({.space = space(), .evaluator = "proxy", .data = ".", .overrides = {setting}});
  };
  EXPECT_EQ(with("train.epochs=3"),
            "2 --set train.epochs: it has no effect here: --budgets sets it (got '3', expected another key)");
  EXPECT_EQ(
      with("seed=7"),
      "2 --set seed: it has no effect here: --seed gives the seeds of the trials (got '7', expected another key)");
  EXPECT_EQ(with("model.name=resnet50"),
            "2 --set model.name: it has no effect here: the search chooses the networks (got 'resnet50', expected "
            "another key)");
  EXPECT_EQ(with("train.batch=8"), "");
}

TEST_F(SearchCommand, WrongValuesAreRefused) {
  const auto with = [&](auto change) {
    SearchSettings o = toy();
    change(o);
    return refused(o);
  };
  EXPECT_EQ(with([](SearchSettings& o) { o.objective = "firm"; }),
            "2 --objective: unknown objective (got 'firm', expected soft, hard or limit)");
  EXPECT_EQ(with([](SearchSettings& o) { o.cost = "money"; }),
            "2 --cost: unknown cost (got 'money', expected macs, params, memory or latency)");
  EXPECT_EQ(with([](SearchSettings& o) { o.cost = "latency"; }),
            "2 --latency-table is missing (got none, expected a table of this space's parts)");
  EXPECT_EQ(with([](SearchSettings& o) { o.seed = "-1"; })[0], '2');
  EXPECT_EQ(with([](SearchSettings& o) { o.evaluator = "guess"; })[0], '2');
  EXPECT_EQ(with([](SearchSettings& o) { o.controller = "guess"; })[0], '2');
  EXPECT_EQ(with([](SearchSettings& o) { o.space = "no_such_space"; })[0], '3');
  EXPECT_EQ(with([](SearchSettings& o) { o.evaluator = "proxy", o.budgets = "6,2"; }).substr(0, 9), "2 --data ");
  EXPECT_EQ(with([](SearchSettings& o) { o.evaluator = "proxy", o.budgets = "6,2", o.data = "."; }),
            "2 --budgets: each round needs more than the one before (got '6,2', expected a list such as 2,6,18)");
  EXPECT_EQ(with([](SearchSettings& o) { o.evaluator = "supernet"; }).substr(0, 23), "2 --supernet is missing");
}

TEST_F(SearchCommand, ASearchWithoutAccuracyHasALimit) {
  SearchSettings o = toy();
  o.evaluator = "zerocost";
  const search::NasSearch search = asked_search(o, {});
  EXPECT_EQ(search.objective.form, search::ObjectiveForm::limit);
  EXPECT_EQ(search.evaluator.score, "synflow");
  o.objective = "soft";
  EXPECT_EQ(refusal([&] { search::check(asked_search(o, {})); })[0], '2');
}

TEST_F(SearchCommand, TheFirstDifferentSettingIsNamed) {
  SearchSettings o = toy();
  const search::NasSearch stored = asked_search(o, {});
  check_same(asked_search(o, stored), stored, "s");
  check_same(asked_search({}, stored), stored, "s");  // without options: the study's
  const auto differs = [&](auto change) {
    SearchSettings other;
    change(other);
    return refusal([&] { check_same(asked_search(other, stored), stored, "s"); });
  };
  EXPECT_EQ(differs([](SearchSettings& s) { s.trials = 200; }),
            "2 s: --trials: the study has another value (got '200', expected '100')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.target = "1M"; }),
            fmt::format("2 s: --target: the study has another value (got '1,000,000 MACs', expected '{} MACs')",
                        grouped(static_cast<std::int64_t>(stored.objective.target))));
  EXPECT_EQ(differs([](SearchSettings& s) { s.controller = "random"; }),
            "2 s: --controller: the study has another value (got 'random', expected 'evolution')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.seed = "4"; }),
            "2 s: --seed: the study has another value (got '4', expected '1')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.cost = "params"; }),
            "2 s: --cost: the study has another value (got 'params', expected 'macs')")
      << "before the target, which has changed too";
  EXPECT_EQ(differs([](SearchSettings& s) { s.population = 5; }),
            "2 s: --population: the study has another value (got '5', expected '25')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.evaluator = "zerocost"; }),
            "2 --evaluator: the study has another one (got zerocost, expected toy)");
  EXPECT_EQ(differs([](SearchSettings& s) { s.space = "cifar"; }),
            "2 --space: the study has another one (got cifar, expected tiny)");
}

TEST_F(SearchCommand, TheDefaultTargetIsMissingWhereTheTableLacksTheBase) {
  const search::Space tiny = load_space(space());
  const std::vector<search::TimedNetwork> one{{search::network_of(tiny, {1, 1, 2}), 2.5}};  // k5 e4 / c32
  SearchSettings o = toy();
  o.cost = "latency";
  o.latency_table = in_folder("table.json");
  write_text(o.latency_table, search::to_text(search::fit_latency(one, {})));
  EXPECT_THAT(refused(o),
              testing::StartsWith("3 --target is missing, and its default is the latency of the space's base: tiny: "));
  o.target = "2ms";
  EXPECT_EQ(refused(o), "");
}

TEST_F(SearchCommand, ThePopulationIsAQuarterOfTheTrials) {
  const auto control = [&](int trials, int population) {
    SearchSettings o = toy();
    o.trials = trials;
    o.population = population;
    return asked_search(o, {}).control;
  };
  EXPECT_EQ(control(24, 0).population, 6);
  EXPECT_EQ(control(24, 0).tournament, 2);
  EXPECT_EQ(control(3, 0).population, 2) << "the smallest one";
  EXPECT_EQ(control(1000, 0).population, 64);
  EXPECT_EQ(control(1000, 0).tournament, 16);
  EXPECT_EQ(control(1000, 32).tournament, 8);
  // A study keeps what it was made with.
  SearchSettings o = toy();
  o.population = 50;
  const search::NasSearch stored = asked_search(o, {});
  EXPECT_EQ(asked_search({}, stored).control.population, 50);
  EXPECT_EQ(asked_search({}, stored).control.tournament, stored.control.tournament);
}

TEST_F(SearchCommand, SettingsThatCannotWorkAreWarnings) {
  const auto warnings = [&](auto change) {
    SearchSettings o = toy();
    change(o);
    return setting_warnings(o, asked_search(o, {}));
  };
  using testing::ElementsAre;
  using testing::HasSubstr;
  EXPECT_THAT(warnings([](SearchSettings&) {}), testing::IsEmpty());
  EXPECT_THAT(warnings([](SearchSettings& o) { o.population = 100; }),
              ElementsAre(HasSubstr("(--population 100, --trials 100)")));
  EXPECT_THAT(warnings([](SearchSettings& o) { o.population = 99; }), testing::IsEmpty());
  EXPECT_THAT(warnings([](SearchSettings& o) { o.controller = "nsga2", o.trials = 40, o.population = 50; }),
              ElementsAre(HasSubstr("(--population 50, --trials 40)")));
  EXPECT_THAT(warnings([](SearchSettings& o) { o.trials = 16; }),
              ElementsAre(HasSubstr("(--generation 16, --trials 16)")));
  EXPECT_THAT(warnings([](SearchSettings& o) { o.trials = 16, o.controller = "random"; }), testing::IsEmpty());
  EXPECT_THAT(warnings([](SearchSettings& o) { o.population = 8, o.tournament = 9; }),
              ElementsAre(HasSubstr("(--tournament 9, --population 8)")));
  EXPECT_THAT(warnings([](SearchSettings& o) { o.target = "1K"; }),
              ElementsAre(HasSubstr("--target 1,000 MACs: no network of the space has so little")));
}

// Every setting that an option can change has a row in the table of options: no message has a path of the JSON.
TEST_F(SearchCommand, RecipesAndListsAreComparedAsTheyAreTyped) {
  const SearchSettings o{.space = space(), .evaluator = "proxy", .data = "/images"};
  const search::NasSearch stored = asked_search(o, {});
  const auto differs = [&](auto change) {
    SearchSettings other = o;
    change(other);
    return refusal([&] { check_same(asked_search(other, stored), stored, "s"); });
  };
  EXPECT_EQ(differs([](SearchSettings&) {}), "");
  EXPECT_EQ(differs([](SearchSettings& s) { s.budgets = "1,3"; }),
            "2 s: --budgets: the study has another value (got '1,3', expected '2,6')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.keep = 0.5; }).substr(0, 53),
            "2 s: --keep: the study has another value (got '0.5', ");
  EXPECT_EQ(differs([](SearchSettings& s) { s.data = "/moved"; }),
            "2 s: --data: the study has another value (got '/moved', expected '/images')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.overrides = {"train.clip_norm=7"}; }).substr(0, 75),
            "2 s: --recipe or --set train.clip_norm: the study has another value (got '7");
}

TEST_F(SearchCommand, FilesOfAStudyThatHaveMovedAreNamed) {
  SearchSettings o{.space = space(), .evaluator = "proxy", .data = in_folder("gone")};
  EXPECT_EQ(refusal([&] { check_files(asked_search(o, {}), "s"); }),
            fmt::format("3 s: the images are not there any more (got nothing at '{}', expected what the study was made "
                        "with)",
                        in_folder("gone")));
  o.data = in_folder(".");
  EXPECT_EQ(refusal([&] { check_files(asked_search(o, {}), "s"); }), "");
  search::NasSearch stored = asked_search({.space = space(), .evaluator = "toy"}, {});
  stored.evaluator.supernet = in_folder("net");
  EXPECT_EQ(refusal([&] { check_files(stored, "s"); }).substr(0, 56),
            "3 s: the weights of the supernet are not there any more ");
}

}  // namespace
}  // namespace effnet::cli

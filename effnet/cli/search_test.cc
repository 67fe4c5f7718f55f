// effnet search: its options, its errors, and whole searches with the toy evaluator.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/search_export.h"
#include "effnet/cli/search_run.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_text.h"
#include "effnet/cli/worker_processes.h"
#include "effnet/graph/counted_costs.h"

namespace effnet::cli {
namespace {

// 2 x 2 x 3 = 12 networks, all different.
constexpr const char* kSpace = R"(
name = "tiny"
[choices]
kernel = [3, 5]
expand = [2, 4]
[[stages]]
stage = 2
kernel = []
expand = []
channels = [16, 24, 32]
[base]
name = "tiny"
resolution = 32
classes = 3
preprocessing = "whole"
[base.stem]
channels = 8
[[base.stages]]
channels = 16
expand = 2
[[base.stages]]
channels = 24
stride = 2
expand = 2
[base.head]
channels = 32
)";

class SearchCommand : public testing::Test {
 protected:
  SearchCommand() { write_text(space(), kSpace); }

  std::string in_folder(const char* name) const { return (folder_.path() / name).string(); }
  std::string space() const { return in_folder("tiny.toml"); }
  std::string study() const { return in_folder("a.study"); }
  SearchSettings toy() const { return {.space = space(), .evaluator = "toy"}; }

  std::string refused(const SearchSettings& settings) const {
    return refusal([&] { asked_search(settings, {}); });
  }
  RunResult run(std::vector<std::string> more) const {
    std::vector<std::string> words{"search", "run", study(), "--evaluator", "toy"};
    words.insert(words.end(), more.begin(), more.end());
    return run_effnet(words);
  }

 private:
  TemporaryFolder folder_;
};

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
  EXPECT_EQ(with("seed=7"), "2 --set seed: it has no effect here: --seed sets it (got '7', expected another key)");
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
            "2 s: --population: the study has another value (got '5', expected '64')");
  EXPECT_EQ(differs([](SearchSettings& s) { s.evaluator = "zerocost"; }),
            "2 --evaluator: the study has another one (got zerocost, expected toy)");
  EXPECT_EQ(differs([](SearchSettings& s) { s.space = "cifar"; }),
            "2 --space: the study has another one (got cifar, expected tiny)");
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
  o = {.space = space(), .evaluator = "supernet", .supernet = in_folder("net")};
  EXPECT_EQ(refusal([&] { check_files(asked_search(o, {}), "s"); }).substr(0, 56),
            "3 s: the weights of the supernet are not there any more ");
}

TEST_F(SearchCommand, FindsTheBestOfAllNetworks) {
  const RunResult first = run({"--space", space(), "--controller", "random", "--trials", "200", "--json"});
  ASSERT_EQ(first.code, 0) << first.messages;
  const Json document = Json::parse(first.results);
  EXPECT_EQ(keys(document), (Keys{"study", "space", "evaluator", "controller", "objective", "budgets", "counts",
                                  "complete", "trials", "best", "pareto", "importance"}));
  EXPECT_TRUE(document["complete"].get<bool>());
  ASSERT_EQ(document["trials"].size(), 200U);
  // 200 draws from 12 networks: each is evaluated once, and the others get its result.
  double best = 0;
  std::set<std::string> networks;
  for (const Json& trial : document["trials"]) {
    EXPECT_EQ(trial["state"], "done");
    best = std::max(best, trial["score"].get<double>());
    networks.insert(trial["candidate"].get<std::string>());
  }
  EXPECT_EQ(document["counts"]["twins"], 200 - networks.size());
  EXPECT_EQ(document["best"]["reward"].get<double>(), best);
  double cost = 0, quality = -1;
  for (const Json& row : document["pareto"]) {
    EXPECT_GT(row["cost"].get<double>(), cost);
    EXPECT_GT(row["quality"].get<double>(), quality);
    cost = row["cost"];
    quality = row["quality"];
  }
  // The same command shows the same; another option is refused.
  EXPECT_EQ(run({"--space", space(), "--controller", "random", "--trials", "200", "--json"}).results, first.results);
  EXPECT_EQ(run({"--trials", "201"}).code, 2);
  EXPECT_EQ(run_effnet({"search", "show", study(), "--json"}).results, first.results);
}

TEST_F(SearchCommand, WorkersAndStudiesWithoutTrials) {
  ASSERT_EQ(run({"--space", space(), "--trials", "30", "--workers", "0"}).code, 0);
  EXPECT_EQ(run_effnet({"search", "export", study(), "-o", in_folder("none.toml")}).code, 3);
  const RunResult empty = run_effnet({"search", "show", study(), "--json"});
  EXPECT_EQ(empty.code, 0);
  EXPECT_TRUE(Json::parse(empty.results)["best"].is_null());
  EXPECT_EQ(run_effnet({"search", "show", study()}).code, 0);
  const RunResult part = run_effnet({"search", "worker", study(), "--trials", "5", "--json"});
  ASSERT_EQ(part.code, 0) << part.messages;
  EXPECT_EQ(Json::parse(part.results), (Json{{"done", 5}, {"failed", 0}, {"lost", 0}, {"complete", false}}));
  const RunResult rest = run_effnet({"search", "worker", study(), "--json"});
  EXPECT_TRUE(Json::parse(rest.results)["complete"].get<bool>());
  EXPECT_EQ(Json::parse(run_effnet({"search", "show", study(), "--json"}).results)["trials"].size(), 30U);
}

TEST_F(SearchCommand, ExportsANetworkThatCanBeRead) {
  ASSERT_EQ(run({"--space", space(), "--trials", "20"}).code, 0);
  const std::string file = in_folder("found.toml");
  const RunResult exported = run_effnet({"search", "export", study(), "-o", file, "--name", "mine", "--json"});
  ASSERT_EQ(exported.code, 0) << exported.messages;
  const Json document = Json::parse(exported.results);
  const arch::ArchSpec spec = arch::parse(read_text(file), file);
  EXPECT_EQ(spec.name, "mine");
  EXPECT_EQ(graph::count_macs(spec), document["macs"].get<double>());
  const Json shown = Json::parse(run_effnet({"search", "show", study(), "--json"}).results);
  EXPECT_EQ(document["candidate"], shown["best"]["candidate"]);
  EXPECT_EQ(document["trial"], shown["best"]["trial"]);
  // Another trial, to stdout.
  const RunResult second = run_effnet({"search", "export", study(), "--trial", "2", "-o", "-"});
  EXPECT_EQ(arch::parse(second.results, "stdout").name, "tiny-trial2");
  EXPECT_EQ(run_effnet({"search", "export", study()}).code, 2);
  EXPECT_EQ(run_effnet({"search", "export", study(), "--trial", "99", "-o", file}).code, 2);
  EXPECT_EQ(run_effnet({"search", "export", study(), "--weights", file}).code, 2);  // no supernet
}

TEST_F(SearchCommand, ANameIsPrintable) {
  ASSERT_EQ(run({"--space", space(), "--trials", "5"}).code, 0);
  for (const char* name : {"a\x1b[2Jb", "a\nb", "\xff"}) {
    const RunResult exported = run_effnet({"search", "export", study(), "-o", "-", "--name", name});
    EXPECT_EQ(exported.code, 2);
    EXPECT_NE(exported.messages.find("--name: not printable"), std::string::npos) << exported.messages;
  }
  // Any file name is accepted, and escaped where it is printed.
  const std::string moved = in_folder("b\x1b[2J.study");
  std::filesystem::rename(study(), moved);
  for (const RunResult& shown : {run_effnet({"search", "show", moved}), run_effnet({"search", "run", moved})}) {
    EXPECT_EQ(shown.code, 0) << shown.messages;
    EXPECT_EQ((shown.results + shown.messages).find('\x1b'), std::string::npos);
    EXPECT_NE(shown.results.find("b\\x1b[2J.study"), std::string::npos);
  }
}

// A program whose evaluator is the toy, and that counts how often it is made.
TEST_F(SearchCommand, TheEvaluatorIsMadeOnce) {
  int made = 0;
  std::set<std::filesystem::path> folders;
  const SearchProgram program{.make_evaluator = [&](const search::Space& of, const search::EvaluatorSettings& settings,
                                                    const search::EvaluatorPlace& place) {
    ++made;
    folders.insert(place.folder);
    return search::make_toy_evaluator(of, settings);
  }};
  const auto search_run = [&](std::vector<std::string> words) {
    CLI::App app;
    const Globals globals{.threads = {1}};
    const Body body = declare_search_run(app, globals, program);
    std::reverse(words.begin(), words.end());  // CLI11 expects them reversed
    app.parse(words);
    CapturedOutput captured;
    return body(captured.out);
  };
  EXPECT_EQ(search_run({study(), "--evaluator", "toy", "--space", space(), "--trials", "5"}), 0);
  EXPECT_EQ(made, 1) << "for a new study";
  const std::string other = in_folder("other.study");
  EXPECT_EQ(search_run({other, "--evaluator", "toy", "--space", space(), "--trials", "6", "--workers", "0"}), 0);
  EXPECT_EQ(search_run({other}), 0);
  EXPECT_EQ(made, 3) << "once to check, once to continue";
  EXPECT_EQ(search_run({other}), 0);
  EXPECT_EQ(made, 3) << "a finished study needs none";
  EXPECT_EQ(folders.size(), 2U) << "a continued study uses the folder that it was made with";
}

TEST_F(SearchCommand, DamagedTextsNameStudyAndTrial) {
  ASSERT_EQ(run({"--space", space(), "--trials", "5"}).code, 0);
  const auto change = [&](const char* what) {
    search::open_database(study())->run(fmt::format("UPDATE effnet_trials SET {} WHERE id = 3", what));
  };
  const auto messages = [&] {
    std::string all;
    const std::vector<std::vector<std::string>> commands{
        {"search", "show", study()},
        {"search", "run", study()},
        {"search", "worker", study()},
        {"search", "export", study(), "-o", "-"},
        {"search", "run", in_folder("new"), "--points-of", study(), "--evaluator", "toy"}};
    for (const std::vector<std::string>& command : commands) {
      const RunResult result = run_effnet(command);
      EXPECT_EQ(result.code, 3) << command[1] << result.messages;
      const std::string place = fmt::format("{}: trial 3: ", study());
      EXPECT_NE(result.messages.find(place), std::string::npos) << result.messages;
      all += result.messages;
    }
    return all;
  };
  change("details = '{}'");
  EXPECT_NE(messages().find("wrong details (got '{}'"), std::string::npos);
  change("candidate = 'k9'");
  EXPECT_NE(messages().find("unknown kernel for stage 1 (got 'k9'"), std::string::npos);
}

TEST_F(SearchCommand, ComparesTwoStudiesOfTheSameNetworks) {
  ASSERT_EQ(run({"--space", space(), "--trials", "60", "--controller", "random"}).code, 0);
  const std::string again = in_folder("again.study");
  ASSERT_EQ(run_effnet({"search", "run", again, "--evaluator", "toy", "--points-of", study(), "--trials", "10"}).code,
            0);
  const Json document = Json::parse(run_effnet({"search", "show", again, "--against", study(), "--json"}).results);
  EXPECT_EQ(document["trials"].size(), 10U);
  EXPECT_TRUE(document["controller"].is_null());
  // Both studies have the same toy problem, because their seeds are equal.
  EXPECT_EQ(document["correlation"]["networks"], 10);
  EXPECT_DOUBLE_EQ(document["correlation"]["spearman"].get<double>(), 1);
  EXPECT_DOUBLE_EQ(document["correlation"]["kendall"].get<double>(), 1);
  // With --trials the best and the worst network are among the chosen ones.
  const Json all = Json::parse(run_effnet({"search", "show", study(), "--json"}).results);
  EXPECT_EQ(document["best"]["candidate"], all["best"]["candidate"]);
  // The same space may be named; another space or a controller may not.
  const std::vector<std::string> same{"search", "run", again, "--points-of", study(), "--trials", "10", "--space"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), same.begin(), same.end());
    return run_effnet(more).code;
  };
  EXPECT_EQ(with({space()}), 0);
  EXPECT_EQ(with({"cifar"}), 2);
  EXPECT_EQ(with({space(), "--controller", "random"}), 2);
}

TEST_F(SearchCommand, FewNetworksHaveNoImportance) {
  ASSERT_EQ(run({"--space", space(), "--controller", "random", "--trials", "5"}).code, 0);
  const RunResult few = run_effnet({"search", "show", study()});
  EXPECT_NE(few.results.find("importance of the choices: too few networks (got "), std::string::npos) << few.results;
  EXPECT_TRUE(Json::parse(run_effnet({"search", "show", study(), "--json"}).results)["importance"].empty());
}

TEST_F(SearchCommand, SizesOfSpaces) {
  search::Space small = load_space(space());
  EXPECT_EQ(space_text(small), "tiny (up to 12 networks)");
  EXPECT_EQ(space_text(load_space("cifar")), "cifar (up to 76,527,504 networks)");
  EXPECT_EQ(space_text(load_space("mnasnet")), "mnasnet (up to 4.9 x 10^18 networks)");
}

TEST_F(SearchCommand, WritesAPage) {
  ASSERT_EQ(run({"--space", space(), "--controller", "random", "--trials", "100"}).code, 0);
  const std::string page = in_folder("page.html");
  EXPECT_EQ(run_effnet({"search", "show", study(), "--report", page}).code, 0);
  const std::string text = read_text(page);
  EXPECT_NE(text.find("Search in tiny"), std::string::npos);
  EXPECT_NE(text.find("stage 2: channels"), std::string::npos);
  EXPECT_EQ(run_effnet({"search", "show", study(), "--report", in_folder("no/such/page.html")}).code, 4);
}

TEST_F(SearchCommand, AnUnreachableLimitNamesTheCheapestNetwork) {
  const RunResult run_limit = run({"--space", space(), "--objective", "limit", "--target", "1K"});
  EXPECT_EQ(run_limit.code, 3);
  EXPECT_NE(run_limit.messages.find("the cheapest one found has"), std::string::npos) << run_limit.messages;
  EXPECT_FALSE(std::filesystem::exists(study()));
}

TEST_F(SearchCommand, Help) {
  for (const char* name : {"run", "worker", "show", "export", "latency"}) {
    const RunResult help = run_effnet({"search", name, "--help"});
    EXPECT_EQ(help.code, 0) << name;
    EXPECT_NE(help.results.find("Usage: effnet search " + std::string(name)), std::string::npos) << help.results;
  }
  EXPECT_NE(run_effnet({"search", "run", "--help"}).results.find("nsga2"), std::string::npos);
  EXPECT_NE(run_effnet({"search", "--help"}).results.find("supernet"), std::string::npos);
  EXPECT_EQ(run_effnet({"search"}).code, 2);
}

TEST(WorkerProcesses, WordsWithoutOptions) {
  EXPECT_EQ(words_without({"effnet", "scale", "search", "b", "--workers", "3", "-o", "x", "--out=y", "--json",
                           "--quiet", "--set", "a=1", "--workers=2"},
                          {"--workers", "-o", "--out"}),
            (std::vector<std::string>{"scale", "search", "b", "--set", "a=1"}));
}

TEST(WorkerProcesses, AWorkerThatWasKilledIsNamed) {
  const auto error_of = [](const char* script) {
    return refusal([&] { check_worker(run_process({"sh", "-c", script})); });
  };
  EXPECT_EQ(error_of("kill -9 $$"), "4 a worker was killed by signal 9 (SIGKILL)");
  EXPECT_EQ(error_of("echo why >&2; kill -15 $$"), "4 a worker was killed by signal 15 (SIGTERM): why\n");
  EXPECT_EQ(error_of("echo why >&2; exit 137"), "4 a worker ended with exit code 137: why\n");
  EXPECT_EQ(error_of("exit 3"), "4 a worker ended with exit code 3");
  EXPECT_EQ(error_of("exit 0"), "");
  EXPECT_EQ(refusal([] { check_worker(run_process({"no-such-program-here"})); }).substr(0, 26),
            "4 a worker cannot be start");
}

TEST(WorkerProcesses, Timeouts) {
  EXPECT_EQ(worker_options(60).claim.timeout_s, 60);
  EXPECT_LT(worker_options(60).beat_s, 30);
  EXPECT_EQ(refusal([] { worker_options(0.5); })[0], '2');
  EXPECT_EQ(refusal([] { worker_options(std::nan("")); })[0], '2');
}

}  // namespace
}  // namespace effnet::cli

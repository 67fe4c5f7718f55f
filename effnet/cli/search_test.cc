// effnet search: its commands, with the toy evaluator.
#include <algorithm>
#include <filesystem>
#include <set>

#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/search_export.h"
#include "effnet/cli/search_run.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_testing.h"
#include "effnet/cli/search_text.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/search/study/database.h"

namespace effnet::cli {
namespace {

TEST_F(SearchCommand, FindsTheBestOfAllNetworks) {
  const RunResult first = run({"--space", space(), "--controller", "random", "--trials", "200", "--json"});
  ASSERT_EQ(first.code, 0) << first.messages;
  const Json document = Json::parse(first.results);
  EXPECT_EQ(keys(document), (Keys{"study", "space", "evaluator", "controller", "objective", "budgets", "counts",
                                  "complete", "trials", "best", "pareto", "importance", "optimum"}));
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
  search::open_database(study())->run(
      "UPDATE effnet_trials SET state = 'running', worker = 'other', started_s = 1e9, beat_s = 1e10 WHERE id = 6");
  std::set<std::string> states;
  const Json shown = Json::parse(run_effnet({"search", "show", study(), "--json"}).results);
  for (const Json& trial : shown["trials"]) {
    states.insert(trial["state"].get<std::string>());
    EXPECT_EQ(trial["seconds"].is_null(), trial["state"] != "done") << trial;
  }
  EXPECT_EQ(states, (std::set<std::string>{"done", "running", "waiting"}));
  search::open_database(study())->run("UPDATE effnet_trials SET state = 'waiting', beat_s = 0 WHERE id = 6");
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

// Runs `search run` with the evaluators of `program`.
RunResult run_search(const SearchProgram& program, std::vector<std::string> words) {
  CLI::App app;
  const Globals globals{.threads = {1}};
  const Body body = declare_search_run(app, globals, program);
  std::reverse(words.begin(), words.end());  // CLI11 expects them reversed
  app.parse(words);
  CapturedOutput captured;
  const int code = body(captured.out);
  return {.code = code, .results = {}, .messages = captured.messages.text()};
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
  const auto search_run = [&](const std::vector<std::string>& words) { return run_search(program, words).code; };
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

// An evaluator that no network can be evaluated with.
class FailsAlways final : public search::Evaluator {
 public:
  search::Quality evaluate(const arch::ArchSpec&, const search::Point&, const search::Trial&) override {
    throw search::CandidateError("diverged");
  }
};

TEST_F(SearchCommand, ASearchWithoutASuccessIsAnErrorEachTime) {
  const SearchProgram program{
      .make_evaluator = [](const search::Space&, const search::EvaluatorSettings&,
                           const search::EvaluatorPlace&) -> std::unique_ptr<search::Evaluator> {
        return std::make_unique<FailsAlways>();
      }};
  const auto refused = [&](const std::vector<std::string>& words) {
    return refusal([&] { run_search(program, words); });
  };
  const std::string first = refused({study(), "--evaluator", "toy", "--space", space(), "--trials", "5"});
  EXPECT_EQ(first.substr(0, 2), "3 ");
  EXPECT_NE(first.find(": no trial has succeeded (got 5 failed"), std::string::npos) << first;
  EXPECT_EQ(refused({study()}), first) << "the search has ended, and is only shown";
  EXPECT_EQ(run_effnet({"search", "show", study()}).code, 0);
}

// The toy with images of seven classes; the small space has three.
class ToyWithImages final : public search::Evaluator {
 public:
  explicit ToyWithImages(std::unique_ptr<search::Evaluator> toy) : toy_(std::move(toy)) {}
  search::Quality evaluate(const arch::ArchSpec& spec, const search::Point& point,
                           const search::Trial& trial) override {
    return toy_->evaluate(spec, point, trial);
  }
  std::int64_t classes() const override { return 7; }

 private:
  std::unique_ptr<search::Evaluator> toy_;
};

TEST_F(SearchCommand, NetworksHaveTheClassesOfTheImages) {
  const SearchProgram program{
      .make_evaluator = [](const search::Space& of, const search::EvaluatorSettings& settings,
                           const search::EvaluatorPlace&) -> std::unique_ptr<search::Evaluator> {
        return std::make_unique<ToyWithImages>(search::make_toy_evaluator(of, settings));
      }};
  const auto search_run = [&](const std::vector<std::string>& words) { return run_search(program, words).messages; };
  const std::vector<std::string> words{study(), "--evaluator", "toy", "--space", space(), "--trials", "5"};
  EXPECT_NE(search_run(words).find("the networks have 7 classes, as the images, instead of the 3 of the space"),
            std::string::npos);
  const search::NasSearch stored = stored_search(search::Study(study(), search::kNasStudy));
  arch::ArchSpec base = load_space(space()).base;
  base.classes = 7;
  EXPECT_EQ(stored.space.base.classes, 7);
  EXPECT_EQ(stored.objective.target, graph::count_macs(base)) << "the default";
  EXPECT_EQ(search_run(words).find("classes"), std::string::npos) << "the same command continues it";

  // A target that is given stays; a latency table is of networks with the classes of the space.
  std::vector<std::string> other = words;
  other.front() = in_folder("other.study");
  other.insert(other.end(), {"--target", "1M"});
  search_run(other);
  EXPECT_EQ(stored_search(search::Study(other.front(), search::kNasStudy)).objective.target, 1e6);
  const search::Space tiny = load_space(space());
  std::vector<search::TimedNetwork> timed;
  for (const search::Point& point : search::covering_points(tiny, 0, 1))
    timed.push_back({search::network_of(tiny, point), 2});
  write_text(in_folder("table.json"), search::to_text(search::fit_latency(timed, {})));
  std::vector<std::string> latency = words;
  latency.front() = in_folder("latency.study");
  latency.insert(latency.end(), {"--cost", "latency", "--latency-table", in_folder("table.json"), "--target", "1ms"});
  EXPECT_EQ(refusal([&] { search_run(latency); }),
            "3 tiny: the images have another number of classes than the measured networks (got 7, expected 3)");
}

// Six of eight images are right, and four are of one class: the 95 % interval (Wilson) begins at 41 %.
TEST_F(SearchCommand, FewImagesDoNotTellAnAccuracyFromChance) {
  const auto messages = [&](int images, const char* name) {
    class Measured final : public search::Evaluator {
     public:
      explicit Measured(int images) : images_(images) {}
      search::Quality evaluate(const arch::ArchSpec&, const search::Point&, const search::Trial&) override {
        return {.value = 0.75, .details = Json{{"images", images_}, {"largest_class", images_ / 2}}.dump()};
      }

     private:
      int images_;
    };
    const SearchProgram program{
        .make_evaluator = [&](const search::Space&, const search::EvaluatorSettings&,
                              const search::EvaluatorPlace&) -> std::unique_ptr<search::Evaluator> {
          return std::make_unique<Measured>(images);
        }};
    CLI::App app;
    const Globals globals{.threads = {1}};
    const Body body = declare_search_run(app, globals, program);
    app.parse(std::vector<std::string>{"10", "--trials", space(), "--space", "toy", "--evaluator", in_folder(name)});
    CapturedOutput captured;
    EXPECT_EQ(body(captured.out), 0);
    return captured.messages.text();
  };
  const std::string warning = "too few images to tell the accuracy from chance: 6 of 8 images are right";
  EXPECT_NE(messages(8, "few").find(warning), std::string::npos);
  EXPECT_NE(run_effnet({"search", "show", in_folder("few")}).messages.find(warning), std::string::npos);
  EXPECT_EQ(messages(800, "many").find("chance"), std::string::npos);
}

TEST_F(SearchCommand, AnArchFileIsNoSpace) {
  const std::string file = in_folder("best.toml");
  write_text(file, arch::print(load_space(space()).base));
  const RunResult given = run({"--space", file});
  EXPECT_EQ(given.code, 3);
  EXPECT_NE(given.messages.find("an arch file is no space"), std::string::npos) << given.messages;
  write_text(in_folder("other.toml"), "name = \"other\"\nbase = \"best.toml\"\n[choices]\nkernel = [3, 5]\n");
  const RunResult base = run({"--space", in_folder("other.toml")});
  EXPECT_EQ(base.code, 3);
  EXPECT_NE(base.messages.find("write a table [base]"), std::string::npos) << base.messages;
}

TEST_F(SearchCommand, AnEditedSpaceIsNamedByItsFirstDifference) {
  ASSERT_EQ(run({"--space", space(), "--trials", "5"}).code, 0);
  const auto with = [&](const std::string& old, const std::string& text) {
    std::string edited = kSmallSpace;
    edited.replace(edited.find(old), old.size(), text);
    write_text(space(), edited);
    const RunResult again = run({"--space", space(), "--trials", "5"});
    EXPECT_EQ(again.code, 2);
    return again.messages;
  };
  EXPECT_NE(with("[16, 24, 32]", "[16, 24]").find("channels of stage 2 (got [16, 24], expected [16, 24, 32])"),
            std::string::npos);
  EXPECT_NE(with("kernel = [3, 5]", "").find("kernel of stage 1 (got no choice, expected [3, 5])"), std::string::npos);
  EXPECT_NE(
      with("resolution = 32", "resolution = 40").find("the base (got 'resolution = 40', expected 'resolution = 32')"),
      std::string::npos);
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

// 12 networks: 200 random draws find all of them, 5 do not. The toy's optimum is among them.
TEST_F(SearchCommand, SaysWhenAllNetworksOfTheSpaceAreEvaluated) {
  const RunResult all = run({"--space", space(), "--controller", "random", "--trials", "200"});
  EXPECT_NE(all.results.find("networks of the space: 12 of 12 evaluated; more trials find no other\n"),
            std::string::npos)
      << all.results;
  EXPECT_NE(all.results.find("highest quality in the space, known for toy: 100.00 %, "), std::string::npos);
  const Json json = Json::parse(run_effnet({"search", "show", study(), "--json"}).results);
  const auto best =
      std::ranges::max(json["trials"], {}, [](const Json& trial) { return trial["quality"].get<double>(); });
  EXPECT_EQ(json["optimum"], Json({{"candidate", best["candidate"]}, {"quality", 1.0}, {"cost", best["cost"]}}));
  const std::string again = in_folder("again.study");
  const RunResult more =
      run_effnet({"search", "run", again, "--evaluator", "toy", "--points-of", study(), "--trials", "400"});
  EXPECT_NE(more.messages.find("--trials 400: the other study has only 12 networks"), std::string::npos)
      << more.messages;
  const RunResult few =
      run_effnet({"search", "run", in_folder("few.study"), "--evaluator", "toy", "--space", space(), "--trials", "5"});
  EXPECT_EQ(few.results.find("more trials find no other"), std::string::npos) << few.results;
  EXPECT_NE(few.results.find(" of 12 evaluated\n"), std::string::npos) << few.results;
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

}  // namespace
}  // namespace effnet::cli

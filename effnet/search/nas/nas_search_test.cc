#include "effnet/search/nas/nas_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "effnet/base/text.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/search/json_field.h"

namespace effnet::search {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSpace = R"(
name = "test"
base = "efficientnet_b0"
[choices]
kernel = [3, 5, 7]
expand = [1, 3, 6]
width = [0.75, 1, 1.25]
)";

NasSearch small_search() {
  NasSearch search{.space = parse_space(kSpace, "space.toml"), .objective = {.target = 400e6}, .latency = {}};
  search.controller = "random";
  search.trials = 6;
  search.generation_size = 4;
  search.budgets = {1, 5};
  search.keep = 0.5;
  return search;
}

// A trial as its worker would end it, with this quality. A quality below 0: it failed.
void end(const NasSearch& search, Trial& trial, double quality) {
  const double cost = cost_of(search, network_of(search.space, parse_point(search.space, trial.what.candidate)));
  trial.state = quality < 0 ? TrialState::failed : TrialState::done;
  trial.score = reward(search.objective, quality, cost);
  trial.details = Json{{"quality", quality}, {"cost", cost}}.dump();
}

// Makes all generations. `quality` gives the result of a trial.
std::vector<Trial> run(const NasSearch& search, const std::function<double(const Trial&)>& quality) {
  const Plan plan = plan_of(search);
  std::vector<Trial> all, last;
  std::string state;
  for (std::int64_t generation = 0;; ++generation) {
    NewGeneration next = plan(generation, state, last);
    if (next.trials.empty()) return all;
    state = next.state;
    last.clear();
    for (const NewTrial& one : next.trials) {
      Trial trial{.id = std::ssize(all) + 1, .generation = generation, .what = one};
      end(search, trial, quality(trial));
      all.push_back(trial);
      last.push_back(trial);
    }
  }
}

// For each generation its number of trials and their budget.
std::vector<std::pair<int, double>> shape(const std::vector<Trial>& trials) {
  std::vector<std::pair<int, double>> result;
  for (const Trial& trial : trials) {
    if (trial.generation == std::ssize(result)) result.emplace_back(0, trial.what.budget);
    ++result.back().first;
  }
  return result;
}

std::string message_of(const std::function<void()>& function, ErrorCode code) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(NasSearch, SettingsReadBack) {
  NasSearch search = small_search();
  search.objective = {.form = ObjectiveForm::hard, .cost = "params", .target = 4e6, .weight = -0.1};
  search.control.seed = 18'446'744'073'709'551'615U;
  search.evaluator = {
      .name = "proxy", .recipe = "seed = 1\n", .score = "", .supernet = "", .supernet_digest = "xxh128:12", .seed = 7};
  Draws draws({.seed = 1}, "test");
  search.points = {sample(search.space, draws), sample(search.space, draws)};
  const NasSearch back = parse_nas_search(settings_text(search), "study");
  EXPECT_EQ(settings_text(back), settings_text(search));
  EXPECT_EQ(back.control.seed, search.control.seed);
  EXPECT_EQ(back.points, search.points);
  EXPECT_EQ(back.objective.form, ObjectiveForm::hard);
  EXPECT_EQ(back.evaluator.supernet_digest, "xxh128:12");
  search.evaluator.supernet_digest.clear();  // as in studies of earlier versions
  EXPECT_EQ(parse_nas_search(settings_text(search), "study").evaluator.supernet_digest, "");
}

// A study could not be read again, and JSON refuses such texts with an exception of its own.
TEST(NasSearch, TextsOfTheSettingsMustBeUtf8) {
  for (std::string EvaluatorSettings::*text :
       {&EvaluatorSettings::supernet, &EvaluatorSettings::score, &EvaluatorSettings::recipe}) {
    NasSearch search = small_search();
    search.evaluator.*text = "caf\xe9";
    try {
      settings_text(search);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(), testing::HasSubstr(": not UTF-8 (got 'caf\\xe9'"));
    }
  }
}

TEST(NasSearch, WrongSettingsAreErrors) {
  const Json good = Json::parse(settings_text(small_search()));
  const auto error = [](const Json& json) {
    return message_of([&] { parse_nas_search(json.dump(), "my.study"); }, ErrorCode::input);
  };
  for (const auto& [name, value] : good.items()) {
    Json without = good, other = good;
    without.erase(name);
    EXPECT_THAT(error(without), HasSubstr("my.study")) << name;
    other[name] = Json::array({"x", 1});
    EXPECT_THAT(error(other), HasSubstr("my.study")) << name;
  }
  EXPECT_THAT(error(Json::array()), HasSubstr("not a JSON object"));
  Json objective = good;
  objective["objective"]["form"] = "medium";
  EXPECT_THAT(error(objective), HasSubstr("unknown objective (got 'medium'"));
}

TEST(NasSearch, SettingsThatCannotBeSearched) {
  const auto error = [](const std::function<void(NasSearch&)>& change, ErrorCode code = ErrorCode::usage) {
    NasSearch search = small_search();
    change(search);
    return message_of([&] { check(search); }, code);
  };
  EXPECT_EQ(error([](NasSearch&) {}), "no error");
  EXPECT_THAT(error([](NasSearch& s) { s.objective.cost = "watts"; }), HasSubstr("unknown cost (got 'watts'"));
  EXPECT_THAT(error([](NasSearch& s) { s.objective.cost = "latency"; }), HasSubstr("needs a table"));
  EXPECT_THAT(error([](NasSearch& s) { s.controller = "oracle"; }), HasSubstr("oracle"));
  EXPECT_THAT(error([](NasSearch& s) { s.evaluator.name = "guess"; }), HasSubstr("unknown evaluator (got 'guess'"));
  EXPECT_THAT(error([](NasSearch& s) { s.evaluator.name = "zerocost"; }), HasSubstr("expected limit"));
  EXPECT_THAT(error([](NasSearch& s) { s.budgets = {2, 2}; }), HasSubstr("budgets"));
  EXPECT_THAT(error([](NasSearch& s) { s.budgets = {}; }), HasSubstr("budgets"));
  EXPECT_THAT(error([](NasSearch& s) { s.budgets = {0, 2}; }), HasSubstr("budgets"));
  EXPECT_THAT(error([](NasSearch& s) { s.keep = 0; }), HasSubstr("keep"));
  EXPECT_THAT(error([](NasSearch& s) { s.trials = 0; }), HasSubstr("--trials: out of range"));
  EXPECT_THAT(error([](NasSearch& s) { s.generation_size = 0; }), HasSubstr("--generation: out of range"));
}

// All options of this space make the network cheaper in one direction, so the cheapest network is known.
// A study can be edited by other programs. Its numbers are checked before they are used.
TEST(NasSearch, WrongNumbersOfAStudyAreErrors) {
  const std::string good = settings_text(small_search());
  const auto error = [&](const char* pointer, const Json& value) {
    Json json = Json::parse(good);
    json[Json::json_pointer(pointer)] = value;
    return message_of([&] { parse_nas_search(json.dump(), "my.study"); }, ErrorCode::input);
  };
  EXPECT_EQ(error("/keep", 0.5), "no error");
  EXPECT_THAT(error("/budgets", Json::array()), HasSubstr("my.study: --budgets"));
  EXPECT_THAT(error("/budgets", std::vector<int>(1000, 1)), HasSubstr("--budgets: too many rounds (got 1000"));
  EXPECT_THAT(error("/generation_size", -1), HasSubstr("--generation: out of range"));
  EXPECT_THAT(error("/generation_size", 1'000'000'000'000), HasSubstr("--generation: out of range"));
  EXPECT_THAT(error("/control/tournament", -1), HasSubstr("tournament"));
  EXPECT_THAT(error("/control/hidden", 1'000'000'000), HasSubstr("hidden"));
  EXPECT_THAT(error("/objective/cost", "latency"), HasSubstr("needs a table"));
  EXPECT_THAT(error("/objective/weight", 5), HasSubstr("--weight"));
  EXPECT_THAT(error("/objective/weight", -1000), HasSubstr("--weight"));
  EXPECT_THAT(error("/controller", "oracle"), HasSubstr("oracle"));
}

TEST(NasSearch, GivenNetworksMustMeetTheLimit) {
  NasSearch search = small_search();
  Draws draws({.seed = 1}, "test");
  search.points = {sample(search.space, draws)};
  const double cost = graph::count_macs(network_of(search.space, search.points[0]));
  search.objective = {.form = ObjectiveForm::limit, .target = cost};
  EXPECT_NO_THROW(check(search));
  search.objective.target = cost - 1;
  EXPECT_THAT(message_of([&] { check(search); }, ErrorCode::usage), HasSubstr("a network of the other study"));
}

TEST(NasSearch, AnImpossibleLimitNamesTheCheapestNetwork) {
  for (const ObjectiveForm form : {ObjectiveForm::limit, ObjectiveForm::hard}) {
    NasSearch search = small_search();
    Point cheapest(search.space.choices.size(), 0);
    const double least = graph::count_macs(network_of(search.space, cheapest));
    search.objective = {.form = form, .target = least};
    EXPECT_NO_THROW(check(search));
    search.objective.target = least - 1;
    const std::string message = message_of([&] { check(search); }, ErrorCode::input);
    EXPECT_THAT(message, HasSubstr(to_text(search.space, canonical(search.space, cheapest))));
    EXPECT_THAT(message, HasSubstr(fmt::format("has at most {} MACs (the cheapest one found has {} MACs: ",
                                               grouped(static_cast<std::int64_t>(least) - 1),
                                               grouped(static_cast<std::int64_t>(least)))));
  }
}

// 100 stages with a text of 27 bytes each, "k3 se0.25 skip=false e2 l+0", and 99 separators of 3 bytes.
TEST(NasSearch, ANetworkWhoseTextIsTooLongForAStudyIsAnError) {
  std::string text = R"(
name = "deep"
[choices]
kernel = [3, 5]
se = [0, 0.25]
skip = [true, false]
expand = [2, 4]
layers = [0, 1]
[base]
name = "deep"
resolution = 32
classes = 3
preprocessing = "whole"
[base.stem]
channels = 8
[base.head]
channels = 32
)";
  for (int stage = 0; stage < 100; ++stage) text += "[[base.stages]]\nchannels = 16\nexpand = 2\n";
  NasSearch search = small_search();
  search.space = parse_space(text, "deep.toml");
  EXPECT_THAT(message_of([&] { check(search); }, ErrorCode::input),
              HasSubstr("is too long (got 2997 bytes, expected at most 2000)"));
}

TEST(NasSearch, RoundsOfHalvingWithinEachGenerationOfTheController) {
  const NasSearch search = small_search();
  const auto quality = [](const Trial& trial) { return 0.1 + 0.01 * static_cast<double>(trial.id % 3); };
  const std::vector<Trial> trials = run(search, quality);
  EXPECT_THAT(shape(trials), ElementsAre(std::pair(4, 1.0), std::pair(2, 5.0), std::pair(2, 1.0), std::pair(1, 5.0)));
  for (const std::int64_t generation : {1, 3}) {  // those that go on have the highest rewards of the round before
    double lowest_kept = 1e9, highest_stopped = -1e9;
    for (const Trial& trial : trials) {
      if (trial.generation != generation - 1) continue;
      const bool kept = std::ranges::any_of(trials, [&](const Trial& other) {
        return other.generation == generation && other.what.candidate == trial.what.candidate;
      });
      (kept ? lowest_kept : highest_stopped) =
          kept ? std::min(lowest_kept, trial.score) : std::max(highest_stopped, trial.score);
    }
    EXPECT_GE(lowest_kept, highest_stopped) << generation;
  }
  EXPECT_EQ(settings_text(search), settings_text(small_search()));
  const std::vector<Trial> again = run(search, quality);
  ASSERT_EQ(again.size(), trials.size());
  for (std::size_t i = 0; i < trials.size(); ++i) EXPECT_EQ(again[i].what, trials[i].what);
  // The lists have the networks of the last round; the others had the first round only.
  std::set<std::string> all, last;
  for (const Trial& trial : trials) {
    all.insert(trial.what.candidate);
    if (trial.what.budget == 5) last.insert(trial.what.candidate);
  }
  const NasResult result = result_of(search, read_trials(search.space, trials));
  EXPECT_EQ(result.best.size(), last.size());
  EXPECT_EQ(result.smaller, std::ssize(all) - std::ssize(last));
  EXPECT_GT(result.smaller, 0);
}

// 4 networks with 1 epoch, 2 of them with 5; then 2 with 1, 1 of them with 5: 21 epochs of 10 s.
TEST(NasSearch, TheTimeThatIsLeft) {
  const NasSearch search = small_search();
  std::vector<Trial> trials = run(search, [](const Trial&) { return 0.5; });
  for (Trial& trial : trials) {
    trial.started_s = 100;
    trial.ended_s = 100 + 10 * trial.what.budget;
  }
  const auto first = [&](std::ptrdiff_t count) { return std::vector<Trial>(trials.begin(), trials.begin() + count); };
  EXPECT_FALSE(seconds_left(search, {}, 1));
  EXPECT_EQ(seconds_left(search, first(4), 1), 170);
  EXPECT_EQ(seconds_left(search, first(5), 2), 60) << "12 epochs, 2 workers";
  EXPECT_EQ(seconds_left(search, trials, 1), 0);
  trials[1].twin_of = 1;
  trials[1].ended_s = 100;
  EXPECT_EQ(seconds_left(search, first(4), 1), 170) << "a twin took no time";
  NasSearch given = search;
  given.points.assign(10, Point(search.space.choices.size(), 0));
  EXPECT_EQ(seconds_left(given, first(4), 1), 310) << "one generation: 10 networks, 5 with 5 epochs";
}

TEST(NasSearch, FailedTrialsDoNotGoOn) {
  const NasSearch search = small_search();
  const auto first = run(search, [](const Trial& trial) { return trial.id <= 3 ? -1 : 0.5; });
  EXPECT_THAT(shape(first), ElementsAre(std::pair(4, 1.0), std::pair(1, 5.0), std::pair(2, 1.0), std::pair(1, 5.0)));
  const auto all = run(search, [](const Trial&) { return -1; });
  EXPECT_THAT(shape(all), ElementsAre(std::pair(4, 1.0), std::pair(2, 1.0)));
  const NasResult result = result_of(search, read_trials(search.space, all));
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.failed, 6);
  EXPECT_TRUE(result.best.empty());
}

// Two of four places of the next round: a network that was proposed three times takes one of them.
TEST(NasSearch, ANetworkTakesOnePlaceInTheNextRound) {
  NasSearch search = small_search();
  const Point often = Point(search.space.choices.size(), 0), once = Point(search.space.choices.size(), 1);
  search.points = {often, often, canonical(search.space, once), often};
  const std::vector<Trial> trials = run(search, [](const Trial& trial) { return trial.id == 3 ? 0.4 : 0.5; });
  ASSERT_THAT(shape(trials), ElementsAre(std::pair(4, 1.0), std::pair(2, 5.0)));
  EXPECT_EQ(trials[4].what.candidate, trials[0].what.candidate);
  EXPECT_EQ(trials[5].what.candidate, trials[2].what.candidate);
}

TEST(NasSearch, GivenNetworksAreEvaluatedOnce) {
  NasSearch search = small_search();
  search.budgets = {3};
  Draws draws({.seed = 1}, "test");
  for (int i = 0; i < 9; ++i) search.points.push_back(sample(search.space, draws));
  const std::vector<Trial> trials = run(search, [](const Trial&) { return 0.5; });
  ASSERT_EQ(trials.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(trials[i].what.candidate, to_text(search.space, search.points[i]));
  EXPECT_TRUE(result_of(search, read_trials(search.space, trials)).complete);
}

TEST(NasSearch, ALimitHoldsForAllNetworks) {
  NasSearch search = small_search();
  search.objective = {.form = ObjectiveForm::limit, .target = 200e6};
  search.trials = 40;
  for (const Trial& trial : run(search, [](const Trial&) { return 0.5; }))
    EXPECT_LE(graph::count_macs(network_of(search.space, parse_point(search.space, trial.what.candidate))), 200e6);
}

TEST(NasSearch, StatesThatCannotBeRead) {
  const NasSearch search = small_search();
  const Plan plan = plan_of(search);
  const NewGeneration first = plan(0, "", {});
  EXPECT_THAT(message_of([&] { plan(1, first.state, {}); }, ErrorCode::input), HasSubstr("another round"));
  EXPECT_THAT(message_of([&] { plan(1, "{", {}); }, ErrorCode::input), HasSubstr("not a JSON object"));
  const Json good = Json::parse(first.state);
  for (const auto& [name, value] : good.items()) {
    Json wrong = good;
    wrong[name] = Json::array({"x"});
    EXPECT_NE(message_of([&] { plan(1, wrong.dump(), {}); }, ErrorCode::input), "no error") << name;
  }
  EXPECT_THAT(message_of([&] { plan(1, "", {}); }, ErrorCode::input), HasSubstr("no state"));
  Json unknown = good;
  unknown["results"][0][0] = "k9";
  EXPECT_THAT(message_of([&] { plan(1, unknown.dump(), {}); }, ErrorCode::input),
              HasSubstr("the study's state: point"));
  // Trials of another generation with the same number of networks.
  std::vector<Trial> last;
  for (const NewTrial& one : first.trials) last.push_back({.id = std::ssize(last) + 5, .what = one});
  for (Trial& trial : last) end(search, trial, 0.5);
  const std::string own = std::exchange(last[1].what.candidate, "other");
  EXPECT_THAT(message_of([&] { plan(1, first.state, last); }, ErrorCode::input),
              HasSubstr("another round (got trial 6 of 'other'"));
  last[1].what.candidate = own;
  last[3].details = "{}";
  EXPECT_THAT(message_of([&] { plan(1, first.state, last); }, ErrorCode::input), HasSubstr("trial 8: wrong details"));
  Json wrong = good;
  wrong["alive"] = {0, 1, 2, 4};
  EXPECT_THAT(message_of([&] { plan(1, wrong.dump(), {}); }, ErrorCode::input), HasSubstr("out of range"));
}

TEST(NasSearch, BestAndParetoFront) {
  NasSearch search = small_search();
  search.budgets = {1};
  search.objective = {.form = ObjectiveForm::limit, .target = 1e12};
  Draws draws({.seed = 3}, "test");
  std::vector<Trial> trials;
  for (const double quality : {0.5, 0.7, 0.6, 0.7}) {
    Trial trial{.id = std::ssize(trials) + 1};
    trial.what = {.candidate = to_text(search.space, sample(search.space, draws)), .seed = 1, .budget = 1};
    end(search, trial, quality);
    trials.push_back(trial);
  }
  trials.push_back(trials[1]);  // the same network again
  trials.back().id = 5;
  trials.back().twin_of = 2;
  const NasResult result = result_of(search, read_trials(search.space, trials));
  EXPECT_EQ(result.done, 5);
  EXPECT_EQ(result.twins, 1);
  EXPECT_FALSE(result.complete);  // 5 of 6
  ASSERT_EQ(result.best.size(), 4U);
  EXPECT_EQ(result.best[0].trial, 2);  // equal rewards: the first trial
  EXPECT_EQ(result.best[1].trial, 4);
  EXPECT_EQ(result.best[3].trial, 1);
  for (const NasRow& row : result.best) {  // the definition: no other row is better and cheaper
    const bool beaten = std::ranges::any_of(result.best, [&](const NasRow& other) {
      return other.quality >= row.quality && other.cost <= row.cost &&
             (other.quality > row.quality || other.cost < row.cost);
    });
    const bool in_front =
        std::ranges::any_of(result.pareto, [&](const NasRow& other) { return other.trial == row.trial; });
    EXPECT_EQ(in_front, !beaten) << row.trial;
  }
}

}  // namespace
}  // namespace effnet::search

#include "effnet/search/scale/scale_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

ScaleSearch small_search() {
  ScaleSearch search{.base = arch::variant("efficientnet_b0").spec,
                     .cost = "macs",
                     .factor = 2,
                     .candidates = {},
                     .seeds = {1, 2},
                     .epochs = {1, 4},
                     .keep = 0.5,
                     .recipe = "seed = 1\n"};
  for (const double alpha : {1.0, 1.2, 1.4, 1.6}) {
    for (const double beta : {1.0, 1.1})
      search.candidates.push_back({{alpha, beta, std::sqrt(2 / (alpha * beta * beta))}, 1.9});
  }
  return search;
}

// The score is highest for alpha = 1.2, beta = 1.1.
double score_of(const Trial& trial) {
  const arch::Coefficients c = parse_candidate(trial.what.candidate);
  return 60 + trial.what.budget - 10 * std::abs(c.alpha - 1.2) - 10 * std::abs(c.beta - 1.1) +
         0.01 * static_cast<double>(trial.what.seed);
}

std::vector<Trial> all_trials(const ScaleSearch& search) {
  std::vector<Trial> trials;
  for (std::int64_t round = 0;; ++round) {
    const std::vector<NewTrial> next = next_round(halving_of(search), trials);
    if (next.empty()) return trials;
    for (const NewTrial& one : next) {
      Trial trial{.id = std::ssize(trials) + 1, .generation = round, .what = one, .state = TrialState::done};
      trial.score = score_of(trial);
      trials.push_back(trial);
    }
  }
}

TEST(ScaleSearch, SettingsReadBack) {
  const ScaleSearch search = small_search();
  const ScaleSearch back = parse_scale_search(settings_text(search), "study");
  EXPECT_EQ(settings_text(back), settings_text(search));
  EXPECT_EQ(back.base, search.base);
  EXPECT_FALSE(back.step || back.tolerance) << "a study of an earlier version";
  EXPECT_EQ(back.candidates.size(), 8U);
  EXPECT_EQ(back.candidates[3].coefficients.gamma, search.candidates[3].coefficients.gamma);
  ScaleSearch with_grid = search;
  with_grid.step = 0.05;
  with_grid.tolerance = 0.1;
  const ScaleSearch grid_back = parse_scale_search(settings_text(with_grid), "study");
  EXPECT_EQ(grid_back.step, 0.05);
  EXPECT_EQ(grid_back.tolerance, 0.1);
}

TEST(ScaleSearch, WrongSettingsAreErrors) {
  const auto error = [](std::string text) {
    try {
      parse_scale_search(text, "study");
      return std::string("no error");
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::input);
      return std::string(e.what());
    }
  };
  EXPECT_THAT(error("[]"), HasSubstr("study: settings"));
  const std::string good = settings_text(small_search());
  for (const auto& [from, to, words] :
       {std::tuple("\"keep\": 0.5", "\"keep\": 2", "keep"), std::tuple("\"cost\": \"macs\"", "\"cost\": 3", "cost"),
        std::tuple("alpha=1.4", "alpha=x", "alpha=x"), std::tuple("\"factor\": 2.0", "\"factor\": 0.5", "factor")}) {
    std::string text = good;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, std::string_view(from).size(), to);
    EXPECT_THAT(error(text), HasSubstr(words));
  }
}

TEST(ScaleSearch, TheBestOfTheLastRoundWins) {
  const ScaleSearch search = small_search();
  const std::vector<Trial> trials = all_trials(search);
  ASSERT_EQ(trials.size(), 2U * (8 + 4));
  const ScaleSearchResult result = result_of(search, trials, "study");
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.done, 24);
  ASSERT_EQ(result.rows.size(), 8U);
  EXPECT_EQ(result.best->alpha, 1.2);
  EXPECT_EQ(result.best->beta, 1.1);
  EXPECT_EQ(result.rows[0].round, 1);
  EXPECT_EQ(result.rows[4].round, 0);
  ASSERT_FALSE(result.pareto.empty());
  EXPECT_EQ(result.pareto[0].candidate.coefficients, *result.best);
  for (const ScaleRow& row : result.rows) {
    const auto better = [&](const ScaleRow& other) {
      return other.round == row.round && other.scored.mean >= row.scored.mean &&
             other.candidate.factor <= row.candidate.factor &&
             (other.scored.mean > row.scored.mean || other.candidate.factor < row.candidate.factor);
    };
    const bool listed = std::ranges::any_of(
        result.pareto, [&](const ScaleRow& one) { return one.scored.candidate == row.scored.candidate; });
    EXPECT_EQ(listed, row.round == 1 && std::ranges::none_of(result.rows, better)) << row.scored.candidate;
  }
  EXPECT_EQ(network_of(search, trials[0].what.candidate).name.find("efficientnet_b0-d1-w1-r"), 0U);
}

TEST(ScaleSearch, AnUnfinishedStudyHasAResultToo) {
  const ScaleSearch search = small_search();
  EXPECT_FALSE(result_of(search, {}, "study").best.has_value());
  std::vector<Trial> trials = all_trials(search);
  trials.resize(16);
  trials.back().state = TrialState::running;
  trials[3].state = TrialState::failed;
  const ScaleSearchResult result = result_of(search, trials, "study");
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(result.running, 1);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(result.rows.size(), 8U);
}

TEST(ScaleSearch, IsCompleteIfAllTrialsOfARoundHaveFailed) {
  const ScaleSearch search = small_search();
  std::vector<Trial> trials = all_trials(search);
  for (Trial& trial : trials) {
    if (trial.generation == 1) trial.state = TrialState::failed;
  }
  EXPECT_TRUE(result_of(search, trials, "study").complete);
  trials.resize(16);  // the first round
  EXPECT_FALSE(result_of(search, trials, "study").complete);
  for (Trial& trial : trials) trial.state = TrialState::failed;
  EXPECT_TRUE(next_round(halving_of(search), trials).empty());
  EXPECT_TRUE(result_of(search, trials, "study").complete);
  trials[5].state = TrialState::waiting;
  EXPECT_FALSE(result_of(search, trials, "study").complete);
  EXPECT_FALSE(result_of(search, {}, "study").complete);
}

TEST(ScaleSearch, AnUnknownCandidateNamesStudyAndTrial) {
  const ScaleSearch search = small_search();
  for (const char* text : {"alpha=9 beta=9 gamma=9", "x"}) {
    std::vector<Trial> trials = all_trials(search);
    trials[4].what.candidate = text;
    try {
      result_of(search, trials, "my.study");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr(fmt::format("my.study: trial 5: unknown candidate (got '{}'", text)));
    }
  }
}

// 8 candidates and 2 seeds: 16 trials of 1 epoch, and of the better half 8 trials of 4 epochs, 48 epochs in all.
TEST(ScaleSearch, TimeLeft) {
  const ScaleSearch search = small_search();
  EXPECT_FALSE(seconds_left(search, {}, 1));
  std::vector<Trial> trials = all_trials(search);
  ASSERT_EQ(trials.size(), 24U);
  for (Trial& trial : trials) {
    trial.started_s = 1000;
    trial.ended_s = 1000 + 10 * trial.what.budget;
  }
  EXPECT_EQ(seconds_left(search, trials, 1), 0);
  EXPECT_EQ(seconds_left(search, {trials.begin(), trials.begin() + 3}, 1), 450) << "45 epochs of 10 s";
  EXPECT_EQ(seconds_left(search, {trials.begin(), trials.begin() + 20}, 2), 80) << "4 trials of 4 epochs, 2 workers";
  for (std::size_t i = 0; i < 3; ++i) trials[i].state = TrialState::failed;
  EXPECT_FALSE(seconds_left(search, {trials.begin(), trials.begin() + 3}, 1)) << "no time of a whole trial";
  trials[3].state = TrialState::running;
  trials[3].ended_s = 0;
  EXPECT_EQ(seconds_left(search, {trials.begin(), trials.begin() + 5}, 1), 440) << "3 failed, 1 done, 1 running";
}

}  // namespace
}  // namespace effnet::search

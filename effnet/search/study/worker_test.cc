#include "effnet/search/study/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/search/scale/halving.h"

namespace effnet::search {
namespace {

using testing::ElementsAre;

// Three rounds of nine candidates. The score of candidate "c5" is 5, plus a part that depends on seed and budget.
Halving nine() {
  Halving halving{.candidates = {}, .seeds = {7, 8}, .budgets = {1, 3, 9}};
  for (int i = 0; i < 9; ++i) halving.candidates.push_back(fmt::format("c{}", i));
  return halving;
}

double score_of(const Trial& trial) {
  return trial.what.candidate[1] - '0' + 0.01 * static_cast<double>(trial.what.seed) + 0.1 * trial.what.budget;
}

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() { Study::create(file(), "toy", ""); }
  std::filesystem::path file() const { return folder_.path() / "study.sqlite"; }

  // A clock that moves on only when a worker waits.
  WorkerOptions options(const std::string& name) {
    WorkerOptions options;
    options.name = name;
    options.beat_s = 1000;
    options.now = [this] { return static_cast<double>(now_.load()); };
    options.sleep = [this](double) {
      now_ += 50;
      std::this_thread::yield();
    };
    return options;
  }
  std::map<std::pair<std::string, std::uint64_t>, double> results() {
    std::map<std::pair<std::string, std::uint64_t>, double> rows;
    for (const Trial& trial : Study(file(), "toy").trials()) {
      EXPECT_EQ(trial.state, TrialState::done);
      rows[{fmt::format("{} {}", trial.generation, trial.what.candidate), trial.what.seed}] += trial.score;
    }
    return rows;
  }

 private:
  TemporaryFolder folder_;
  std::atomic<std::int64_t> now_ = 0;
};

TEST_F(WorkerTest, OneWorkerEvaluatesAllRounds) {
  Study study(file(), "toy");
  const Halving halving = nine();
  const WorkerResult result = work(
      study, "toy", [&](const auto& ended) { return next_round(halving, ended); },
      [](const Trial& trial) {
        return Evaluation{score_of(trial), "{}"};
      },
      options("a"));
  EXPECT_EQ(result.done, 2 * (9 + 3 + 1));
  const std::vector<Trial> trials = study.trials();
  ASSERT_EQ(trials.size(), 26U);
  EXPECT_EQ(trials.back().what.candidate, "c8");
  EXPECT_EQ(trials.back().what.budget, 9);
  const std::vector<Scored> last = scores_of_round(halving, trials, 1);
  ASSERT_EQ(last.size(), 3U);
  EXPECT_EQ(last[0].candidate, "c8");
  EXPECT_NEAR(last[0].mean, 8 + 0.075 + 0.3, 1e-12);
  EXPECT_NEAR(last[0].deviation, 0.01 / std::sqrt(2.0), 1e-12);
}

// Workers that die in the middle of a trial: no trial is lost, none is counted twice, and the result is that of one
// worker.
TEST_F(WorkerTest, DyingWorkersChangeNothing) {
  struct Death {};
  const Halving halving = nine();
  const Plan plan = [&](const auto& ended) { return next_round(halving, ended); };
  std::atomic<int> evaluations = 0, names = 0;
  const auto live_and_die = [&] {
    while (true) {
      try {
        Study study(file(), "toy");
        WorkerOptions own = options(fmt::format("w{}", names++));
        own.claim.most_attempts = 1000;
        work(
            study, "toy", plan,
            [&](const Trial& trial) {
              if (++evaluations % 3 == 0) throw Death();  // no Error: the worker is gone, its trial is still running
              return Evaluation{score_of(trial), "{}"};
            },
            own);
        return;
      } catch (const Death&) {
      }
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(live_and_die);
  for (std::thread& worker : workers) worker.join();
  EXPECT_GT(evaluations, 26);

  const auto rows = results();
  EXPECT_EQ(rows.size(), 26U);
  double sum = 0;
  for (const auto& [key, score] : rows) sum += score;
  double expected = 0;
  for (const auto& [candidates, budget] :
       {std::pair{std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}, 1.0}, std::pair{std::vector<int>{6, 7, 8}, 3.0},
        std::pair{std::vector<int>{8}, 9.0}}) {
    for (const int candidate : candidates) expected += 2 * (candidate + 0.1 * budget) + 0.15;
  }
  EXPECT_NEAR(sum, expected, 1e-9);
}

TEST_F(WorkerTest, AnInterruptGivesTheTrialBack) {
  Study study(file(), "toy");
  const Halving halving = nine();
  const Plan plan = [&](const auto& ended) { return next_round(halving, ended); };
  const Evaluate interrupted = [](const Trial&) -> Evaluation { throw Error(ErrorCode::interrupted, "signal"); };
  EXPECT_THROW(work(study, "toy", plan, interrupted, options("a")), Error);
  EXPECT_EQ(study.trials()[0].state, TrialState::waiting);
  EXPECT_EQ(study.trials()[0].attempts, 0);
}

TEST_F(WorkerTest, AFailedTrialEndsAsTheWorst) {
  Study study(file(), "toy");
  const Halving halving = nine();
  const WorkerResult result = work(
      study, "toy", [&](const auto& ended) { return next_round(halving, ended); },
      [](const Trial& trial) -> Evaluation {
        if (trial.what.candidate == "c8" && trial.what.seed == 8) throw input_error("loss is not finite");
        if (trial.what.candidate == "c7") return {std::nan(""), ""};
        return {score_of(trial), "{}"};
      },
      options("a"));
  EXPECT_EQ(result.failed, 3);
  EXPECT_EQ(study.trials().back().what.candidate, "c6");
  const std::vector<Scored> first = scores_of_round(halving, study.trials(), 0);
  EXPECT_EQ(first[7].candidate, "c8") << "one of its seeds has a score";
  EXPECT_EQ(first[8].candidate, "c7");
}

TEST(Halving, EqualMeansKeepTheOrderOfTheCandidates) {
  const Halving halving{.candidates = {"b", "a", "c"}, .seeds = {0}, .budgets = {1, 2}, .keep = 0.5};
  std::vector<Trial> ended;
  for (const NewTrial& one : next_round(halving, {}))
    ended.push_back({.id = std::ssize(ended) + 1, .what = one, .state = TrialState::done, .score = 1});
  std::vector<std::string> second;
  for (const NewTrial& one : next_round(halving, ended)) second.push_back(one.candidate);
  EXPECT_THAT(second, ElementsAre("b", "a"));
}

TEST(Halving, RefusesAnEmptySearch) {
  EXPECT_THROW(next_round({}, {}), Error);
  EXPECT_THROW(next_round({.candidates = {"a"}, .seeds = {0}, .budgets = {1}, .keep = 0}, {}), Error);
}

}  // namespace
}  // namespace effnet::search

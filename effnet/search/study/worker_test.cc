#include "effnet/search/study/worker.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <map>
#include <new>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/search/scale/halving.h"
#include "effnet/search/study/study_testing.h"

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

Evaluation by_score(const Trial& trial) { return {score_of(trial), "{}"}; }

class WorkerTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (!IsSkipped()) Study::create(where(), "toy", "");
  }
  Study open() const { return Study(where(), "toy"); }

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
    for (const Trial& trial : open().trials()) {
      EXPECT_EQ(trial.state, TrialState::done);
      rows[{fmt::format("{} {}", trial.generation, trial.what.candidate), trial.what.seed}] += trial.score;
    }
    return rows;
  }

 private:
  std::atomic<std::int64_t> now_ = 0;
};
INSTANTIATE_TEST_SUITE_P(On, WorkerTest, kEachDriver, driver_name);

TEST_P(WorkerTest, OneWorkerEvaluatesAllRounds) {
  Study study = open();
  const Halving halving = nine();
  const WorkerResult result = work(study, "toy", plan_of(halving), by_score, options("a"));
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
TEST_P(WorkerTest, DyingWorkersChangeNothing) {
  struct Death {};
  const Plan plan = plan_of(nine());
  std::atomic<int> evaluations = 0, names = 0;
  const auto live_and_die = [&] {
    while (true) {
      try {
        Study study = open();
        WorkerOptions own = options(fmt::format("w{}", names++));
        own.claim.most_attempts = 1000;
        work(
            study, "toy", plan,
            [&](const Trial& trial) {
              if (++evaluations % 3 == 0) throw Death();  // no Error: the worker is gone, its trial is still running
              return by_score(trial);
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

// A signal, a machine whose disk is full, and images that cannot be read: none of them is the candidate's fault.
TEST_P(WorkerTest, AWorkerThatMustStopGivesTheTrialBack) {
  Study study = open();
  for (const ErrorCode code : {ErrorCode::interrupted, ErrorCode::environment, ErrorCode::input, ErrorCode::usage}) {
    const Evaluate stopped = [&](const Trial&) -> Evaluation { throw Error(code, "stop"); };
    EXPECT_EQ(failure(code, [&] { work(study, "toy", plan_of(nine()), stopped, options("a")); }), "stop");
    EXPECT_EQ(study.trials()[0].state, TrialState::waiting);
    EXPECT_EQ(study.trials()[0].attempts, 0);
  }
  const Evaluate no_memory = [&](const Trial&) -> Evaluation { throw std::bad_alloc(); };
  EXPECT_THROW(work(study, "toy", plan_of(nine()), no_memory, options("a")), std::bad_alloc);
  EXPECT_EQ(study.trials()[0].state, TrialState::waiting);
}

TEST_P(WorkerTest, AnErrorOfThePlanNamesTheStudy) {
  Study study = open();
  const auto with = [&](ErrorCode code) {
    const Plan plan = [&](std::int64_t, std::string_view, const std::vector<Trial>&) -> NewGeneration {
      throw Error(code, "wrong state");
    };
    return failure(code, [&] { work(study, "toy", plan, by_score, options("a")); });
  };
  EXPECT_EQ(with(ErrorCode::input), study.name() + ": wrong state");
  EXPECT_EQ(with(ErrorCode::internal), "wrong state") << "not about the study";
}

TEST_P(WorkerTest, AFailedTrialEndsAsTheWorst) {
  Study study = open();
  const Halving halving = nine();
  const WorkerResult result = work(
      study, "toy", plan_of(halving),
      [](const Trial& trial) -> Evaluation {
        if (trial.what.candidate == "c8" && trial.what.seed == 8) throw CandidateError("loss is not finite");
        if (trial.what.candidate == "c7") return {std::nan(""), ""};
        return by_score(trial);
      },
      options("a"));
  EXPECT_EQ(result.failed, 3);
  EXPECT_EQ(study.trials().back().what.candidate, "c6");
  const std::vector<Scored> first = scores_of_round(halving, study.trials(), 0);
  EXPECT_EQ(first[7].candidate, "c8") << "one of its seeds has a score";
  EXPECT_EQ(first[8].candidate, "c7");
}

// A plan that proposes networks again. Only new networks are evaluated, and only once.
TEST_P(WorkerTest, TwinsAreEvaluatedOnceByAnyNumberOfWorkers) {
  constexpr int kGenerations = 8, kTrials = 10, kNetworks = 9;
  // The network of a place in a generation depends on the scores of the generation before.
  const auto network = [](double scores, int place) { return (static_cast<int>(scores) + place * place) % kNetworks; };
  const Plan plan = [&](std::int64_t generation, std::string_view state, const std::vector<Trial>& last) {
    EXPECT_EQ(state, std::string(static_cast<std::size_t>(generation), 'x'));
    NewGeneration next{.trials = {}, .state = std::string(state) + "x"};
    double scores = 0;
    for (const Trial& trial : last) scores += trial.score;
    for (int i = 0; i < kTrials && generation < kGenerations; ++i)
      next.trials.push_back({fmt::format("c{}", network(scores, i)), 0, 1});
    return next;
  };
  std::atomic<int> evaluations = 0;
  const Evaluate evaluate = [&](const Trial& trial) {
    ++evaluations;
    return by_score(trial);
  };
  std::vector<std::thread> workers;
  workers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      Study study = open();
      WorkerOptions own = options(fmt::format("w{}", i));
      own.claim.timeout_s = 1e9;
      work(study, "toy", plan, evaluate, own);
    });
  }
  for (std::thread& worker : workers) worker.join();
  // The same search without a study.
  std::map<int, std::int64_t> first;
  std::vector<std::string> expected, found;
  double scores = 0;
  for (int generation = 0; generation < kGenerations; ++generation) {
    double next = 0;
    for (int i = 0; i < kTrials; ++i) {
      const int c = network(scores, i);
      const auto id = std::ssize(expected) + 1;
      const std::int64_t same = first.try_emplace(c, id).first->second;
      expected.push_back(fmt::format("{} c{} {:.1f} {}", generation, c, c + 0.1, same == id ? 0 : same));
      next += c + 0.1;
    }
    scores = next;
  }
  for (const Trial& trial : open().trials())
    found.push_back(fmt::format("{} {} {:.1f} {}", trial.generation, trial.what.candidate, trial.score, trial.twin_of));
  EXPECT_EQ(found, expected);
  EXPECT_EQ(evaluations, std::ssize(first));
}

TEST_P(WorkerTest, EndsAfterTheMostTrials) {
  Study study = open();
  WorkerOptions own = options("a");
  own.most_trials = 5;
  const Evaluate evaluate = [](const Trial& trial) -> Evaluation {
    if (trial.id == 2) throw CandidateError("no memory");
    return by_score(trial);
  };
  const WorkerResult result = work(study, "toy", plan_of(nine()), evaluate, own);
  EXPECT_EQ(result.done, 4);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(study.counts(), (TrialCounts{.waiting = 13, .running = 0, .done = 4, .failed = 1}));
  EXPECT_EQ(work(study, "toy", plan_of(nine()), evaluate, options("b")).done, 13 + 8) << "no limit";
}

TEST_P(WorkerTest, TheHeartBeatsDuringAnEvaluation) {
  Study study = open();
  WorkerOptions own = options("a");
  own.beat_s = 1e-3;
  std::atomic<int> clock = 0;
  own.now = [&] { return static_cast<double>(++clock); };
  own.most_trials = 2;
  const std::unique_ptr<Database> database = open_database(where());
  const auto last_beat = [&](std::int64_t trial) {
    double time = 0;
    database->run("SELECT beat_s FROM effnet_trials WHERE id = $1", {trial},
                  [&](const Row& row) { time = row.number(0); });
    return time;
  };
  const Evaluate evaluate = [&](const Trial& trial) {
    for (const double before = last_beat(trial.id); last_beat(trial.id) < before + 2;) std::this_thread::yield();
    return by_score(trial);
  };
  EXPECT_EQ(work(study, "toy", plan_of(nine()), evaluate, own).done, 2);
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

TEST(Halving, RefusesARoundWithoutAllItsTrials) {
  const Halving halving{.candidates = {"a", "b", "c", "d"}, .seeds = {0, 1}, .budgets = {1, 2, 3}, .keep = 0.5};
  std::vector<Trial> trials;
  const auto end_round = [&](std::int64_t round) {
    for (const NewTrial& one : next_round(halving, trials)) {
      trials.push_back({.id = std::ssize(trials) + 1, .generation = round, .what = one, .state = TrialState::done});
    }
  };
  const auto refusal = [&] { return failure(ErrorCode::input, [&] { next_round(halving, trials); }); };
  end_round(0);
  const std::vector<Trial> first = trials;
  trials.pop_back();  // one seed
  EXPECT_EQ(refusal(), "round 1: other trials than planned (got 7 trials of 4 candidates, expected 8 of 4)");
  trials.pop_back();  // a candidate
  EXPECT_EQ(refusal(), "round 1: other trials than planned (got 6 trials of 3 candidates, expected 8 of 4)");
  trials = first;
  end_round(1);
  trials.pop_back();
  EXPECT_EQ(refusal(), "round 2: other trials than planned (got 3 trials of 2 candidates, expected 4 of 2)");
}

TEST(Halving, RefusesAnEmptySearch) {
  EXPECT_THROW(next_round({}, {}), Error);
  EXPECT_THROW(next_round({.candidates = {"a"}, .seeds = {0}, .budgets = {1}, .keep = 0}, {}), Error);
}

}  // namespace
}  // namespace effnet::search

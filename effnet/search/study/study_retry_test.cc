// Lost connections: Study and work() repeat what was lost, and nothing is lost or counted twice.
#include <gmock/gmock.h>

#include "effnet/base/error.h"
#include "effnet/search/study/study.h"
#include "effnet/search/study/study_testing.h"
#include "effnet/search/study/worker.h"

namespace effnet::search {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// When the connection is lost: before a call reached the server, or after the server has done it.
struct Loss {
  int call = 0;  // counts from 0; the calls are run(), begin_write() and commit()
  bool done = false;
};

// Loses its connection once. The transaction is then undone, as a server does it, unless its commit was done.
class LosingDatabase final : public PassingDatabase {
 public:
  LosingDatabase(std::unique_ptr<Database> inner, Loss loss, int& calls, WaitOptions waiting)
      : PassingDatabase(std::move(inner), std::move(waiting)), loss_(loss), calls_(calls) {}

  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    std::int64_t changed = 0;
    lose_around([&] { changed = PassingDatabase::run(sql, values, each_row); });
    return changed;
  }
  void begin_write(Sync) override {  // never syncs, so that the test does not wait for the disk
    lose_around([&] { PassingDatabase::begin_write(Sync::later); });
  }
  void commit() override {
    lose_around([&] { PassingDatabase::commit(); });
  }

 private:
  template <class Call>
  void lose_around(const Call& call) {
    const bool lost = calls_++ == loss_.call;
    if (!lost || loss_.done) call();
    if (!lost) return;
    inner().roll_back();
    throw ConnectionLost(name(), "test");
  }

  Loss loss_;
  int& calls_;
};

// Three generations of four trials; two of them are twins. The state counts the generations.
NewGeneration plan(std::int64_t generation, std::string_view state, const std::vector<Trial>& last) {
  EXPECT_EQ(state.size(), static_cast<std::size_t>(generation));
  EXPECT_EQ(last.size(), generation == 0 ? 0U : 4U);
  if (generation == 3) return {};
  const auto number = static_cast<std::uint64_t>(generation);
  return {.trials = {{"a", number, 1}, {"b", number, 1}, {"a", number, 1}, {"same", 0, 1}},
          .state = std::string(state) + "x"};
}

struct Search {
  std::string trials;   // all that was stored but the worker
  int evaluations = 0;  // calls of the evaluator
  int calls = 0;        // of the database
  int slept = 0;
};

// Searches with the study `file`, which is new.
Search search_with(const std::string& file, Loss loss) {
  Search search;
  const WaitOptions waiting{.sleep = [&](double) { ++search.slept; }};
  Study study(std::make_unique<LosingDatabase>(open_database(file), loss, search.calls, waiting), "toy");
  double now = 0;
  WorkerOptions options;
  options.name = "worker";
  options.beat_s = 1000;
  options.now = [&] { return ++now; };
  options.sleep = [](double) { FAIL() << "there is always something to do"; };
  const Evaluate evaluate = [&](const Trial& trial) -> Evaluation {
    ++search.evaluations;
    if (trial.what.candidate == "b" && trial.generation == 1) throw CandidateError("fails");
    return {static_cast<double>(trial.what.seed) + 0.5, "{}"};
  };
  const WorkerResult result = work(study, "toy", plan, evaluate, options);
  EXPECT_EQ(result.lost, 0);
  EXPECT_EQ(result.done + result.failed, search.evaluations);
  for (const Trial& trial : study.trials()) {
    search.trials +=
        fmt::format("{} {} {} {} {} {} {} {} {}\n", trial.id, trial.generation, trial.what.candidate, trial.what.seed,
                    name_in(kTrialStates, trial.state), trial.attempts, trial.score, trial.details, trial.twin_of);
  }
  return search;
}

TEST(LostConnection, ChangesNothingWheneverItHappens) {
  const TemporaryFolder folder;
  const std::filesystem::path empty = folder.path() / "empty";
  Study::create(empty, "toy", "");
  const auto file = [&](int number) {
    const std::filesystem::path copy = folder.path() / std::to_string(number);
    std::filesystem::copy_file(empty, copy);
    return copy.string();
  };
  const Search expected = search_with(file(0), {.call = -1});
  EXPECT_EQ(expected.evaluations, 2 * 3 + 1) << "a and b of each generation, and the one that is always the same";
  EXPECT_EQ(expected.slept, 0);
  int number = 0;
  for (int call = 0; call < expected.calls; ++call) {
    for (const bool done : {false, true}) {
      const Search search = search_with(file(++number), {call, done});
      EXPECT_EQ(search.trials, expected.trials) << "call " << call << (done ? ", answer lost" : ", not arrived");
      EXPECT_EQ(search.evaluations, expected.evaluations) << call;
      EXPECT_EQ(search.slept, 1) << call;
    }
  }
}

// A server that never comes back.
class DeadDatabase final : public PassingDatabase {
 public:
  using PassingDatabase::PassingDatabase;
  void begin_write(Sync) override { throw ConnectionLost(name(), "closed"); }
  void reconnect() override { throw ConnectionLost(name(), "refused"); }
};

TEST(LostConnection, IsAnErrorAfterSixtyAttempts) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "study").string();
  Study::create(file, "toy", "");
  double slept = 0;
  const WaitOptions waiting{.sleep = [&](double seconds) { slept += seconds; }};
  Study study(std::make_unique<DeadDatabase>(open_database(file), waiting), "toy");
  EXPECT_THAT(failure(ErrorCode::environment, [&] { study.claim("a", 0); }),
              AllOf(HasSubstr("the connection to " + file + " was lost (refused)"), HasSubstr("60 failed attempts")));
  EXPECT_EQ(slept, 60);
}

TEST(LostConnection, ASignalEndsTheWait) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "study").string();
  Study::create(file, "toy", "");
  const WaitOptions waiting{.sleep = [](double) { throw Error(ErrorCode::interrupted, "signal"); }};
  Study study(std::make_unique<DeadDatabase>(open_database(file), waiting), "toy");
  EXPECT_EQ(failure(ErrorCode::interrupted, [&] { study.claim("a", 0); }), "signal");
}

}  // namespace
}  // namespace effnet::search

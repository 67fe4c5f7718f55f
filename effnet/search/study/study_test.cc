#include "effnet/search/study/study.h"

#include <gmock/gmock.h>

#include <thread>

#include "effnet/base/error.h"
#include "effnet/search/study/study_testing.h"

namespace effnet::search {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StudyTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (!IsSkipped()) Study::create(where(), "toy", "{\"a\":1}");
  }
  Study open() const { return Study(where(), "toy"); }
};
INSTANTIATE_TEST_SUITE_P(On, StudyTest, kEachDriver, driver_name);

const std::vector<NewTrial> kThree{
    {"x", 1, 2.5}, {"y'; DROP TABLE effnet_trials; --", 0, 1}, {"z $1 ä", ~0ULL, 1e-300}};

std::vector<std::int64_t> ids(const std::vector<Trial>& trials) {
  std::vector<std::int64_t> result;
  result.reserve(trials.size());
  for (const Trial& trial : trials) result.push_back(trial.id);
  return result;
}

TEST_P(StudyTest, KeepsSettingsTrialsAndState) {
  EXPECT_TRUE(Study::exists(where()));
  {
    Study study = open();
    EXPECT_EQ(study.generations(), 0);
    EXPECT_EQ(study.state(), "");
    EXPECT_TRUE(study.add_generation(0, kThree, "state\nö 1"));
  }
  Study study = open();
  EXPECT_EQ(study.settings(), "{\"a\":1}");
  EXPECT_EQ(study.generations(), 1);
  EXPECT_EQ(study.state(), "state\nö 1");
  const std::vector<Trial> trials = study.trials();
  ASSERT_EQ(trials.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(trials[i].what, kThree[i]);
    EXPECT_EQ(trials[i].id, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(trials[i].state, TrialState::waiting);
    EXPECT_EQ(trials[i].twin_of, 0);
  }
}

TEST_P(StudyTest, NumbersReadBackExactly) {
  Study study = open();
  study.add_generation(0, std::vector<NewTrial>{{"x", 1ULL << 63, 0.1 + 0.2}}, "");
  const double now = 1.7e9 + 1.0 / 3;
  study.claim("a", now);
  EXPECT_TRUE(study.finish(1, "a", -1.0 / 3, "{\"x\": [1, 2]}", now + 0.1));
  const Trial trial = study.trials().at(0);
  EXPECT_EQ(trial.what, (NewTrial{"x", 1ULL << 63, 0.1 + 0.2}));
  EXPECT_EQ(trial.started_s, now);
  EXPECT_EQ(trial.ended_s, now + 0.1);
  EXPECT_EQ(trial.score, -1.0 / 3);
  EXPECT_EQ(trial.details, "{\"x\": [1, 2]}");
}

TEST_P(StudyTest, AGenerationIsAddedOnce) {
  Study a = open(), b = open();
  EXPECT_TRUE(a.add_generation(0, kThree, "first"));
  EXPECT_FALSE(b.add_generation(0, kThree, "no"));
  EXPECT_FALSE(b.add_generation(2, kThree, "no"));
  EXPECT_EQ(b.state(), "first");
  EXPECT_TRUE(b.add_generation(1, kThree, "second"));
  EXPECT_EQ(a.state(), "second");
  EXPECT_EQ(ids(a.trials()), (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(ids(a.trials_of(1)), ElementsAre(4, 5, 6));
  EXPECT_TRUE(a.trials_of(2).empty());
  EXPECT_THROW(a.add_generation(2, {}, ""), Error);
  EXPECT_THROW(a.add_generation(2, std::vector<NewTrial>{{std::string(kLongestCandidate + 1, 'x'), 0, 1}}, ""), Error);
  EXPECT_EQ(a.generations(), 2);
}

// More trials than one statement adds, with the longest candidates that are allowed and hard to compress.
TEST_P(StudyTest, AddsLargeGenerations) {
  std::vector<NewTrial> many(175);
  std::uint64_t random = 1;
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i] = {"", i, static_cast<double>(i)};
    while (many[i].candidate.size() < kLongestCandidate) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      many[i].candidate += static_cast<char>('!' + (random >> 33) % 94);
    }
  }
  Study study = open();
  ASSERT_TRUE(study.add_generation(0, many, ""));
  const std::vector<Trial> trials = study.trials();
  ASSERT_EQ(trials.size(), many.size());
  for (std::size_t i = 0; i < many.size(); ++i) EXPECT_EQ(trials[i].what, many[i]);
}

TEST_P(StudyTest, EachTrialIsClaimedOnce) {
  Study a = open(), b = open();
  a.add_generation(0, kThree, "");
  EXPECT_EQ(a.claim("a", 10)->id, 1);
  EXPECT_EQ(b.claim("b", 11)->id, 2);
  EXPECT_EQ(a.claim("a", 12)->id, 3);
  EXPECT_FALSE(b.claim("b", 13).has_value());
  EXPECT_FALSE(b.plan_input().has_value());
  EXPECT_TRUE(a.finish(1, "a", 0.5, "{}", 14));
  EXPECT_FALSE(a.finish(1, "a", 0.7, "{}", 15)) << "it has ended";
  EXPECT_FALSE(a.finish(2, "a", 0.7, "{}", 15)) << "another worker holds it";
  EXPECT_EQ(a.counts(), (TrialCounts{.waiting = 0, .running = 2, .done = 1, .failed = 0}));
  EXPECT_TRUE(b.fail(2, "b", "no memory\nat all \xff", 16));
  EXPECT_TRUE(a.finish(3, "a", -1, "{}", 17));
  EXPECT_EQ(a.counts(), (TrialCounts{.waiting = 0, .running = 0, .done = 2, .failed = 1}));
  const std::vector<Trial> trials = b.trials();
  EXPECT_EQ(trials[0].score, 0.5);
  EXPECT_EQ(trials[0].started_s, 10);
  EXPECT_EQ(trials[0].ended_s, 14);
  EXPECT_EQ(trials[1].state, TrialState::failed);
  EXPECT_EQ(trials[1].details, "no memory at all \\xff") << "on one line, and UTF-8";
}

TEST_P(StudyTest, APlanGetsTheLastGenerationAndItsState) {
  Study study = open();
  const std::optional<PlanInput> first = study.plan_input();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->generation, 0);
  EXPECT_EQ(first->state, "");
  EXPECT_TRUE(first->last.empty());
  for (const std::int64_t generation : {0, 1}) {
    study.add_generation(generation, kThree, fmt::format("state {}", generation));
    EXPECT_FALSE(study.plan_input().has_value());
    for (int i = 0; i < 3; ++i) {
      if (const std::optional<Trial> trial = study.claim("a", i)) study.finish(trial->id, "a", 7, "{}", i);
    }
  }
  const std::optional<PlanInput> third = study.plan_input();
  ASSERT_TRUE(third.has_value()) << "the trials of generation 1 are twins of generation 0";
  EXPECT_EQ(third->generation, 2);
  EXPECT_EQ(third->state, "state 1");
  EXPECT_THAT(ids(third->last), ElementsAre(4, 5, 6));
}

TEST_P(StudyTest, ATrialOfADeadWorkerIsClaimedAgain) {
  Study study = open();
  study.add_generation(0, std::span(kThree).first(1), "");
  const ClaimOptions options{.timeout_s = 100, .most_attempts = 2};
  EXPECT_EQ(study.claim("a", 0, options)->attempts, 1);
  EXPECT_TRUE(study.beat(1, "a", 60));
  EXPECT_FALSE(study.claim("b", 160, options).has_value()) << "the last heartbeat is not older than 100 s";
  EXPECT_EQ(study.claim("b", 161, options)->attempts, 2);
  EXPECT_FALSE(study.beat(1, "a", 162));
  EXPECT_FALSE(study.finish(1, "a", 9, "{}", 163)) << "b holds it now";
  EXPECT_FALSE(study.claim("c", 262, options).has_value()) << "that was the last attempt";
  EXPECT_EQ(study.trials()[0].state, TrialState::failed);
  EXPECT_THAT(study.trials()[0].details, HasSubstr("died"));
  EXPECT_TRUE(study.plan_input().has_value());
}

// The clock of a machine can be ahead of the others.
TEST_P(StudyTest, AHeartbeatFromTheFutureIsNone) {
  Study study = open();
  study.add_generation(0, std::span(kThree).first(1), "");
  const ClaimOptions options{.timeout_s = 100};
  study.claim("ahead", 1000, options);
  EXPECT_FALSE(study.claim("b", 900, options).has_value()) << "a difference of clocks that is not above the time limit";
  EXPECT_EQ(study.claim("b", 899, options)->attempts, 2);

  const ClaimOptions two{.timeout_s = 100, .most_attempts = 2};
  EXPECT_FALSE(study.claim("c", 700, two).has_value()) << "that was the last attempt";
  EXPECT_EQ(study.trials()[0].state, TrialState::failed);
}

TEST_P(StudyTest, AReleasedTrialWaitsAgain) {
  Study study = open();
  study.add_generation(0, std::span(kThree).first(1), "");
  study.claim("a", 0);
  EXPECT_FALSE(study.release(1, "b"));
  EXPECT_TRUE(study.release(1, "a"));
  EXPECT_EQ(study.trials()[0].attempts, 0);
  EXPECT_EQ(study.claim("b", 1)->attempts, 1);
}

// What a worker does if the answer of the server was lost: it repeats the call.
TEST_P(StudyTest, RepeatedCallsChangeNothing) {
  Study study = open();
  study.add_generation(0, kThree, "");
  EXPECT_EQ(study.claim("a", 1)->id, 1);
  const std::optional<Trial> again = study.claim("a", 1);
  EXPECT_EQ(again->id, 1);
  EXPECT_EQ(again->attempts, 1);
  EXPECT_EQ(study.claim("b", 1)->id, 2) << "another worker";
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(study.finish(1, "a", 0.5, "{}", 2));
    EXPECT_TRUE(study.fail(2, "b", "no", 2));
  }
  EXPECT_FALSE(study.fail(1, "a", "no", 2)) << "it is done";
  EXPECT_FALSE(study.finish(2, "b", 1, "{}", 2)) << "it has failed";
  EXPECT_EQ(study.counts(), (TrialCounts{.waiting = 1, .running = 0, .done = 1, .failed = 1}));
}

const NewTrial kTwin{"x", 1, 2};

TEST_P(StudyTest, ATwinGetsTheResult) {
  Study study = open();
  study.add_generation(0, std::vector<NewTrial>{kTwin}, "");
  study.claim("a", 1);
  study.finish(1, "a", 0.5, "{\"d\":1}", 2);
  // Twins of an earlier generation and of each other, and trials that differ in one number.
  study.add_generation(1, std::vector<NewTrial>{kTwin, {"x", 1, 3}, kTwin, {"x", 2, 2}, {"y", 1, 2}, kTwin}, "");
  EXPECT_EQ(study.claim("a", 3)->id, 3);
  EXPECT_EQ(study.claim("b", 4)->id, 5);
  EXPECT_EQ(study.claim("c", 5)->id, 6);
  EXPECT_FALSE(study.claim("d", 6).has_value());
  const std::vector<Trial> trials = study.trials();
  for (const std::size_t twin : {1U, 3U, 6U}) {
    EXPECT_EQ(trials[twin].state, TrialState::done);
    EXPECT_EQ(trials[twin].score, 0.5);
    EXPECT_EQ(trials[twin].details, "{\"d\":1}");
    EXPECT_EQ(trials[twin].twin_of, 1);
    EXPECT_EQ(trials[twin].attempts, 0);
    EXPECT_EQ(trials[twin].worker, "");
    EXPECT_EQ(trials[twin].ended_s, 3);
  }
  for (const std::size_t own : {0U, 2U, 4U, 5U}) EXPECT_EQ(trials[own].twin_of, 0);
}

TEST_P(StudyTest, ATwinWaitsForTheRunningOne) {
  Study study = open();
  study.add_generation(0, std::vector<NewTrial>{kTwin, kTwin, {"y", 1, 2}}, "");
  EXPECT_EQ(study.claim("a", 1)->id, 1);
  EXPECT_EQ(study.claim("b", 2)->id, 3) << "trial 2 waits for trial 1";
  EXPECT_FALSE(study.claim("c", 3).has_value());
  EXPECT_EQ(study.trials()[1].state, TrialState::waiting);
  study.finish(1, "a", 0.25, "{}", 4);
  EXPECT_FALSE(study.claim("c", 5).has_value());
  EXPECT_EQ(study.trials()[1].state, TrialState::done);
  EXPECT_EQ(study.trials()[1].score, 0.25);
}

TEST_P(StudyTest, AFailedTwinIsNotCopied) {
  Study study = open();
  study.add_generation(0, std::vector<NewTrial>{kTwin, kTwin, kTwin}, "");
  study.claim("a", 1);
  EXPECT_FALSE(study.claim("b", 1).has_value());
  study.fail(1, "a", "no memory", 2);
  EXPECT_EQ(study.claim("b", 3)->id, 2) << "evaluated itself";
  EXPECT_FALSE(study.claim("c", 3).has_value()) << "and trial 3 waits for it";
  study.finish(2, "b", 0.75, "{}", 4);
  EXPECT_FALSE(study.claim("c", 5).has_value());
  EXPECT_EQ(study.trials()[1].twin_of, 0);
  EXPECT_EQ(study.trials()[2].twin_of, 2);
  EXPECT_EQ(study.trials()[2].score, 0.75);
  EXPECT_EQ(study.counts(), (TrialCounts{.waiting = 0, .running = 0, .done = 2, .failed = 1}));
}

TEST_P(StudyTest, ATwinOfADeadWorkersTrialWaitsForItsNextAttempt) {
  Study study = open();
  study.add_generation(0, std::vector<NewTrial>{kTwin, kTwin}, "");
  const ClaimOptions options{.timeout_s = 100, .most_attempts = 2};
  study.claim("a", 0, options);
  EXPECT_EQ(study.claim("b", 101, options)->id, 1);
  EXPECT_EQ(study.claim("c", 202, options)->id, 2) << "trial 1 has failed after its last attempt";
  EXPECT_EQ(study.trials()[0].state, TrialState::failed);
}

// Eight threads finish 200 trials with 10 different contents: 10 evaluations.
TEST_P(StudyTest, ThreadsEvaluateNoTwin) {
  {
    Study study = open();
    std::vector<NewTrial> trials(200);
    for (std::size_t i = 0; i < trials.size(); ++i) trials[i] = {fmt::format("c{}", i * 7 % 10), 1, 1};
    study.add_generation(0, trials, "");
  }
  std::atomic<int> evaluations = 0;
  std::atomic<std::int64_t> clock = 0;
  const auto run = [&](int worker) {
    Study study = open();
    const std::string name = fmt::format("w{}", worker);
    while (study.counts().done < 200) {
      const std::optional<Trial> trial = study.claim(name, static_cast<double>(clock++), {.timeout_s = 1e9});
      if (!trial) continue;
      ++evaluations;
      study.finish(trial->id, name, static_cast<double>(trial->what.candidate[1] - '0'), "{}",
                   static_cast<double>(clock++));
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) threads.emplace_back(run, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(evaluations, 10);
  for (const Trial& trial : open().trials()) {
    EXPECT_EQ(trial.score, trial.what.candidate[1] - '0') << trial.id;
    EXPECT_EQ(trial.attempts, trial.twin_of == 0 ? 1 : 0) << trial.id;
  }
}

TEST_P(StudyTest, RefusesOtherStudies) {
  EXPECT_THAT(failure(ErrorCode::usage, [&] { Study::create(where(), "toy", ""); }), HasSubstr("exists"));
  EXPECT_EQ(open().settings(), "{\"a\":1}") << "not overwritten";
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(where(), "scale"); }),
              HasSubstr("another search (got 'toy', expected one of effnet scale search)"));
  open_database(where())->run("UPDATE effnet_study SET value = '3' WHERE key = 'version'");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open(); }), HasSubstr("another version (got '3', expected 2)"));
  open_database(where())->run("DELETE FROM effnet_study WHERE key = 'version'");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open(); }), HasSubstr("not a study (got no version"));
  open_database(where())->run("DROP TABLE effnet_study");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open(); }), HasSubstr("not a study (got a database without trials"));
}

// The hint is the command that continues the study.
TEST_P(StudyTest, NamesTheCommandOfAnotherSearch) {
  const auto error_of = [&](const char* made, const char* wanted) {
    open_database(where())->run("UPDATE effnet_study SET value = $1 WHERE key = 'kind'", {std::string(made)});
    try {
      Study(where(), wanted);
    } catch (const Error& error) {
      return error;
    }
    return internal_error("no error");
  };
  const Error scale = error_of("scale", "nas");
  EXPECT_THAT(scale.what(), HasSubstr("(got one of effnet scale search, expected one of effnet search)"));
  EXPECT_THAT(scale.hint(), testing::StartsWith("effnet scale search --study "));
  const Error nas = error_of("nas", "scale");
  EXPECT_THAT(nas.what(), HasSubstr("(got one of effnet search, expected one of effnet scale search)"));
  EXPECT_THAT(nas.hint(), testing::StartsWith("effnet search run "));
}

// The tables of version 1 had other names.
TEST_P(StudyTest, RefusesAStudyOfVersionOne) {
  const std::unique_ptr<Database> database = open_database(where());
  database->run("DROP TABLE effnet_study");
  database->run("DROP TABLE effnet_trials");
  database->run("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  database->run("CREATE TABLE trials (id INTEGER PRIMARY KEY)");
  database->run("INSERT INTO study VALUES ('version', '1')");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open(); }), HasSubstr("another version (got '1', expected 2)"));
}

TEST_P(StudyTest, AStudyIsCreatedCompletelyOrNotAtAll) {
  {
    const std::unique_ptr<Database> database = open_database(where());
    database->run("DROP TABLE effnet_study");
    database->run("DROP TABLE effnet_trials");
  }
  if (!on_server()) std::filesystem::remove(where());
  EXPECT_FALSE(Study::exists(where()));
  const Fill broken = [](Database& database) {
    database.run("CREATE TABLE effnet_study (key TEXT)");
    throw environment_error("no space");
  };
  EXPECT_EQ(failure(ErrorCode::environment, [&] { create_database(where(), broken); }), "no space");
  EXPECT_FALSE(Study::exists(where()));
  EXPECT_FALSE(Study::exists(where() + (on_server() ? "_other" : ".other")));
}

TEST_P(StudyTest, OtherTablesAreNoStudy) {
  open().add_generation(0, kThree, "");
  open_database(where())->run("ALTER TABLE effnet_trials RENAME COLUMN score TO points");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open().trials(); }), HasSubstr("not a study, or a damaged one"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { open().claim("a", 1); }), HasSubstr("not a study, or a damaged one"));
  open_database(where())->run("ALTER TABLE effnet_trials RENAME TO trials_of_another_program");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open().counts(); }), HasSubstr("not a study, or a damaged one"));
  open_database(where())->run("ALTER TABLE effnet_study RENAME COLUMN value TO text");
  EXPECT_THAT(failure(ErrorCode::input, [&] { open(); }), HasSubstr("not a study, or a damaged one"));
}

TEST_P(StudyTest, AnUnknownStateNamesStudyAndTrial) {
  Study study = open();
  study.add_generation(0, kThree, "");
  open_database(where())->run("UPDATE effnet_trials SET state = 'lost' WHERE id = 2");
  EXPECT_THAT(failure(ErrorCode::input, [&] { study.trials(); }),
              HasSubstr(study.name() + ": trial 2: unknown state (got 'lost'"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { study.counts(); }), HasSubstr(study.name() + ": unknown state"));
}

// A search with a missing trial would never be complete.
TEST_P(StudyTest, AMissingTrialIsADamage) {
  Study study = open();
  study.add_generation(0, kThree, "");
  study.add_generation(1, kThree, "");
  open_database(where())->run("DELETE FROM effnet_trials WHERE id = 5");
  EXPECT_THAT(failure(ErrorCode::input, [&] { study.trials(); }),
              HasSubstr(study.name() + ": a damaged study: a trial is missing (got trial 6, expected trial 5)"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { study.trials_of(1); }), HasSubstr("(got trial 6, expected trial 5)"));
  EXPECT_THAT(ids(study.trials_of(0)), ElementsAre(1, 2, 3));
  open_database(where())->run("DELETE FROM effnet_trials WHERE id = 1");
  EXPECT_THAT(failure(ErrorCode::input, [&] { study.trials(); }), HasSubstr("(got trial 2, expected trial 1)"));
}

TEST_P(StudyTest, FoldersOfRuns) {
  const std::string folder = Study::runs_folder(where()).string();
  if (on_server()) {
    EXPECT_THAT(folder, testing::MatchesRegex("effnet-[0-9a-f]{16}\\.runs"));
  } else {
    EXPECT_EQ(folder, where() + ".runs");
  }
}

}  // namespace
}  // namespace effnet::search

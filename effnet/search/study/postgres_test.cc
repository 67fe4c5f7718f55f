// The tests that need a server are skipped unless the environment names one (study_testing.h). The variables
// EFFNET_TEST_POSTGRES_STOP and _START are commands that stop and start it, for the test with lost connections;
// EFFNET_TEST_POSTGRES_REFUSED is its URL with a wrong password, "effnet-wrong".
#include "effnet/search/study/postgres.h"

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/process.h"
#include "effnet/search/study/libpq.h"
#include "effnet/search/study/study.h"
#include "effnet/search/study/study_testing.h"
#include "effnet/search/study/worker.h"

namespace effnet::search {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(PostgresUrl, IsRecognised) {
  EXPECT_TRUE(is_server("postgresql://host/db"));
  EXPECT_TRUE(is_server("postgres://"));
  EXPECT_FALSE(is_server("postgres.sqlite"));
  EXPECT_FALSE(is_server("/tmp/postgresql://x"));
}

TEST(PostgresUrl, NamesHaveNoPassword) {
  for (const auto& [url, name] : {
           std::pair("postgresql://ann:secret@host:5433/db", "postgresql://ann@host:5433/db"),
           std::pair("postgres://host", "postgresql://host"),
           std::pair("postgres://:secret@/db", "postgresql://@/db"),
           std::pair("postgresql://ann@h1,h2/db?sslmode=require&options=-csearch_path%3Dx&password=secret",
                     "postgresql://ann@h1,h2/db?options=-csearch_path%3Dx"),
           std::pair("postgresql:///db?host=/tmp/x&user=ann&port=5", "postgresql:///db?host=/tmp/x&port=5"),
           std::pair("postgresql://ann:a%40b%2Fc@host/db?", "postgresql://ann@host/db"),
       }) {
    EXPECT_EQ(name_of_url(url), name);
  }
}

// libpq takes a part of such passwords for the host or the port, and would print it.
TEST(PostgresUrl, CharactersThatMustBeEncoded) {
  for (const char* url : {"postgresql://ann:sec/ret@host/db", "postgresql://ann:sec@ret@host/db",
                          "postgresql://ann:sec?ret@host/db", "postgresql://ann:sec#ret@host/db"}) {
    for (const auto& call : {+[](const std::string& where) { open_database(where); },
                             +[](const std::string& where) { Study::create(where, "toy", ""); }}) {
      EXPECT_THAT(failure(ErrorCode::usage, [&] { call(url); }),
                  AllOf(HasSubstr("expected %40"), Not(HasSubstr("sec"))))
          << url;
    }
  }
}

TEST(PostgresLibrary, AMissingLibraryIsAnErrorThatNamesThePackage) {
  try {
    load_libpq("libpq-missing.so.5");
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_THAT(error.what(), HasSubstr("libpq-missing.so.5"));
    EXPECT_THAT(error.hint(), HasSubstr("apt-get install libpq5"));
  }
  EXPECT_THROW(load_libpq("libm.so.6"), Error) << "a library without these functions";
}

TEST(PostgresLibrary, UnreachableServersAreOneLine) {
  try {
    libpq();
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  // Nothing listens on port 1; the folder of sockets does not exist; libpq refuses the other URLs, and repeats the
  // password of the last two.
  for (const char* url : {"postgresql://ann:secret@127.0.0.1:1/db", "postgresql://ann:secret@/db?host=/nonexistent",
                          "postgresql://ann:secret@host/db?no_such_parameter=1", "postgresql://ann:secret@[::1/db",
                          "postgresql://ann:secret%zz@host/db"}) {
    EXPECT_THAT(failure(ErrorCode::environment, [&] { open_database(url); }),
                AllOf(HasSubstr("postgresql://ann@"), HasSubstr(": cannot connect ("), Not(HasSubstr("secret")),
                      Not(HasSubstr("\n"))));
    EXPECT_THAT(failure(ErrorCode::environment, [&] { Study::exists(url); }), HasSubstr("cannot connect"));
  }
}

class PostgresTest : public DatabaseTest {};
INSTANTIATE_TEST_SUITE_P(On, PostgresTest, testing::Values(std::string_view("postgres")), driver_name);

TEST_P(PostgresTest, AWrongPasswordIsOneLineWithoutIt) {
  const std::string url = variable("EFFNET_TEST_POSTGRES_REFUSED");
  if (url.empty()) GTEST_SKIP() << "EFFNET_TEST_POSTGRES_REFUSED is not set";
  EXPECT_THAT(failure(ErrorCode::environment, [&] { Study(url, "toy"); }),
              AllOf(HasSubstr("password authentication failed"), Not(HasSubstr("effnet-wrong")), Not(HasSubstr("\n"))));
}

TEST_P(PostgresTest, AMissingSchemaIsAnError) {
  const std::string missing = where() + "_missing";
  EXPECT_THAT(failure(ErrorCode::environment, [&] { Study::create(missing, "toy", ""); }), HasSubstr("no schema"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(missing, "toy"); }), HasSubstr("not a study"));
}

TEST_P(PostgresTest, AWriterWaitsForTheOther) {
  Study::create(where(), "toy", "");
  const std::unique_ptr<Database> holder = open_database(where());
  Study study(where(), "toy", {.lock_s = 0.001});
  std::optional<Transaction> transaction(*holder);
  EXPECT_EQ(study.counts(), TrialCounts{}) << "readers do not wait";
  EXPECT_THAT(failure(ErrorCode::environment, [&] { study.claim("a", 0); }),
              AllOf(HasSubstr("locked by another process"), HasSubstr("0.001 s")));
  // Studies in other schemas do not wait.
  const TestSchema other;
  Study::create(other.url(), "toy", "");
  EXPECT_FALSE(Study(other.url(), "toy", {.lock_s = 0.001}).claim("a", 0).has_value());
  transaction.reset();
  EXPECT_FALSE(study.claim("a", 0).has_value());
}

TEST_P(PostgresTest, AClosedConnectionIsMadeAnew) {
  Study::create(where(), "toy", "");
  int slept = 0;
  std::unique_ptr<Database> database = open_database(where(), {.sleep = [&](double) { ++slept; }});
  std::int64_t connection = 0;
  const auto ask = [&] {
    database->run("SELECT pg_backend_pid()", {}, [&](const Row& row) { connection = row.integer(0); });
  };
  ask();
  const auto end_connection = [&] {
    open_database(where())->run("SELECT pg_terminate_backend($1, 10000)", {connection});
  };
  end_connection();
  EXPECT_THROW(ask(), ConnectionLost);
  database->retry(ask);
  EXPECT_EQ(slept, 1);
  Study study(std::move(database), "toy");
  end_connection();
  EXPECT_TRUE(study.add_generation(0, std::vector<NewTrial>{{"x", 1, 1}}, "s"));
  EXPECT_EQ(slept, 2);
  EXPECT_EQ(study.state(), "s");
}

// Threads search while the server is stopped and started again several times, in the middle of trials and transactions.
TEST_P(PostgresTest, AStoppedServerLosesNothing) {
  const std::string stop = variable("EFFNET_TEST_POSTGRES_STOP"), start = variable("EFFNET_TEST_POSTGRES_START");
  if (stop.empty() || start.empty()) GTEST_SKIP() << "EFFNET_TEST_POSTGRES_STOP or _START is not set";
  constexpr std::int64_t kGenerations = 6, kTrials = 20;
  Study::create(where(), "toy", "");
  std::mutex mutex;
  bool stopped = false;
  int stops = 0;
  std::map<std::string, int> evaluations;
  const auto control = [](const std::string& command) {
    const ProcessResult result = run_process({"sh", "-c", command});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
  };
  const auto wait = [&](double) {  // before each attempt to connect
    const std::lock_guard lock(mutex);
    if (!std::exchange(stopped, false)) return;
    control(start);
  };
  const Plan plan = [&](std::int64_t generation, std::string_view, const std::vector<Trial>&) {
    NewGeneration next;
    if (generation == kGenerations) return next;
    for (std::int64_t i = 0; i < kTrials; ++i) next.trials.push_back({fmt::format("{}-{}", generation, i % 15), 1, 1});
    return next;
  };
  const Evaluate evaluate = [&](const Trial& trial) -> Evaluation {
    const std::lock_guard lock(mutex);
    ++evaluations[trial.what.candidate];
    if (trial.id % kTrials == 10) {
      control(stop);
      stopped = true;
      ++stops;
    }
    return {static_cast<double>(trial.id % 20), "{}"};
  };
  const auto run = [&](Study& study, int number) {
    WorkerOptions options;
    options.name = fmt::format("w{}", number);
    options.beat_s = 1000;
    options.now = [] { return 0.0; };
    options.sleep = [](double) { std::this_thread::yield(); };
    work(study, "toy", plan, evaluate, options);
  };
  std::vector<Study> studies;  // opened before the first stop: only a connection that was made is restored
  std::vector<std::thread> threads;
  constexpr int kThreads = 3;
  studies.reserve(kThreads);
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) studies.emplace_back(where(), "toy", WaitOptions{.sleep = wait});
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(run, std::ref(studies[static_cast<std::size_t>(i)]), i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stops, kGenerations);
  EXPECT_EQ(std::ssize(evaluations), kGenerations * 15);
  for (const auto& [candidate, count] : evaluations) EXPECT_EQ(count, 1) << candidate;
  const std::vector<Trial> trials = Study(where(), "toy").trials();
  EXPECT_EQ(std::ssize(trials), kGenerations * kTrials);
  for (const Trial& trial : trials) {
    EXPECT_EQ(trial.state, TrialState::done);
    EXPECT_EQ(trial.attempts, trial.twin_of == 0 ? 1 : 0);
    EXPECT_EQ(trial.score, static_cast<double>((trial.twin_of == 0 ? trial.id : trial.twin_of) % 20));
  }
}

}  // namespace
}  // namespace effnet::search

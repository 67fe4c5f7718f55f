#include "effnet/search/study/sqlite.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/folder.h"
#include "effnet/search/study/study.h"
#include "effnet/search/study/study_testing.h"

namespace effnet::search {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class SqliteTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "study.sqlite") const { return (folder_.path() / name).string(); }
  fs::path folder() const { return folder_.path(); }
  std::string open_error(ErrorCode code) const {
    return failure(code, [&] { Study(path(), "toy"); });
  }

 private:
  TemporaryFolder folder_;
};

// Acts as a user without root's right to write read-only files.
class AsNobody {
 public:
  AsNobody() {
    if (::geteuid() == 0) changed_ = ::seteuid(kNobody) == 0;
  }
  // Calls `action` as the user before.
  void as_before(const std::function<void()>& action) const {
    const auto become = [&](uid_t user) {
      if (changed_) {
        EXPECT_EQ(::seteuid(user), 0);
      }
    };
    become(0);
    action();
    become(kNobody);
  }
  ~AsNobody() {
    if (changed_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  bool changed_ = false;
};

TEST_F(SqliteTest, RefusesOtherFiles) {
  EXPECT_FALSE(Study::exists(path()));
  EXPECT_THAT(open_error(ErrorCode::input), HasSubstr("study.sqlite: no such study"));
  EXPECT_FALSE(Study::exists(path())) << "opening makes no file";
  write_text(path(), std::string(4096, 'x'));
  EXPECT_TRUE(Study::exists(path()));
  EXPECT_THAT(open_error(ErrorCode::input), HasSubstr("not a study"));
  EXPECT_EQ(read_text(path()), std::string(4096, 'x'));
  write_text(path(), "");  // an empty file is an empty database
  EXPECT_THAT(open_error(ErrorCode::input), HasSubstr("not a study (got an empty file"));
  EXPECT_EQ(read_text(path()), "");
  std::filesystem::remove(path());
  std::filesystem::create_symlink("moved.sqlite", path());
  EXPECT_THAT(open_error(ErrorCode::input), HasSubstr("no such study (got a link to 'moved.sqlite', which is missing"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { open_database(folder().string()); }), HasSubstr("not a study"));
  // A name that means a database in memory to SQLite.
  EXPECT_THAT(failure(ErrorCode::input, [] { open_database(":memory:"); }), HasSubstr("no such study"));
}

TEST_F(SqliteTest, CreateLeavesNothingBehind) {
  Study::create(path(), "toy", "");
  const std::vector<FolderEntry> entries = list_folder(folder());
  ASSERT_EQ(entries.size(), 1U) << "no log and no temporary folder";
  EXPECT_EQ(entries[0].name, "study.sqlite");
  const Fill broken = [](Database&) { throw environment_error("no space"); };
  EXPECT_EQ(failure(ErrorCode::environment, [&] { create_database(path("other"), broken); }), "no space");
  EXPECT_EQ(list_folder(folder()).size(), 1U);
  EXPECT_THAT(failure(ErrorCode::environment, [&] { Study::create(path("no/such/folder"), "toy", ""); }),
              HasSubstr("no/such"));
}

TEST_F(SqliteTest, CreateDoesNotReplaceAFileThatAppears) {
  const Fill late = [&](Database&) { write_text(path(), "of another program"); };
  EXPECT_THAT(failure(ErrorCode::usage, [&] { create_database(path(), late); }), HasSubstr("the file exists"));
  EXPECT_EQ(read_text(path()), "of another program");
  EXPECT_EQ(list_folder(folder()).size(), 1U);
  fs::create_symlink("nowhere", path("link"));
  EXPECT_THAT(failure(ErrorCode::usage, [&] { Study::create(path("link"), "toy", ""); }), HasSubstr("exists"));
}

// SQLite would apply the log of the earlier study to the new one.
TEST_F(SqliteTest, CreateRefusesTheFilesOfAnEarlierStudy) {
  for (const std::string suffix : {"-wal", "-shm", "-journal"}) {
    write_text(path() + suffix, "of an earlier study");
    try {
      Study::create(path(), "toy", "");
      ADD_FAILURE() << suffix;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(), HasSubstr("study.sqlite: files of an earlier study are beside it"));
      EXPECT_THAT(error.what(), HasSubstr("study.sqlite" + suffix));
      EXPECT_THAT(error.hint(), HasSubstr("rm " + path() + suffix));
    }
    EXPECT_FALSE(Study::exists(path()));
    EXPECT_EQ(read_text(path() + suffix), "of an earlier study");
    fs::remove(path() + suffix);
  }
  write_text(path("other-wal"), "of another study");
  Study::create(path(), "toy", "");
}

// SQLite would take the empty file for a new database and remove the log.
TEST_F(SqliteTest, AnEmptyFileKeepsItsLog) {
  write_text(path(), "");
  write_text(path() + "-wal", "the last results");
  fs::create_symlink(path(), path("link"));
  for (const std::string& file : {path(), path("link")}) {
    for (const Access access : {Access::write, Access::read}) {
      EXPECT_THAT(failure(ErrorCode::input, [&] { open_database(file, {}, access)->has_table("effnet_study"); }),
                  AllOf(HasSubstr("an empty file beside a log"), HasSubstr("16 bytes"), HasSubstr("study.sqlite-wal")));
    }
  }
  EXPECT_EQ(read_text(path() + "-wal"), "the last results");
}

TEST_F(SqliteTest, ReadOnlyFilesAndFolders) {
  {
    const AsNobody user;
    if (::geteuid() == 0) GTEST_SKIP() << "root can write everything, and this process cannot become another user";
  }
  Study::create(path(), "toy", "");
  fs::permissions(folder(), fs::perms(0755));
  fs::permissions(path(), fs::perms(0444));
  {
    const AsNobody user;
    EXPECT_THAT(open_error(ErrorCode::environment), HasSubstr("study.sqlite: cannot write"));
    EXPECT_EQ(Study(path(), "toy", {}, Access::read).counts(), TrialCounts{});
  }
  EXPECT_EQ(list_folder(folder()).size(), 1U) << "a reader leaves no file of its own";
  fs::permissions(path(), fs::perms(0666));
  fs::permissions(folder(), fs::perms(0555));
  {
    const AsNobody user;
    EXPECT_THAT(open_error(ErrorCode::environment), HasSubstr("study.sqlite: cannot write"));
    EXPECT_THAT(failure(ErrorCode::environment, [&] { Study::create(path("new"), "toy", ""); }),
                HasSubstr("cannot write"));
    EXPECT_EQ(Study(path(), "toy", {}, Access::read).counts(), TrialCounts{});
  }
  fs::permissions(folder(), fs::perms(0755));
}

// The log has results that are not in the file yet. Without them a reader would show an old state.
TEST_F(SqliteTest, AReaderNeedsTheLog) {
  {
    const AsNobody user;
    if (::geteuid() == 0) GTEST_SKIP() << "root can write everything, and this process cannot become another user";
  }
  Study::create(path(), "toy", "");
  fs::permissions(folder(), fs::perms(0755));
  double slept_s = 0, limit_s = 30;
  const auto waiting = [&] {
    const WaitOptions options{.lock_s = limit_s, .sleep = [&](double seconds) { slept_s += seconds; }};
    return Study(path(), "toy", options, Access::read).counts().waiting;
  };
  {
    Study study(path(), "toy");
    study.add_generation(0, std::vector<NewTrial>{{"x", 1, 1}}, "");
    fs::copy_file(path() + "-wal", path("log"));
    const AsNobody user;
    EXPECT_EQ(waiting(), 1) << "the files of the worker are there";
  }
  fs::remove(path());
  Study::create(path(), "toy", "");
  fs::rename(path("log"), path() + "-wal");  // as after a power cut
  const AsNobody user;
  EXPECT_THAT(failure(ErrorCode::environment, waiting),
              AllOf(HasSubstr("study.sqlite: cannot read without permission to write"), HasSubstr("-wal")));
  EXPECT_NEAR(slept_s, 1, 1e-9) << "a process that ends would have removed the log by then";
  slept_s = 0;
  limit_s = 0.05;
  EXPECT_THAT(failure(ErrorCode::environment, waiting), HasSubstr("cannot read without permission to write"));
  EXPECT_NEAR(slept_s, 0.05, 1e-9);
}

// A process that ends removes first the one and then the other of SQLite's two files.
TEST_F(SqliteTest, AReaderWaitsForAProcessThatEnds) {
  {
    const AsNobody user;
    if (::geteuid() == 0) GTEST_SKIP() << "root can write everything, and this process cannot become another user";
  }
  Study::create(path(), "toy", "");
  write_text(path() + "-wal", "the log of a process that ends");
  fs::permissions(path(), fs::perms(0444));
  fs::permissions(folder(), fs::perms(0555));
  {
    const AsNobody user;
    int slept = 0;
    const auto sleep = [&](double) {
      if (++slept < 3) return;
      user.as_before([&] {
        fs::permissions(folder(), fs::perms(0755));
        fs::remove(path() + "-wal");
      });
    };
    EXPECT_EQ(Study(path(), "toy", {.sleep = sleep}, Access::read).counts(), TrialCounts{});
    EXPECT_EQ(slept, 3);
  }
  fs::permissions(folder(), fs::perms(0755));
}

// A file at the end of a link, and a name with characters that have a meaning in a URI.
TEST_F(SqliteTest, AReaderOpensAnyName) {
  const std::string file = path("50 % of a?b#c");
  Study::create(file, "toy", "");
  fs::create_symlink(file, path("link"));
  fs::permissions(file, fs::perms(0444));
  fs::permissions(folder(), fs::perms(0555));
  {
    const AsNobody user;
    EXPECT_EQ(Study(file, "toy", {}, Access::read).generations(), 0);
    EXPECT_EQ(Study(path("link"), "toy", {}, Access::read).generations(), 0);
  }
  fs::permissions(folder(), fs::perms(0755));
}

// A worker would otherwise go on in a file that no path leads to.
TEST_F(SqliteTest, AWorkerNoticesThatItsFileIsGone) {
  struct Case {
    const char* what;
    std::function<void()> disturb;
  };
  const Case cases[] = {
      {"the file was deleted", [&] { fs::remove(path()); }},
      {"the file was replaced", [&] { fs::rename(path("other"), path()); }},
      {"the file was replaced",
       [&] {
         fs::rename(path(), path("moved"));
         fs::create_symlink(path("other"), path());
       }},
      {"the file was truncated", [&] { fs::resize_file(path(), 0); }},
      {"the log beside it was deleted", [&] { fs::remove(path() + "-wal"); }},
  };
  for (const Case& one : cases) {
    for (const bool claimed : {false, true}) {
      for (const FolderEntry& entry : list_folder(folder())) fs::remove(folder() / entry.name);
      Study::create(path(), "toy", "");
      Study::create(path("other"), "toy", "");
      Study study(path(), "toy");
      study.add_generation(0, std::vector<NewTrial>{{"x", 1, 1}}, "");
      if (claimed) study.claim("a", 1);
      one.disturb();
      EXPECT_THAT(failure(ErrorCode::environment,
                          [&] {
                            if (claimed) {
                              study.finish(1, "a", 0.5, "{}", 2);
                            } else {
                              study.claim("a", 1);
                            }
                          }),
                  AllOf(HasSubstr("study.sqlite: "), HasSubstr(one.what), HasSubstr("results since then may be lost")))
          << claimed;
    }
  }
}

TEST_F(SqliteTest, AnotherConnectionIsNoReplacement) {
  Study::create(path(), "toy", "");
  Study study(path(), "toy");
  for (int i = 0; i < 3; ++i) {
    Study other(path(), "toy");  // the last connection that closes would remove the log
    EXPECT_TRUE(other.add_generation(i, std::vector<NewTrial>{{"x", static_cast<std::uint64_t>(i), 1}}, ""));
    EXPECT_TRUE(study.claim("a", i).has_value());
    study.finish(i + 1, "a", 1, "", i);
  }
  EXPECT_EQ(study.counts().done, 3);
}

TEST_F(SqliteTest, ADamagedFileIsInput) {
  Study::create(path(), "toy", "");
  {
    Study study(path(), "toy");
    study.add_generation(0, std::vector<NewTrial>{{"x", 1, 1}, {"y", 1, 1}}, "");
  }
  const std::string good = read_text(path());
  const auto message = [&] {
    return failure(ErrorCode::input, [&] {
      Study study(path(), "toy");
      study.trials();
      study.claim("a", 1);
    });
  };
  std::string wrong = good;
  wrong[47] = 9;  // the schema format of the header, from 1 to 4
  write_text(path(), wrong);
  EXPECT_THAT(message(), HasSubstr("study.sqlite: not a study, or a damaged one (unsupported file format)"));
  wrong = good;
  constexpr std::ptrdiff_t kPage = 4096;  // the first one has the names of the tables
  ASSERT_GT(std::ssize(good), kPage);
  std::fill(wrong.begin() + kPage, wrong.end(), '\xff');
  write_text(path(), wrong);
  EXPECT_THAT(message(), HasSubstr("study.sqlite: not a study, or a damaged one"));
  // SQLite stores any type in any column.
  write_text(path(), good);
  open_database(path())->run("UPDATE effnet_trials SET generation = 'first' WHERE id = 2");
  EXPECT_THAT(message(), HasSubstr("study.sqlite: a damaged study (got 'first' in the column generation"));
  write_text(path(), good);
  open_database(path())->run("UPDATE effnet_trials SET score = 'high'");
  EXPECT_THAT(message(), HasSubstr("(got 'high' in the column score, expected a number)"));
}

TEST_F(SqliteTest, WaitsForTheLockOfAnotherConnection) {
  Study::create(path(), "toy", "");
  const std::unique_ptr<Database> holder = open_database(path());
  auto transaction = std::make_unique<Transaction>(*holder);
  double slept = 0, end_at = 1e9;
  const auto sleep = [&](double seconds) {
    slept += seconds;
    if (slept > end_at) transaction.reset();
  };
  Study study(path(), "toy", {.lock_s = 30, .sleep = sleep});
  EXPECT_EQ(study.counts(), TrialCounts{}) << "readers do not wait";
  EXPECT_EQ(slept, 0);
  EXPECT_THAT(failure(ErrorCode::environment, [&] { study.claim("a", 0); }),
              AllOf(HasSubstr("locked by another process"), HasSubstr("30 s")));
  EXPECT_NEAR(slept, 30, 1e-9);
  slept = 0;
  end_at = 10;
  EXPECT_FALSE(study.claim("a", 0).has_value()) << "after 10 s the lock is free";
  EXPECT_NEAR(slept, 10, 0.2);
}

TEST_F(SqliteTest, ASignalEndsTheWait) {
  Study::create(path(), "toy", "");
  const std::unique_ptr<Database> holder = open_database(path());
  const Transaction transaction(*holder);
  int slept = 0;
  const auto sleep = [&](double) {
    if (++slept == 3) throw Error(ErrorCode::interrupted, "signal");
  };
  Study study(path(), "toy", {.sleep = sleep});
  EXPECT_EQ(failure(ErrorCode::interrupted, [&] { study.claim("a", 0); }), "signal");
  EXPECT_EQ(slept, 3);
}

// The page limit of a connection is SQLite's way to simulate a full disk.
TEST_F(SqliteTest, AFullDiskLosesNoTrial) {
  Study::create(path(), "toy", "");
  std::unique_ptr<Database> limited = open_database(path());
  limited->run("PRAGMA max_page_count = 1");  // at least the pages that the file has
  Study study(std::move(limited), "toy");
  std::vector<NewTrial> trials(200);
  for (std::size_t i = 0; i < trials.size(); ++i) trials[i] = {std::string(1000, 'x'), i, 1};
  EXPECT_THAT(failure(ErrorCode::environment, [&] { study.add_generation(0, trials, "s"); }),
              AllOf(HasSubstr("study.sqlite: cannot write"), HasSubstr("full")));
  EXPECT_EQ(study.generations(), 0);
  EXPECT_EQ(study.state(), "");
  EXPECT_TRUE(study.trials().empty());
  Study unlimited(path(), "toy");
  EXPECT_TRUE(unlimited.add_generation(0, trials, "s")) << "the failed one left no lock";
  EXPECT_EQ(study.trials().size(), trials.size());
}

TEST_F(SqliteTest, AStatementIsUsableAfterAnError) {
  Study::create(path(), "toy", "");
  const std::unique_ptr<Database> database = open_database(path());
  const std::string insert = "INSERT INTO effnet_study VALUES ($1, $2)";
  EXPECT_EQ(database->run(insert, {"key", "one"}), 1);
  EXPECT_THROW(database->run(insert, {"key", "two"}), Error) << "the key exists";
  EXPECT_EQ(database->run(insert, {"other", "two"}), 1);
  struct Stop {};
  const std::string select = "SELECT value FROM effnet_study ORDER BY key";
  EXPECT_THROW(database->run(select, {}, [](const Row&) { throw Stop(); }), Stop);
  std::vector<std::string> values;
  EXPECT_EQ(database->run(select, {}, [&](const Row& row) { values.push_back(row.text(0)); }), 0);
  EXPECT_EQ(values.size(), 6U);
  EXPECT_EQ(database->run("DELETE FROM effnet_study WHERE key = $1", {"nothing"}), 0);
}

// Keeps the plan of each statement: SQLite says whether it searches an index or scans the whole table.
class ExplainedDatabase final : public PassingDatabase {
 public:
  ExplainedDatabase(std::unique_ptr<Database> inner, std::string& plans)
      : PassingDatabase(std::move(inner), {}), plans_(plans) {}
  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    plans_ += fmt::format("{}\n", sql);
    inner().run(fmt::format("EXPLAIN QUERY PLAN {}", sql), {},
                [&](const Row& row) { plans_ += fmt::format("  {}\n", row.text(3)); });
    return PassingDatabase::run(sql, values, each_row);
  }

 private:
  std::string& plans_;
};

// What a worker does for each trial must not take longer the more trials a search has.
TEST_F(SqliteTest, WorkersReadOnlyTheTrialsThatTheyNeed) {
  Study::create(path(), "toy", "");
  std::string plans;
  Study study(std::make_unique<ExplainedDatabase>(open_database(path()), plans), "toy");
  const std::vector<NewTrial> trials{{"x", 1, 1}, {"x", 1, 1}, {"y", 1, 1}};
  study.add_generation(0, trials, "");
  for (int i = 0; i < 3; ++i) {
    if (const std::optional<Trial> trial = study.claim("a", i)) study.finish(trial->id, "a", 1, "", i);
  }
  study.beat(1, "a", 5);
  study.release(1, "a");
  EXPECT_EQ(study.plan_input()->last.size(), 3U);
  EXPECT_THAT(plans, HasSubstr("SEARCH t USING INDEX effnet_trials_by_state"));
  EXPECT_THAT(plans, HasSubstr("INDEX effnet_trials_twins"));
  EXPECT_THAT(plans, Not(AnyOf(HasSubstr("SCAN effnet_trials"), HasSubstr("SCAN t"), HasSubstr("TEMP B-TREE"))));
}

}  // namespace
}  // namespace effnet::search

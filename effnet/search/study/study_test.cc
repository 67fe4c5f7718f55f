#include "effnet/search/study/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

class StudyTest : public testing::Test {
 protected:
  StudyTest() { Study::create(file(), "toy", "{\"a\":1}"); }
  std::filesystem::path file() const { return folder_.path() / "study.sqlite"; }
  Study open() const { return Study(file(), "toy"); }

 private:
  TemporaryFolder folder_;
};

template <class Call>
std::string failure(ErrorCode code, Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

const std::vector<NewTrial> kThree{{"x", 1, 2.5}, {"y'; DROP TABLE trials; --", 0, 1}, {"z", ~0ULL, 0}};

TEST_F(StudyTest, KeepsSettingsAndTrials) {
  {
    Study study(file(), "toy");
    EXPECT_TRUE(study.add_generation(0, kThree));
  }
  Study study(file(), "toy");
  EXPECT_EQ(study.settings(), "{\"a\":1}");
  EXPECT_EQ(study.generations(), 1);
  const std::vector<Trial> trials = study.trials();
  ASSERT_EQ(trials.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(trials[i].what, kThree[i]);
    EXPECT_EQ(trials[i].id, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(trials[i].state, TrialState::waiting);
  }
}

TEST_F(StudyTest, AGenerationIsAddedOnce) {
  Study a(file(), "toy"), b(file(), "toy");
  EXPECT_TRUE(a.add_generation(0, kThree));
  EXPECT_FALSE(b.add_generation(0, kThree));
  EXPECT_FALSE(b.add_generation(2, kThree));
  EXPECT_TRUE(b.add_generation(1, kThree));
  EXPECT_EQ(a.trials().size(), 6U);
  EXPECT_EQ(a.trials().back().generation, 1);
}

TEST_F(StudyTest, EachTrialIsClaimedOnce) {
  Study a(file(), "toy"), b(file(), "toy");
  a.add_generation(0, kThree);
  EXPECT_EQ(a.claim("a", 10)->id, 1);
  EXPECT_EQ(b.claim("b", 11)->id, 2);
  EXPECT_EQ(a.claim("a", 12)->id, 3);
  EXPECT_FALSE(b.claim("b", 13).has_value());
  EXPECT_FALSE(b.is_idle());
  EXPECT_TRUE(a.finish(1, "a", 0.5, "{}", 14));
  EXPECT_FALSE(a.finish(1, "a", 0.7, "{}", 15)) << "it has ended";
  EXPECT_FALSE(a.finish(2, "a", 0.7, "{}", 15)) << "another worker holds it";
  EXPECT_TRUE(b.fail(2, "b", "no memory", 16));
  EXPECT_TRUE(a.finish(3, "a", -1, "{}", 17));
  EXPECT_TRUE(a.is_idle());
  const std::vector<Trial> trials = b.trials();
  EXPECT_EQ(trials[0].score, 0.5);
  EXPECT_EQ(trials[0].started_s, 10);
  EXPECT_EQ(trials[0].ended_s, 14);
  EXPECT_EQ(trials[1].state, TrialState::failed);
  EXPECT_EQ(trials[1].details, "no memory");
}

TEST_F(StudyTest, ATrialOfADeadWorkerIsClaimedAgain) {
  Study study(file(), "toy");
  study.add_generation(0, std::span(kThree).first(1));
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
  EXPECT_TRUE(study.is_idle());
}

TEST_F(StudyTest, AReleasedTrialWaitsAgain) {
  Study study(file(), "toy");
  study.add_generation(0, std::span(kThree).first(1));
  study.claim("a", 0);
  EXPECT_FALSE(study.release(1, "b"));
  EXPECT_TRUE(study.release(1, "a"));
  EXPECT_EQ(study.trials()[0].attempts, 0);
  EXPECT_EQ(study.claim("b", 1)->attempts, 1);
}

TEST_F(StudyTest, RefusesOtherFiles) {
  EXPECT_THAT(failure(ErrorCode::usage, [&] { Study::create(file(), "toy", ""); }), HasSubstr("exists"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(file(), "scale"); }), HasSubstr("another search (got 'toy'"));
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(file().string() + "x", "toy"); }), HasSubstr("no such study"));
  const std::filesystem::path other = file().string() + ".txt";
  write_text(other, std::string(4096, 'x'));
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(other, "toy"); }), HasSubstr("not a study"));
  write_text(other, "");  // an empty file is an empty database
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(other, "toy"); }), HasSubstr("not a study"));
  {
    Database database(file(), Database::Open::existing);
    database.run("UPDATE study SET value = '2' WHERE key = 'version'");
  }
  EXPECT_THAT(failure(ErrorCode::input, [&] { Study(file(), "toy"); }), HasSubstr("another version (got '2'"));
}

TEST_F(StudyTest, ALockedStudyIsAnError) {
  Database holder(file(), Database::Open::existing);
  const Transaction transaction(holder);
  Database other(file(), Database::Open::existing, 0.01);
  EXPECT_THAT(failure(ErrorCode::environment, [&] { Transaction second(other); }), HasSubstr("locked"));
}

}  // namespace
}  // namespace effnet::search

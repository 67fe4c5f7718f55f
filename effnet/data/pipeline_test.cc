#include "effnet/data/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "effnet/base/asleep_testing.h"
#include "effnet/base/error.h"

namespace effnet::data {
namespace {

struct CountingJob : Job {
  std::uint64_t number;
  std::vector<int> made;
  bool finished = false;
  std::int64_t fails_at = -1;
  std::function<void()> before_task = [] {};

  CountingJob(std::uint64_t n, std::int64_t count) : number(n), made(static_cast<std::size_t>(count)) {}
  std::int64_t tasks() const override { return static_cast<std::int64_t>(made.size()); }
  void make(std::int64_t task) override {
    before_task();
    if (task == fails_at) throw input_error("task {} of job {}", task, number);
    ++made[static_cast<std::size_t>(task)];
  }
  void finish() override { finished = true; }
};

std::unique_ptr<CountingJob> next(Pipeline& pipeline) {
  std::unique_ptr<Job> job = pipeline.next();
  return std::unique_ptr<CountingJob>(static_cast<CountingJob*>(job.release()));
}

class PipelineTest : public testing::TestWithParam<std::pair<int, int>> {};  // workers, ahead
INSTANTIATE_TEST_SUITE_P(Threads, PipelineTest,
                         testing::Values(std::pair(0, 1), std::pair(1, 1), std::pair(1, 4), std::pair(3, 1),
                                         std::pair(3, 2), std::pair(5, 16)));

TEST_P(PipelineTest, ReturnsFinishedJobsInOrder) {
  const auto [workers, ahead] = GetParam();
  Pipeline pipeline(workers, ahead, [](std::uint64_t number) {
    return number < 50 ? std::make_unique<CountingJob>(number, 1 + static_cast<std::int64_t>(number % 7)) : nullptr;
  });
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto job = next(pipeline);
    ASSERT_NE(job, nullptr);
    EXPECT_EQ(job->number, i);
    EXPECT_TRUE(job->finished);
    EXPECT_EQ(job->made, std::vector<int>(job->made.size(), 1));
  }
  EXPECT_EQ(pipeline.next(), nullptr);
  EXPECT_EQ(pipeline.next(), nullptr);
  pipeline.seek(48);
  EXPECT_EQ(next(pipeline)->number, 48U);
  EXPECT_EQ(next(pipeline)->number, 49U);
  EXPECT_EQ(pipeline.next(), nullptr);
}

TEST_P(PipelineTest, FailureIsThrownInItsOrderAndRepeated) {
  const auto [workers, ahead] = GetParam();
  Pipeline pipeline(workers, ahead, [](std::uint64_t number) {
    auto job = std::make_unique<CountingJob>(number, 6);
    if (number == 3) job->fails_at = 4;
    return job;
  });
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(next(pipeline)->number, i);
  for (int again = 0; again < 2; ++again) {
    try {
      pipeline.next();
      FAIL();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "task 4 of job 3");
    }
  }
  pipeline.seek(4);
  EXPECT_EQ(next(pipeline)->number, 4U);
}

TEST_P(PipelineTest, FailedBeginIsThrownInItsOrder) {
  const auto [workers, ahead] = GetParam();
  Pipeline pipeline(workers, ahead, [](std::uint64_t number) {
    if (number == 2) throw std::bad_alloc();
    return std::make_unique<CountingJob>(number, 2);
  });
  EXPECT_EQ(next(pipeline)->number, 0U);
  EXPECT_EQ(next(pipeline)->number, 1U);
  EXPECT_THROW(pipeline.next(), std::bad_alloc);
  EXPECT_THROW(pipeline.next(), std::bad_alloc);
}

TEST(Pipeline, AheadLimitsTheBegunJobs) {
  std::atomic<int> begun = 0;
  Pipeline pipeline(3, 4, [&](std::uint64_t number) {
    ++begun;
    return std::make_unique<CountingJob>(number, 5);
  });
  testing_support::wait_until_others_sleep();  // until the workers have nothing more to do
  EXPECT_EQ(begun, 4);
  next(pipeline);
  testing_support::wait_until_others_sleep();
  EXPECT_EQ(begun, 5);
}

// Two workers block in two tasks of the first job until seek() drops this job. Then they block in two of the 1000 tasks
// of another job until this thread sleeps, which means that the destructor waits for the workers. The destructor must
// wait only for these two tasks.
TEST(Pipeline, DestructorWaitsForRunningTasksOnly) {
  std::atomic<int> tasks = 0;
  std::atomic<bool> dropped = false, leaving = false;
  {
    Pipeline pipeline(2, 8, [&, owner = testing_support::thread_id()](std::uint64_t number) {
      auto job = std::make_unique<CountingJob>(number, 1000);
      job->before_task = [&, owner] {
        const bool first = ++tasks <= 2;
        const auto blocked = [&] { return first ? !dropped : !leaving || !testing_support::is_asleep(owner); };
        while (blocked()) std::this_thread::yield();
      };
      return job;
    });
    while (tasks < 2) std::this_thread::yield();
    pipeline.seek(77);
    dropped = true;
    while (tasks < 4) std::this_thread::yield();
    leaving = true;
  }
  EXPECT_EQ(tasks, 4);
}

}  // namespace
}  // namespace effnet::data

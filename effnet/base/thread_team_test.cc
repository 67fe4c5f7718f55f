#include "effnet/base/thread_team.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "effnet/base/asleep_testing.h"
#include "effnet/base/error.h"
#include "effnet/base/float_state_testing.h"

namespace effnet {
namespace {

using std::chrono::microseconds;
using testing_support::is_asleep;
using testing_support::thread_id;
using testing_support::wait_until_others_sleep;

class ThreadTeamTest : public testing::TestWithParam<int> {};

TEST_P(ThreadTeamTest, VisitsEveryIndexOnce) {
  ThreadTeam team(GetParam());
  EXPECT_EQ(team.members(), GetParam());
  ThreadTeam::Run run(team);
  for (const std::int64_t tasks : {-1, 0, 1, 2, 3, 4, 5, 64, 1000, 20000}) {
    std::vector<int> visits(static_cast<std::size_t>(std::max<std::int64_t>(tasks, 0)));
    std::atomic<int> wrong_members = 0;
    const auto visit = [&](std::int64_t index, int member) {
      ++visits[static_cast<std::size_t>(index)];
      if (member < 0 || member >= GetParam()) ++wrong_members;
    };
    run.step(tasks, visit, tasks / 3);
    EXPECT_EQ(visits, std::vector<int>(visits.size(), 1)) << tasks;
    EXPECT_EQ(wrong_members, 0);
  }
}

// The context of each step is a local variable that does not exist after the step, and the number of tasks changes. A
// late member that used the data of an old step would write to freed memory, and the sanitizers would report it.
TEST_P(ThreadTeamTest, LateMembersNeverUseAnOldStep) {
  ThreadTeam team(GetParam());
  std::int64_t wrong = 0;
  for (int round = 0; round < 20; ++round) {
    ThreadTeam::Run run(team);
    for (int step = 0; step < 1000; ++step) {
      const std::int64_t tasks = step % 7;
      std::vector<std::int64_t> out(static_cast<std::size_t>(tasks));
      run.step(tasks, [&out, step](std::int64_t index, int) { out[static_cast<std::size_t>(index)] += step + index; });
      for (std::int64_t i = 0; i < tasks; ++i) wrong += out[static_cast<std::size_t>(i)] != step + i ? 1 : 0;
    }
  }
  EXPECT_EQ(wrong, 0);
}

// Each step rotates an array of values (not atomic) by one position: it reads values that other members wrote in the
// previous step.
TEST_P(ThreadTeamTest, EachStepSeesAllWritesOfThePreviousStep) {
  constexpr std::size_t kSize = 37;
  ThreadTeam team(GetParam());
  ThreadTeam::Run run(team);
  std::vector<int> from(kSize);
  std::vector<int> to(kSize);
  std::iota(from.begin(), from.end(), 0);
  for (std::size_t step = 0; step < 100 * kSize; ++step) {
    run.step(kSize, [&](std::int64_t i, int) noexcept {
      const auto at = static_cast<std::size_t>(i);
      to[(at + 1) % kSize] = from[at];
    });
    std::swap(from, to);
  }
  std::vector<int> expected(kSize);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(from, expected);
}

// The caller pauses 0 to 119 us between steps; members spin for 50 us before they sleep. So some members sleep, some
// are about to, and some still spin when a step begins.
TEST_P(ThreadTeamTest, StepsWorkWhileMembersFallAsleep) {
  ThreadTeam team(GetParam());
  ThreadTeam::Run run(team);
  std::int64_t total = 0;
  std::int64_t expected = 0;
  for (int step = 0; step < 600; ++step) {
    const auto until = std::chrono::steady_clock::now() + microseconds(step % 120);
    while (std::chrono::steady_clock::now() < until) {
    }
    std::atomic<std::int64_t> sum = 0;
    run.step(5, [&](std::int64_t index, int) { sum += index; });
    total += sum;
    expected += 10;
  }
  EXPECT_EQ(total, expected);
}

// The caller has no tasks left and falls asleep; the member that finishes last wakes it.
TEST_P(ThreadTeamTest, WaitsForSlowTasks) {
  ThreadTeam team(GetParam());
  ThreadTeam::Run run(team);
  for (int step = 0; step < 40; ++step) {
    std::vector<int> out(8);
    run.step(8, [&](std::int64_t index, int) {
      std::this_thread::sleep_for(microseconds(index * step));
      out[static_cast<std::size_t>(index)] = 1;
    });
    EXPECT_EQ(out, std::vector<int>(8, 1));
  }
}

// Each member executes the tasks of its own range in order, then common tasks, then tasks of other ranges. The first
// task of each member waits for the first tasks of all others, so that all members take part. A member that is awake
// while the caller starts a step may see another member's range before its own: results do not depend on that, but the
// order does. So this test lets all members sleep before the step begins.
TEST_P(ThreadTeamTest, MembersTakeTheirOwnRangeThenCommonTasks) {
  const int members = GetParam();
  const std::int64_t tasks = 5000, common = 700, assigned = tasks - common;
  ThreadTeam team(members);
  for (int round = 0; round < 50; ++round) {
    ThreadTeam::Run run(team);
    std::atomic<int> arrived = 0;
    const auto barrier = [&](int number) {
      ++arrived;
      while (arrived < number * members) std::this_thread::yield();
    };
    run.step(members, [&](std::int64_t, int) { barrier(1); });  // returns after all threads have started
    wait_until_others_sleep();
    std::vector<std::vector<std::int64_t>> taken(static_cast<std::size_t>(members));
    run.step(
        tasks,
        [&](std::int64_t index, int member) {
          std::vector<std::int64_t>& own = taken[static_cast<std::size_t>(member)];
          own.push_back(index);
          if (own.size() == 1) barrier(2);
        },
        common);
    for (int member = 0; member < members; ++member) {
      const std::int64_t begin = assigned * member / members, end = assigned * (member + 1) / members;
      const auto is_own = [&](std::int64_t index) { return index >= begin && index < end; };
      const auto is_common = [&](std::int64_t index) { return index >= assigned; };
      const std::vector<std::int64_t>& own = taken[static_cast<std::size_t>(member)];
      const auto late = std::find_if_not(own.begin(), own.end(), is_own);
      const auto foreign = std::find_if_not(late, own.end(), is_common);
      ASSERT_EQ(own.front(), begin) << "round " << round << " member " << member;
      ASSERT_TRUE(std::is_sorted(own.begin(), foreign)) << "round " << round << " member " << member;
      ASSERT_TRUE(std::none_of(foreign, own.end(), [&](std::int64_t i) { return is_own(i) || is_common(i); }))
          << "round " << round << " member " << member;
    }
  }
}

// Each thread has its own team, and the tasks of each outer step use inner teams.
TEST_P(ThreadTeamTest, TeamsWorkInSeveralThreadsAndInsideTasks) {
  std::vector<std::thread> threads;
  std::vector<std::int64_t> sums(3);
  for (std::size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      ThreadTeam outer(2);
      std::vector<std::unique_ptr<ThreadTeam>> inner;
      for (int i = 0; i < outer.members(); ++i) inner.push_back(std::make_unique<ThreadTeam>(GetParam()));
      ThreadTeam::Run run(outer);
      for (int step = 0; step < 30; ++step) {
        std::vector<std::int64_t> parts(4);
        run.step(4, [&](std::int64_t index, int member) {
          ThreadTeam::Run nested(*inner[static_cast<std::size_t>(member)]);
          std::atomic<std::int64_t> sum = 0;
          nested.step(10, [&](std::int64_t i, int) { sum += i; });
          parts[static_cast<std::size_t>(index)] = sum;
        });
        sums[t] += std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(3, 30 * 4 * 45));
}

TEST_P(ThreadTeamTest, TeamsWithoutRunsOrStepsEndCleanly) {
  for (int i = 0; i < 50; ++i) {
    ThreadTeam team(GetParam());
    if (i % 3 == 0) continue;  // never run
    ThreadTeam::Run run(team);
    if (i % 3 == 1) continue;  // no step
    std::atomic<int> count = 0;
    run.step(3, [&](std::int64_t, int) { ++count; });
    EXPECT_EQ(count, 3);
  }
}

INSTANTIATE_TEST_SUITE_P(Members, ThreadTeamTest, testing::Values(1, 2, 3, 4));

TEST(ThreadTeam, AllMembersWork) {
  // One task per member, and each task waits for all others. This ends only if each member takes a task, also after
  // sleeping.
  ThreadTeam team(4);
  ThreadTeam::Run run(team);
  for (int step = 0; step < 20; ++step) {
    std::atomic<int> arrived = 0;
    std::vector<int> by_member(4);
    run.step(4, [&](std::int64_t, int member) {
      ++by_member[static_cast<std::size_t>(member)];
      ++arrived;
      while (arrived < 4) std::this_thread::yield();
    });
    EXPECT_EQ(by_member, std::vector<int>(4, 1));
    if (step % 5 == 0) wait_until_others_sleep();
  }
}

TEST(ThreadTeam, OneMemberOrOneTaskRunsOnTheCaller) {
  ThreadTeam team(3);
  ThreadTeam::Run run(team);
  run.step(1, [caller = std::this_thread::get_id()](std::int64_t index, int member) {
    EXPECT_EQ(index, 0);
    EXPECT_EQ(member, 0);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(ThreadTeam, AcceptsPlainFunctionsAndConstCallables) {
  ThreadTeam team(2);
  ThreadTeam::Run run(team);
  std::atomic<std::int64_t> sum = 0;
  run.step(
      100, 0,
      [](void* context, std::int64_t index, int) noexcept {
        *static_cast<std::atomic<std::int64_t>*>(context) += index;
      },
      &sum);
  const auto body = [&](std::int64_t index, int) noexcept { sum += index; };
  run.step(100, body);
  EXPECT_EQ(sum, 2 * 4950);
}

#if EFFNET_HAS_FLOAT_STATE
TEST(ThreadTeam, DenormalsAreZeroInsideARunAndTheCallersStateIsRestored) {
  using namespace testing_support;
  const unsigned original = float_state();
  const unsigned mine = float_state_with(kRoundsDown);  // denormals kept
  set_float_state(mine);
  volatile float smallest = std::numeric_limits<float>::min();
  ThreadTeam team(3);
  for (int round = 0; round < 2; ++round) {
    std::vector<float> halves(3, -1.0F);
    std::vector<float> doubled(3, -1.0F);
    {
      ThreadTeam::Run run(team);
      std::atomic<int> arrived = 0;
      run.step(3, [&](std::int64_t, int member) {
        volatile float denormal = std::numeric_limits<float>::denorm_min();
        halves[static_cast<std::size_t>(member)] = smallest * 0.5F;
        doubled[static_cast<std::size_t>(member)] = denormal * 16777216.0F;
        ++arrived;
        while (arrived < 3) std::this_thread::yield();
      });
    }
    EXPECT_EQ(halves, std::vector<float>(3, 0.0F)) << "a denormal result";
    EXPECT_EQ(doubled, std::vector<float>(3, 0.0F)) << "a denormal operand";
    EXPECT_EQ(float_state(), mine);
    EXPECT_GT(smallest * 0.5F, 0.0F);
  }
  set_float_state(original);
}
#endif

// Each wait ends only if members without tasks fall asleep.
TEST(ThreadTeam, IdleMembersSleep) {
  ThreadTeam team(4);
  wait_until_others_sleep();  // before the first run
  {
    ThreadTeam::Run run(team);
    run.step(100, [](std::int64_t, int) {});
    wait_until_others_sleep();  // between steps
    std::atomic<int> count = 0;
    run.step(100, [&](std::int64_t, int) { ++count; });
    EXPECT_EQ(count, 100);
  }
  wait_until_others_sleep();  // between runs
}

// Member 1's task ends only after the caller, which has no tasks left, sleeps.
TEST(ThreadTeam, TheCallerSleepsDuringALongWait) {
  ThreadTeam team(2);
  ThreadTeam::Run run(team);
  std::atomic<int> arrived = 0;
  run.step(2, [&, caller = thread_id()](std::int64_t, int member) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
    while (member == 1 && !is_asleep(caller)) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadTeam, NumberOfMembersOutOfRangeIsAUsageError) {
  for (const int members : {0, -1, 1025}) {
    try {
      ThreadTeam team(members);
      FAIL() << members;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
    }
  }
}

}  // namespace
}  // namespace effnet

#include "effnet/layers/loops.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <stdexcept>
#include <thread>
#include <vector>

namespace effnet::layers {
namespace {

TEST(Loops, RunEveryTaskOnce) {
  Team team;
  for (const int threads : {1, 2, 3, 2}) {
    for (const bool hold : {true, false}) {
      const Loops loops(team, threads, hold);
      for (const LoopOrder order : {LoopOrder::forward, LoopOrder::reverse}) {
        for (const std::int64_t count : {0, 1, 7, 1000}) {
          std::vector<int> runs(static_cast<std::size_t>(count));
          loops.parallel(count, order, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) ++runs[static_cast<std::size_t>(i)];
          });
          EXPECT_EQ(runs, std::vector<int>(runs.size(), 1)) << threads << " threads";
        }
      }
    }
  }
}

TEST(Loops, OneThreadRunsTasksInTheRequestedOrder) {
  Team team;
  const Loops loops(team, 1);
  const auto tasks_in = [&](LoopOrder order) {
    std::vector<std::int64_t> tasks;
    loops.parallel(5, order, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = 0; i < last - first; ++i) tasks.push_back(ordered_index(order, first, last, i));
    });
    return tasks;
  };
  EXPECT_EQ(tasks_in(LoopOrder::forward), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(tasks_in(LoopOrder::reverse), (std::vector<std::int64_t>{4, 3, 2, 1, 0}));
}

TEST(Loops, AnExceptionIsRethrownAndTheNextLoopRuns) {
  Team team;
  const Loops loops(team, 2);
  EXPECT_THROW(loops.parallel(100,
                              [](std::int64_t first, std::int64_t) {
                                if (first == 0) throw std::runtime_error("a task");
                              }),
               std::runtime_error);
  std::atomic<int> runs = 0;
  loops.parallel(3, [&](std::int64_t first, std::int64_t last) { runs += static_cast<int>(last - first); });
  EXPECT_EQ(runs, 3);
}

// Each task writes its scratch memory and reads the same values back.
TEST(Loops, EachThreadHasItsOwnScratchMemory) {
  Team team;
  const Loops loops(team, 3);
  for (const std::int64_t floats : {1, 100, 50, 5000}) {
    std::atomic<int> wrong = 0;
    loops.parallel(200, [&](std::int64_t first, std::int64_t last, Scratch& scratch) {
      for (std::int64_t i = first; i < last; ++i) {
        float* const memory = scratch.floats(floats);
        if (reinterpret_cast<std::uintptr_t>(memory) % 64 != 0) ++wrong;
        std::fill_n(memory, floats, static_cast<float>(i));
        if (memory[0] != static_cast<float>(i) || memory[floats - 1] != static_cast<float>(i)) ++wrong;
      }
    });
    EXPECT_EQ(wrong, 0);
  }
}

// The trainer handles std::bad_alloc as it handles LibTorch's out-of-memory errors: it retries with smaller
// micro-batches. The scratch memory stays usable after the exception.
TEST(Loops, TooLargeScratchMemoryThrowsBadAlloc) {
  Team team;
  const Loops loops(team, 2);
  const std::int64_t most = std::int64_t{1} << 58;
  EXPECT_THROW(loops.parallel(4, [&](std::int64_t, std::int64_t, Scratch& scratch) { scratch.floats(most); }),
               std::bad_alloc);
  loops.parallel(4, [](std::int64_t, std::int64_t, Scratch& scratch) { scratch.floats(100)[99] = 1; });
}

// Two callers wait for each other between their loops, as processes do in synchronised batch norm.
TEST(Loops, CallersThatDoNotHoldTheTeamAlternate) {
  Team team;
  std::barrier<> barrier{2};
  std::int64_t sums[2] = {};
  const auto caller = [&](int which) {
    const Loops loops(team, 2, /*hold=*/false);
    for (int round = 0; round < 20; ++round) {
      std::atomic<std::int64_t> sum = 0;
      loops.parallel(10, [&](std::int64_t first, std::int64_t last) { sum += last - first; });
      sums[which] += sum;
      barrier.arrive_and_wait();
    }
  };
  std::thread other(caller, 1);
  caller(0);
  other.join();
  EXPECT_EQ(sums[0], 200);
  EXPECT_EQ(sums[1], 200);
}

}  // namespace
}  // namespace effnet::layers

#include "effnet/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, VisitsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (const std::int64_t n : {0, 1, 2, 3, 7, 64, 1000}) {
    for (const std::int64_t grain : {-1, 0, 1, 5, 64, 5000}) {
      std::vector<int> visits(static_cast<std::size_t>(n));
      pool.parallel_for(
          n,
          [&](std::int64_t begin, std::int64_t end) {
            ASSERT_LT(begin, end);
            ASSERT_LE(end, n);
            EXPECT_TRUE(end == n || end - begin >= grain);
            for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
          },
          grain);
      EXPECT_EQ(visits, std::vector<int>(visits.size(), 1)) << n << " grain " << grain;
    }
  }
}

TEST_P(ThreadPoolTest, NestedCallsRunOnTheCallingThread) {
  ThreadPool pool(GetParam());
  std::atomic<int> total = 0;
  pool.parallel_for(20, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::thread::id outer = std::this_thread::get_id();
      pool.parallel_for(10, [&](std::int64_t b, std::int64_t e) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        total += static_cast<int>(e - b);
      });
    }
  });
  EXPECT_EQ(total, 200);
}

TEST_P(ThreadPoolTest, RethrowsAndStaysUsable) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    try {
      pool.parallel_for(100, [&](std::int64_t begin, std::int64_t end) {
        if (begin <= 42 && 42 < end) throw std::runtime_error("forty-two");
      });
      FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), "forty-two");
    }
    std::atomic<std::int64_t> sum = 0;
    pool.parallel_for(100, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) sum += i;
    });
    EXPECT_EQ(sum, 4950);
  }
}

TEST_P(ThreadPoolTest, CallsFromSeveralThreadsRunOneAfterTheOther) {
  ThreadPool pool(GetParam());
  std::vector<std::thread> callers;
  std::vector<std::int64_t> sums(4);
  for (std::size_t caller = 0; caller < sums.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 50; ++round) {
        std::vector<std::int64_t> out(97);
        pool.parallel_for(97, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) out[static_cast<std::size_t>(i)] = i;
        });
        sums[caller] += std::accumulate(out.begin(), out.end(), std::int64_t{0});
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(4, 50 * 96 * 97 / 2));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, AllThreadsWork) {
  // Two ranges that wait for each other can only end if two threads run them.
  ThreadPool pool(2);
  std::atomic<int> arrived = 0;
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.parallel_for(2, [&](std::int64_t, std::int64_t) {
    {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
    }
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(ids.size(), 2U);
}

TEST(ThreadPool, NumberOfThreadsOutOfRangeIsAUsageError) {
  for (const int threads : {0, -1, 1025}) {
    try {
      ThreadPool pool(threads);
      FAIL() << threads;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
    }
  }
}

}  // namespace
}  // namespace effnet

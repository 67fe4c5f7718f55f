#include "effnet/base/process_limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "effnet/base/error.h"

namespace effnet {
namespace {

// Runs `check`, prints its error and ends the process with the error's code.
template <class Check>
[[noreturn]] void end_with(const Check& check) {
  try {
    check();
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(static_cast<int>(error.code()));
  }
  std::_Exit(0);
}

void limit_files(rlim_t soft, rlim_t hard) {
  const rlimit limit{soft, hard};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::_Exit(99);
}

TEST(ProcessLimits, EnoughThreadsAndFilesPass) {
  check_thread_limit(1);
  check_thread_limit(8);
  check_file_limit(1);
}

TEST(ProcessLimits, TooFewFilesAreAnError) {
  EXPECT_EXIT(end_with([] {
                limit_files(24, 24);
                check_file_limit(100);
              }),
              testing::ExitedWithCode(4), "got 24, expected at least 1[0-9][0-9]");
}

// The soft limit is often far below the hard limit, and a process may raise it.
TEST(ProcessLimits, TheSoftLimitIsRaised) {
  EXPECT_EXIT(end_with([] {
                limit_files(24, 200);
                check_file_limit(100);
                rlimit now{};
                ::getrlimit(RLIMIT_NOFILE, &now);
                if (now.rlim_cur < 100 || now.rlim_cur > 200) std::_Exit(98);
              }),
              testing::ExitedWithCode(0), "");
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
// Limits the address space to 600 MB. With stacks of 8 MB, this is enough for some threads, but not for a thousand.
// (The limit on the number of processes cannot be used here, because it does not apply to root.)
TEST(ProcessLimits, TooFewThreadsAreAnError) {
  EXPECT_EXIT(end_with([] {
                const rlimit limit{600 << 20, 600 << 20};
                if (::setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(99);
                check_thread_limit(1000);
              }),
              testing::ExitedWithCode(4), "got [0-9]+, expected 1000: ");
}
#endif

}  // namespace
}  // namespace effnet

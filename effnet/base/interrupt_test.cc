#include "effnet/base/interrupt.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {
namespace {

ErrorCode code_of_check() {
  try {
    check_interrupt();
  } catch (const Error& error) {
    return error.code();
  }
  return {};
}

// Each case runs in its own process, because the flag is never cleared. The processes end with std::exit, not _exit, so
// that the thread sanitizer can set its exit code.
class Interrupt : public testing::TestWithParam<int> {};

// The threads read the flag while the handler writes it: builds with the thread sanitizer would report a data race.
TEST_P(Interrupt, EveryThreadSeesTheSignal) {
  const auto threads_end = [signal = GetParam()] {
    install_interrupt_handlers();
    if (interrupted()) std::exit(1);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([] {
        while (!interrupted()) std::this_thread::yield();
      });
    }
    std::raise(signal);
    for (std::thread& thread : threads) thread.join();
    std::exit(code_of_check() == ErrorCode::interrupted ? 0 : 2);
  };
  EXPECT_EXIT(threads_end(), testing::ExitedWithCode(0), "");
}

TEST_P(Interrupt, ASecondSignalEndsTheProcess) {
  const auto end_twice = [signal = GetParam()] {
    install_interrupt_handlers();
    std::raise(signal);
    if (!interrupted()) std::exit(1);
    std::raise(signal);
    std::exit(2);
  };
  EXPECT_EXIT(end_twice(), testing::ExitedWithCode(130), "");
}

TEST_P(Interrupt, CheckDoesNotThrowWhileInterruptsAreDeferred) {
  const auto hold = [signal = GetParam()] {
    install_interrupt_handlers();
    std::raise(signal);
    {
      const DeferInterrupts held;
      if (!interrupted() || code_of_check() == ErrorCode::interrupted) std::exit(1);
    }
    std::exit(code_of_check() == ErrorCode::interrupted ? 0 : 2);
  };
  EXPECT_EXIT(hold(), testing::ExitedWithCode(0), "");
}

TEST_P(Interrupt, EndsASleep) {
  const auto sleep = [signal = GetParam()] {
    install_interrupt_handlers();
    interruptible_sleep(0);
    std::raise(signal);
    {
      const DeferInterrupts held;
      interruptible_sleep(1e-3);
    }
    try {
      interruptible_sleep(1e6);
    } catch (const Error& error) {
      std::exit(error.code() == ErrorCode::interrupted ? 0 : 2);
    }
    std::exit(1);
  };
  EXPECT_EXIT(sleep(), testing::ExitedWithCode(0), "");
}

TEST_P(Interrupt, TheFirstSignalWritesTheNotice) {
  const auto twice = [signal = GetParam()] {
    install_interrupt_handlers();
    const InterruptNotice notice("stopping\n");
    errno = ENOENT;
    std::raise(signal);
    if (errno != ENOENT) std::exit(1);
    std::raise(signal);
    std::exit(2);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(130), "^stopping\n$");
  const auto later = [signal = GetParam()] {
    install_interrupt_handlers();
    { const InterruptNotice notice("stopping\n"); }
    { const InterruptNotice none(nullptr); }
    std::raise(signal);
    std::exit(0);
  };
  EXPECT_EXIT(later(), testing::ExitedWithCode(0), "^$");
}

INSTANTIATE_TEST_SUITE_P(Signals, Interrupt, testing::Values(SIGINT, SIGTERM));

// When a terminal closes, shell and kernel may each send SIGHUP. The checkpoint must still be saved.
TEST(Hangup, SetsTheFlagAndNeverEndsTheProcess) {
  const auto hang_up = [] {
    install_interrupt_handlers();
    std::raise(SIGHUP);
    if (!interrupted()) std::exit(1);
    std::raise(SIGHUP);
    std::raise(SIGTERM);  // the first signal that counts, because SIGHUP does not
    std::raise(SIGHUP);
    std::exit(code_of_check() == ErrorCode::interrupted ? 0 : 2);
  };
  EXPECT_EXIT(hang_up(), testing::ExitedWithCode(0), "");
}

TEST(Hangup, WritesNoNotice) {
  const auto hang_up = [] {
    install_interrupt_handlers();
    const InterruptNotice notice("stopping\n");  // the terminal that would show it is closed
    std::raise(SIGHUP);
    std::exit(interrupted() ? 0 : 1);
  };
  EXPECT_EXIT(hang_up(), testing::ExitedWithCode(0), "^$");
}

TEST(Hangup, IsIgnoredUnderNohup) {
  const auto hang_up = [] {
    std::signal(SIGHUP, SIG_IGN);
    install_interrupt_handlers();
    std::raise(SIGHUP);
    std::exit(interrupted() ? 1 : 0);
  };
  EXPECT_EXIT(hang_up(), testing::ExitedWithCode(0), "");
}

TEST(Interrupts, ArePendingWhileSignalsAreBlocked) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const auto hold = [signal] {
      install_interrupt_handlers();
      block_signals();
      std::raise(signal);
      if (interrupted()) std::exit(1);
      unblock_signals();
      std::exit(interrupted() ? 0 : 2);
    };
    EXPECT_EXIT(hold(), testing::ExitedWithCode(0), "") << signal;
  }
}

}  // namespace
}  // namespace effnet

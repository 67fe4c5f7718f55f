#include "effnet/base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"

namespace effnet {
namespace {

TEST(Process, GivesExitCodeAndKeptOutput) {
  EXPECT_EQ(run_process({"true"}).exit_code, 0);
  EXPECT_EQ(run_process({"sh", "-c", "exit 7"}).exit_code, 7);
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}).exit_code, 137);
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}).signal, 9);
  EXPECT_EQ(run_process({"sh", "-c", "exit 137"}).signal, 0);
  EXPECT_FALSE(run_process({"no-such-program-here"}).started);
  EXPECT_EQ(run_process({"sh", "-c", "echo out; echo why >&2"}).errors, "why\n");
  EXPECT_EQ(run_process({"sh", "-c", "echo out; echo why >&2"}, Keep::output).output, "out\n");
}

TEST(Process, KeepsTheLast4KbOfStderr) {
  const ProcessResult result = run_process({"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo last >&2"});
  EXPECT_LE(result.errors.size(), 4096U);
  EXPECT_TRUE(result.errors.ends_with("last\n"));
}

// Whether `works` holds in a child process whose `closed` streams were closed and opened again.
template <class Works>
bool with_closed_streams(const std::vector<int>& closed, const Works& works) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int stream : closed) ::close(stream);
    open_closed_streams();
    ::_exit(works() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool can_read(int stream) {
  char byte = 0;
  return ::read(stream, &byte, 1) >= 0;
}

bool can_write(int stream) { return ::write(stream, "x", 1) == 1; }

TEST(Process, NoFileGetsTheNumberOfAClosedStream) {
  const auto takes_no_stream = [] { return ::open("/dev/zero", O_RDONLY) > STDERR_FILENO; };
  EXPECT_TRUE(with_closed_streams({STDERR_FILENO}, [&] { return takes_no_stream() && can_write(STDERR_FILENO); }));
  EXPECT_TRUE(with_closed_streams({STDOUT_FILENO}, [&] { return takes_no_stream() && !can_write(STDOUT_FILENO); }));
  EXPECT_TRUE(with_closed_streams({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, [&] {
    return takes_no_stream() && !can_read(STDIN_FILENO) && !can_write(STDOUT_FILENO) && can_write(STDERR_FILENO);
  }));
}

TEST(Cpu, HasCoresAndMemory) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_GT(memory_bytes(), 64 << 20);
}

TEST(Process, AgeIncreases) {
  const double before = process_age_s();
  EXPECT_GT(before, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GT(process_age_s(), before + 0.02);  // the kernel counts in hundredths of a second
}

TEST(Process, FactsAboutThisProcess) {
  EXPECT_GT(peak_rss_bytes(), 1 << 20);
  EXPECT_FALSE(host_name().empty());
}

}  // namespace
}  // namespace effnet

// Processes that share a study.
#include "effnet/cli/worker_processes.h"
#include "effnet/base/process.h"
#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

TEST(WorkerProcesses, WordsWithoutOptions) {
  EXPECT_EQ(words_without({"effnet", "scale", "search", "b", "--workers", "3", "-o", "x", "--out=y", "--json",
                           "--quiet", "--set", "a=1", "--workers=2"},
                          {"--workers", "-o", "--out"}),
            (std::vector<std::string>{"scale", "search", "b", "--set", "a=1"}));
}

TEST(WorkerProcesses, AWorkerThatWasKilledIsNamed) {
  const auto error_of = [](const char* script) {
    return refusal([&] { check_worker(run_process({"sh", "-c", script})); });
  };
  EXPECT_EQ(error_of("kill -9 $$"), "4 a worker was killed by signal 9 (SIGKILL)");
  EXPECT_EQ(error_of("echo why >&2; kill -15 $$"), "4 a worker was killed by signal 15 (SIGTERM): why\n");
  EXPECT_EQ(error_of("echo why >&2; exit 137"), "4 a worker ended with exit code 137: why\n");
  EXPECT_EQ(error_of("exit 3"), "4 a worker ended with exit code 3");
  EXPECT_EQ(error_of("exit 0"), "");
  EXPECT_EQ(refusal([] { check_worker(run_process({"no-such-program-here"})); }).substr(0, 26),
            "4 a worker cannot be start");
}

TEST(WorkerProcesses, Timeouts) {
  EXPECT_EQ(worker_options(60).claim.timeout_s, 60);
  EXPECT_LT(worker_options(60).beat_s, 30);
  EXPECT_EQ(refusal([] { worker_options(0.5); })[0], '2');
  EXPECT_EQ(refusal([] { worker_options(std::nan("")); })[0], '2');
}

}  // namespace
}  // namespace effnet::cli

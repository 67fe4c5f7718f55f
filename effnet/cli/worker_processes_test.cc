// Processes that share a study.
#include "effnet/cli/worker_processes.h"

#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/base/process.h"
#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

std::string text_of(const std::optional<Error>& error) {
  if (!error) return "";
  return fmt::format("{} {}{}{}", static_cast<int>(error->code()), error->what(), error->hint().empty() ? "" : " | ",
                     error->hint());
}
std::string end_of(const char* script) { return text_of(worker_error(run_process({"sh", "-c", script}))); }

TEST(WorkerProcesses, AWorkerThatWasKilledIsNamed) {
  EXPECT_EQ(end_of("kill -9 $$").substr(0, 44), "4 a worker was killed by signal 9 (SIGKILL) ");
  EXPECT_EQ(end_of("echo why >&2; kill -15 $$"), "4 a worker was killed by signal 15 (SIGTERM): why\n");
  EXPECT_EQ(end_of("echo why >&2; exit 137"), "4 a worker ended with exit code 137: why\n");
  EXPECT_EQ(end_of("exit 3"), "4 a worker ended with exit code 3");
  EXPECT_EQ(end_of("exit 0"), "");
  EXPECT_EQ(text_of(worker_error(run_process({"no-such-program-here"}))).substr(0, 26), "4 a worker cannot be start");
}

TEST(WorkerProcesses, TheErrorOfAWorkerKeepsItsCodeAndItsHint) {
  EXPECT_EQ(end_of("echo 'effnet: error: data: not there (got x)' >&2; echo 'hint: move it' >&2; exit 3"),
            "3 a worker: data: not there (got x) | move it");
  EXPECT_EQ(end_of("echo 'effnet: error: --device: wrong' >&2; exit 2"), "2 a worker: --device: wrong");
  EXPECT_EQ(end_of("echo 'effnet: error: written before the signal' >&2; kill -15 $$").substr(0, 45),
            "4 a worker was killed by signal 15 (SIGTERM):");
}

TEST(WorkerProcesses, AFailedWorkerMattersOnlyIfTheSearchIsNotComplete) {
  const std::optional<Error> failed = input_error("a worker: data: not there").with_hint("move it");
  CapturedOutput captured;
  check_ended({}, false, captured.out);
  EXPECT_EQ(captured.messages.text(), "");
  EXPECT_EQ(refusal([&] { check_ended(failed, false, captured.out); }), "3 a worker: data: not there");
  check_ended(failed, true, captured.out);
  EXPECT_EQ(captured.messages.text(),
            "effnet: warning: a worker: data: not there; the other workers have completed the search\n");
}

TEST(WorkerProcesses, Timeouts) {
  EXPECT_EQ(worker_options(60).claim.timeout_s, 60);
  EXPECT_LT(worker_options(60).beat_s, 30);
  EXPECT_EQ(refusal([] { worker_options(0.5); })[0], '2');
  EXPECT_EQ(refusal([] { worker_options(std::nan("")); })[0], '2');
}

TEST(WorkerProcesses, ASearchWithoutASuccessIsAnError) {
  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string where = (folder.path() / "s.study").string();
  search::Study::create(where, "toy", "");
  search::Study study(where, "toy");
  check_any_done(study);  // nothing is planned yet
  study.add_generation(0, std::vector<search::NewTrial>{{.candidate = "a"}, {.candidate = "b"}}, "");
  check_any_done(study);  // two trials wait
  study.fail(study.claim("w", 1).value().id, "w", "diverged", 2);
  check_any_done(study);  // one trial waits
  study.fail(study.claim("w", 3).value().id, "w", "too large", 4);
  EXPECT_EQ(refusal([&] { check_any_done(study); }),
            fmt::format("3 {}: no trial has succeeded (got 2 failed, expected at least one that is done); trial 1: "
                        "diverged",
                        where));
  study.add_generation(1, std::vector<search::NewTrial>{{.candidate = "c"}}, "");
  study.finish(study.claim("w", 5).value().id, "w", 1, "{}", 6);
  check_any_done(study);
}

TEST(EndedTrials, AreReportedOnceInTheOrderOfTheirEnds) {
  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string where = (folder.path() / "s.study").string();
  search::Study::create(where, "toy", "");
  search::Study study(where, "toy");
  std::vector<search::NewTrial> trials;
  for (int seed = 0; seed < 4; ++seed) trials.push_back({.candidate = "c", .seed = static_cast<std::uint64_t>(seed)});
  trials.push_back(trials[1]);  // a twin
  study.add_generation(0, trials, "");
  double now_s = 1;
  const auto claim = [&] { return study.claim("w", ++now_s).value().id; };
  study.finish(claim(), "w", 5, "{}", 10);
  EndedTrials ended(study);
  std::vector<std::int64_t> seen;
  const auto update = [&] { ended.update([&](const search::Trial& trial) { seen.push_back(trial.id); }); };
  update();
  EXPECT_TRUE(seen.empty()) << "it has ended before";
  const std::int64_t second = claim(), third = claim();
  update();
  EXPECT_TRUE(seen.empty());
  study.fail(third, "w", "why", 11);
  study.finish(second, "w", 6, "{}", 12);
  update();
  update();
  EXPECT_EQ(seen, (std::vector<std::int64_t>{third, second}));
  study.finish(claim(), "w", 7, "{}", 13);  // claim() gives the twin its result first
  update();
  EXPECT_EQ(seen, (std::vector<std::int64_t>{third, second, 4}));
}

}  // namespace
}  // namespace effnet::cli

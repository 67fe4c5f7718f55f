// The rendezvous of forked processes over loopback, and its errors.
#include "effnet/train/distributed/rendezvous.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/train/distributed/consistency.h"
#include "effnet/train/distributed/group_testing.h"

namespace effnet::train {
namespace {

using std::chrono::milliseconds;

// All ranks end with the same message if a value differs. The value is one that the caller of join() gives (version),
// one that join() adds (the number of processes), or one that require_same_on_all_ranks() compares later.
TEST(Rendezvous, AllRanksReportADifference) {
  struct Case {
    const char* name;
    std::function<void(int rank, RankInfo&, KeyValues&)> change;
    const char* message;
  };
  const std::vector<Case> cases{
      {"version",
       [](int rank, RankInfo&, KeyValues& values) {
         values = {{"version", rank == 2 ? "0.5" : "0.6"}};
       },
       "error 2: rank 2: version is 0.5, on rank 0 it is 0.6"},
      {"a larger world", [](int rank, RankInfo& own, KeyValues&) { own.world = rank == 1 ? 4 : 3; },
       "error 2: rank 1: the number of processes is 4, on rank 0 it is 3"},
      {"a smaller world", [](int rank, RankInfo& own, KeyValues&) { own.world = rank == 1 ? 2 : 3; },
       "error 2: rank 1: the number of processes is 2, on rank 0 it is 3"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Port port;
    const auto outcomes = run_processes(3, 60, [&](int rank) -> std::string {
      RankInfo own = make_rank_info(rank, 3, port.number);
      JoinOptions options = short_timeouts();
      one.change(rank, own, options.rendezvous.compared);
      join_c10d(own, torch::kCPU, options);
      return "joined";
    });
    for (const Outcome& outcome : outcomes) {
      EXPECT_EQ(outcome.code, 2) << outcome.text;
      EXPECT_NE(outcome.text.find(one.message), std::string::npos) << outcome.text;
    }
  }
  const auto outcomes = run_group(3, [](Group& group) -> std::string {
    require_same_on_all_ranks(group, {{"seed", "3"}, {"class 0", "'a'"}});
    require_same_on_all_ranks(group, {{"seed", "3"}, {"class 1", group.rank() == 1 ? "'down'" : "'dawn and more'"}});
    return "agreed";
  });
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find("rank 1: class 1 is 'down', on rank 0 it is 'dawn and more'"), std::string::npos)
        << outcome.text;
  }
}

// A signal ends every wait: for other ranks to join (on rank 0 and on another rank), and in a collective.
TEST(Rendezvous, WaitingCanBeInterrupted) {
  const auto interrupt_soon = [] {
    install_interrupt_handlers();
    std::thread([] {
      std::this_thread::sleep_for(milliseconds(300));
      ::kill(::getpid(), SIGTERM);
    }).detach();
  };
  const auto join_alone = [&](int rank) {
    const Port port;
    return run_processes(1, 60, [&](int) -> std::string {
      interrupt_soon();
      join_c10d(make_rank_info(rank, 2, port.number), torch::kCPU, {});  // waits up to five minutes
      return "joined";
    });
  };
  for (const int rank : {0, 1}) {
    const auto outcomes = join_alone(rank);
    EXPECT_EQ(outcomes[0].code, 130) << rank << ": " << outcomes[0].text;
  }
  const auto outcomes = run_group(2, [&](Group& group) -> std::string {
    group.barrier();
    if (group.rank() == 1) ::raise(SIGSTOP);  // it does not reach the second barrier
    interrupt_soon();
    group.barrier();
    return "together";
  });
  EXPECT_EQ(outcomes[0].code, 130) << outcomes[0].text;
}

TEST(Rendezvous, LogsTheMissingRanks) {
  const auto logged = [](const RankInfo& own) {
    std::string lines;
    JoinOptions options = short_timeouts();
    options.rendezvous.timeout = milliseconds(2500);
    options.rendezvous.notice_after = milliseconds(0);
    options.rendezvous.log = [&](const std::string& line) { lines += line + "\n"; };
    try {
      join_c10d(own, torch::kCPU, options);
    } catch (const Error&) {
      return lines;
    }
    return std::string("joined");
  };
  {
    const Port port;
    const auto outcomes = run_processes(1, 30, [&](int) { return logged(make_rank_info(1, 2, port.number)); });
    EXPECT_EQ(outcomes[0].text, fmt::format("waiting for rank 0 at 127.0.0.1:{}\n", port.number));
  }
  {
    const Port port;
    const std::string lines = run_with_registered_ranks({2}, make_rank_info(0, 4, port.number), logged).text;
    EXPECT_TRUE(lines.ends_with(
        fmt::format("waiting for rank 1, 3 to join at 127.0.0.1:{} (2 of 4 processes have joined)\n", port.number)))
        << lines;
  }
  {
    const Port port;
    const std::string lines = run_with_registered_ranks({0}, make_rank_info(2, 4, port.number), logged).text;
    EXPECT_EQ(lines.find("processes have joined"), std::string::npos) << lines << "only rank 0 logs this";
  }
}

TEST(Rendezvous, ReportsAnUnknownHost) {
  RankInfo own = make_rank_info(1, 2, 29500);
  own.master_address = "no host";  // a host name cannot contain a blank
  const auto outcomes = run_processes(1, 60, [&](int) -> std::string {
    join_c10d(own, torch::kCPU, short_timeouts());
    return "joined";
  });
  EXPECT_EQ(outcomes[0].code, 2) << outcomes[0].text;
  EXPECT_NE(outcomes[0].text.find("MASTER_ADDR: unknown host (got 'no host'"), std::string::npos) << outcomes[0].text;
}

TEST(Rendezvous, ReportsATooLowLimitOnFiles) {
  const auto outcomes = run_processes(1, 60, [&](int) -> std::string {
    const rlimit limit{40, 40};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const Port port;
    join_c10d(make_rank_info(0, 2, port.number), torch::kCPU, short_timeouts());
    return "joined";
  });
  EXPECT_EQ(outcomes[0].code, 4) << outcomes[0].text;
  EXPECT_NE(outcomes[0].text.find("the limit of open files is too low (got 40"), std::string::npos) << outcomes[0].text;
}

}  // namespace
}  // namespace effnet::train

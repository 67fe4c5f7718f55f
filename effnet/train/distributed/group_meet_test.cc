// How forked processes meet over loopback, and what they say when they do not.
#include "effnet/train/distributed/group_meet.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/train/distributed/facts.h"
#include "effnet/train/distributed/group_testing.h"

namespace effnet::train {
namespace {

using std::chrono::milliseconds;

// All ranks end with the same words, and none goes on: of what join() is given, of what it adds, and later.
TEST(GroupMeet, RanksThatDisagreeAllSayHow) {
  struct Case {
    const char* name;
    std::function<void(int rank, RankInfo&, Facts&)> change;
    const char* said;
  };
  const std::vector<Case> cases{
      {"version",
       [](int rank, RankInfo&, Facts& facts) {
         facts = {{"version", rank == 2 ? "0.5" : "0.6"}};
       },
       "error 2: rank 2: version is 0.5, on rank 0 it is 0.6"},
      {"a larger world", [](int rank, RankInfo& own, Facts&) { own.world = rank == 1 ? 4 : 3; },
       "error 2: rank 1: the number of processes is 4, on rank 0 it is 3"},
      {"a smaller world", [](int rank, RankInfo& own, Facts&) { own.world = rank == 1 ? 2 : 3; },
       "error 2: rank 1: the number of processes is 2, on rank 0 it is 3"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Port port;
    const auto outcomes = run_processes(3, 60, [&](int rank) -> std::string {
      RankInfo own = place(rank, 3, port.number);
      JoinOptions options = quick();
      one.change(rank, own, options.meeting.facts);
      join_c10d(own, torch::kCPU, options);
      return "joined";
    });
    for (const Outcome& outcome : outcomes) {
      EXPECT_EQ(outcome.code, 2) << outcome.text;
      EXPECT_NE(outcome.text.find(one.said), std::string::npos) << outcome.text;
    }
  }
  const auto outcomes = together(3, [](Group& group) -> std::string {
    agree(group, {{"seed", "3"}, {"class 0", "'a'"}});
    agree(group, {{"seed", "3"}, {"class 1", group.rank() == 1 ? "'down'" : "'dawn and more'"}});
    return "agreed";
  });
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find("rank 1: class 1 is 'down', on rank 0 it is 'dawn and more'"), std::string::npos)
        << outcome.text;
  }
}

// A signal is answered wherever a process waits for others: for rank 0, for the rest, in a sum.
TEST(GroupMeet, WaitingCanBeInterrupted) {
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
      join_c10d(place(rank, 2, port.number), torch::kCPU, {});  // for five minutes
      return "joined";
    });
  };
  for (const int rank : {0, 1}) {
    const auto outcomes = join_alone(rank);
    EXPECT_EQ(outcomes[0].code, 130) << rank << ": " << outcomes[0].text;
  }
  const auto outcomes = together(2, [&](Group& group) -> std::string {
    group.barrier();
    if (group.rank() == 1) ::raise(SIGSTOP);  // it never comes to the second one
    interrupt_soon();
    group.barrier();
    return "together";
  });
  EXPECT_EQ(outcomes[0].code, 130) << outcomes[0].text;
}

TEST(GroupMeet, SaysWhoIsAwaited) {
  const auto heard = [](const RankInfo& own) {
    std::string said;
    JoinOptions options = quick();
    options.meeting.limit = milliseconds(2500);
    options.meeting.silence = milliseconds(0);
    options.meeting.tell = [&](const std::string& line) { said += line + "\n"; };
    try {
      join_c10d(own, torch::kCPU, options);
    } catch (const Error&) {
      return said;
    }
    return std::string("joined");
  };
  {
    const Port port;
    const auto outcomes = run_processes(1, 30, [&](int) { return heard(place(1, 2, port.number)); });
    EXPECT_EQ(outcomes[0].text, fmt::format("waiting for rank 0 at 127.0.0.1:{}\n", port.number));
  }
  {
    const Port port;
    const std::string said = where_others_came({2}, place(0, 4, port.number), heard).text;
    EXPECT_TRUE(said.ends_with(
        fmt::format("waiting for rank 1, 3 at 127.0.0.1:{} (2 of 4 processes are there)\n", port.number)))
        << said;
  }
  {
    const Port port;
    const std::string said = where_others_came({0}, place(2, 4, port.number), heard).text;
    EXPECT_EQ(said.find("processes are there"), std::string::npos) << said << "rank 0 says it";
  }
}

TEST(GroupMeet, AnUnknownHostIsOneLine) {
  RankInfo own = place(1, 2, 29500);
  own.master_address = "no host";  // no resolver takes a blank
  const auto outcomes = run_processes(1, 60, [&](int) -> std::string {
    join_c10d(own, torch::kCPU, quick());
    return "joined";
  });
  EXPECT_EQ(outcomes[0].code, 2) << outcomes[0].text;
  EXPECT_NE(outcomes[0].text.find("MASTER_ADDR: unknown host (got 'no host'"), std::string::npos) << outcomes[0].text;
}

TEST(GroupMeet, TooFewFilesIsSaidBefore) {
  const auto outcomes = run_processes(1, 60, [&](int) -> std::string {
    const rlimit limit{40, 40};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const Port port;
    join_c10d(place(0, 2, port.number), torch::kCPU, quick());
    return "joined";
  });
  EXPECT_EQ(outcomes[0].code, 4) << outcomes[0].text;
  EXPECT_NE(outcomes[0].text.find("may open too few files (got a limit of 40"), std::string::npos) << outcomes[0].text;
}

}  // namespace
}  // namespace effnet::train

// Groups of forked processes over loopback.
#include "effnet/train/distributed/group.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <torch/types.h>

#include <cmath>
#include <thread>

#include "effnet/train/distributed/group_testing.h"

namespace effnet::train {
namespace {

using std::chrono::milliseconds;
using torch::Tensor;

void expect_ok(const std::vector<Outcome>& outcomes, const std::string& text = "ok") {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].code, 0) << "rank " << i << ": " << outcomes[i].text;
    EXPECT_EQ(outcomes[i].text, text) << "rank " << i;
  }
}

#define EXPECT_THAT_OR_RETURN(condition) \
  if (!(condition)) return std::string(#condition)

std::string check_exchanges(Group& group) {
  const int world = group.world(), rank = group.rank();
  for (const auto type : {torch::kFloat32, torch::kFloat64, torch::kInt64, torch::kInt32, torch::kUInt8,
                          torch::kBFloat16, torch::kHalf, torch::kInt16, torch::kBool}) {
    Tensor numbers = torch::full({7}, rank + 1, torch::kInt64).to(type);
    group.sum(numbers);
    const Tensor expected = torch::full({7}, world * (world + 1) / 2, torch::kInt64).to(type);
    EXPECT_THAT_OR_RETURN(numbers.scalar_type() == type && numbers.equal(expected));
  }
  // Other layouts: a transposed view, channels-last, an empty tensor, a scalar.
  Tensor base = torch::arange(12, torch::kFloat32).view({3, 4});
  Tensor view = base.t();
  group.sum(view);
  EXPECT_THAT_OR_RETURN(base.equal(torch::arange(12, torch::kFloat32).view({3, 4}) * world));
  Tensor image = torch::arange(2 * 3 * 4 * 5, torch::kFloat32).view({2, 3, 4, 5});
  const Tensor expected = image * world;
  // The memory order differs between the ranks.
  if (rank % 2 == 1) image = image.contiguous(torch::MemoryFormat::ChannelsLast);
  group.sum(image);
  EXPECT_THAT_OR_RETURN(image.equal(expected));
  Tensor nothing = torch::empty({0});
  group.sum(nothing);
  Tensor number = torch::tensor(1.5);
  group.sum(number);
  EXPECT_THAT_OR_RETURN(number.item<double>() == 1.5 * world);
  Tensor leaf = torch::ones({2}).requires_grad_(true);
  group.sum(leaf);
  EXPECT_THAT_OR_RETURN(leaf.is_leaf() && leaf.detach().equal(torch::full({2}, static_cast<float>(world))));

  for (int from = 0; from < world; ++from) {
    Tensor sent = torch::full({2, 3, 2, 2}, rank, torch::kFloat32).contiguous(torch::MemoryFormat::ChannelsLast);
    group.broadcast(sent, from);
    EXPECT_THAT_OR_RETURN(sent.equal(torch::full({2, 3, 2, 2}, static_cast<float>(from))));
  }
  group.barrier();

  const auto text_of = [](int of) {
    return std::string(static_cast<std::size_t>(of) * 3, static_cast<char>('a' + of));
  };
  const std::vector<std::string> texts = group.gather(text_of(rank));
  EXPECT_THAT_OR_RETURN(texts.size() == static_cast<std::size_t>(world));
  for (int of = 0; of < world; ++of) EXPECT_THAT_OR_RETURN(texts[static_cast<std::size_t>(of)] == text_of(of));
  EXPECT_THAT_OR_RETURN(group.gather("") == std::vector<std::string>(static_cast<std::size_t>(world)));
  return "ok";
}

TEST(Group, SumsBroadcastsAndGathersAllTypesAndLayouts) {
  for (const int world : {2, 4}) expect_ok(run_group(world, check_exchanges));
}

TEST(Group, SumsHaveTheSameBitsOnAllRanksAndInEveryRun) {
  std::vector<std::string> seen;
  for (int again = 0; again < 2; ++again) {
    const auto outcomes = run_group(4, [](Group& group) {
      torch::manual_seed(static_cast<std::uint64_t>(group.rank()));
      Tensor numbers = torch::randn({100003});
      group.sum(numbers);
      // An integer checksum that depends on the order: almost surely equal only if all bits are equal.
      const Tensor bits = torch::from_blob(numbers.data_ptr(), {numbers.numel()}, torch::kInt32).to(torch::kInt64);
      return std::to_string((bits * torch::arange(1, numbers.numel() + 1)).sum().item<std::int64_t>());
    });
    for (const Outcome& outcome : outcomes) {
      EXPECT_EQ(outcome.code, 0) << outcome.text;
      seen.push_back(outcome.text);
    }
  }
  for (const std::string& text : seen) EXPECT_EQ(text, seen[0]);
}

// Compares the gradients of a small network summed in buckets with one sum per parameter. A ring all-reduce adds the
// ranks in a different order in each part of a tensor. Each of the two results has world - 1 roundings, each at most
// 2^-24 of the sum of the absolute values (`magnitudes`).
std::string check_gradients(Group& group) {
  const int world = group.world();
  torch::manual_seed(7);
  std::vector<Tensor> parameters;
  for (int i = 0; i < 5; ++i) {
    parameters.push_back(torch::randn({24, 24}).requires_grad_(true));
    parameters.push_back(torch::randn({24}).requires_grad_(true));
  }
  parameters.push_back(torch::randn({9}).requires_grad_(true));  // used by rank 1 only
  parameters.push_back(torch::randn({9}).requires_grad_(true));  // not used
  for (int step = 0; step < 3; ++step) {
    torch::manual_seed(static_cast<std::uint64_t>(100 * step + group.rank()));
    const auto backward = [&] {
      Tensor x = torch::randn({16, 24});
      for (std::size_t i = 0; i < 10; i += 2) x = torch::tanh(torch::mm(x, parameters[i]) + parameters[i + 1]);
      Tensor loss = x.pow(2).mean();
      if (group.rank() == 1) loss = loss + parameters[10].sum();
      loss.backward();
    };
    for (Tensor& p : parameters) p.mutable_grad() = Tensor();
    backward();  // the first of two micro-batches: its gradients stay on this rank
    group.begin_gradients(parameters, 4096);
    backward();
    std::vector<Tensor> direct, magnitudes;
    // These sums run while the buckets are being sent, and must not mix with them.
    for (const Tensor& p : parameters) {
      direct.push_back(p.grad().defined() ? p.grad().clone() : torch::zeros_like(p).detach());
      magnitudes.push_back(direct.back().abs());
    }
    for (std::size_t i = 0; i < direct.size(); ++i) {
      group.sum(direct[i]);
      group.sum(magnitudes[i]);
    }
    group.end_gradients();
    for (std::size_t i = 0; i + 1 < parameters.size(); ++i) {
      const Tensor bound = magnitudes[i] * (2.0 * (world - 1) / world * std::ldexp(1.0, -24)) + 1e-38;
      EXPECT_THAT_OR_RETURN(((parameters[i].grad() - direct[i] / world).abs() <= bound).all().item<bool>());
    }
    EXPECT_THAT_OR_RETURN(parameters[10].grad().equal(torch::full({9}, 1.0F / static_cast<float>(world) * 2)));
    EXPECT_THAT_OR_RETURN(!parameters[11].grad().defined());
    // The gradients have the same bits on all ranks.
    for (std::size_t i = 0; i + 1 < parameters.size(); ++i) {
      Tensor of_rank0 = parameters[i].grad().clone();
      group.broadcast(of_rank0, 0);
      EXPECT_THAT_OR_RETURN(of_rank0.equal(parameters[i].grad()));
    }
  }
  return "ok";
}

TEST(Group, BucketsGiveTheMeanOfTheGradients) {
  for (const int world : {2, 4}) expect_ok(run_group(world, check_gradients));
}

TEST(Group, WaitsForASlowRank) {
  JoinOptions timing = short_timeouts();
  timing.heartbeat.timeout = milliseconds(3000);  // thirty heartbeat intervals of 100 ms
  timing.heartbeat.suspected_timeout = milliseconds(500);
  expect_ok(run_group(
      3,
      [](Group& group) {
        if (group.rank() == 1) std::this_thread::sleep_for(milliseconds(3500));
        group.barrier();
        return std::string("ok");
      },
      timing));
}

// Expects Error(environment) that names rank `dead` on all other ranks.
void expect_named(const std::vector<Outcome>& outcomes, std::size_t dead, const std::string& how) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (i == dead) continue;
    EXPECT_EQ(outcomes[i].code, 4) << i << ": " << outcomes[i].text;
    EXPECT_NE(outcomes[i].text.find(fmt::format("rank {} of {}", dead, outcomes.size())), std::string::npos)
        << i << ": " << outcomes[i].text;
    EXPECT_NE(outcomes[i].text.find(how), std::string::npos) << i << ": " << outcomes[i].text;
  }
}

TEST(Group, AllRanksReportAKilledRank) {
  for (const int dead : {0, 2}) {
    SCOPED_TRACE(dead);
    const auto outcomes = run_group(3, [&](Group& group) {
      group.barrier();
      if (group.rank() == dead) ::raise(SIGKILL);
      Tensor gradients = torch::ones({100000});
      for (int i = 0; i < 1000; ++i) group.sum(gradients);
      return std::string("no error");
    });
    EXPECT_EQ(outcomes[static_cast<std::size_t>(dead)].code, 128 + SIGKILL);
    expect_named(outcomes, static_cast<std::size_t>(dead), "was lost");
  }
}

// Rank 1 is killed during backward. On rank 0, end_gradients() or backward itself throws an Error.
TEST(Group, AllRanksReportARankKilledDuringBackward) {
  const auto outcomes = run_group(2, [](Group& group) {
    std::vector<Tensor> parameters;
    for (int i = 0; i < 8; ++i) parameters.push_back(torch::ones({1000}).requires_grad_(true));
    for (int step = 0; step < 1000; ++step) {
      group.begin_gradients(parameters, 1);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (group.rank() == 1 && step == 3 && i == 4) ::raise(SIGKILL);
        parameters[parameters.size() - 1 - i].sum().backward();
      }
      group.end_gradients();
    }
    return std::string("no error");
  });
  expect_named(outcomes, 1, "was lost");
}

TEST(Group, AllRanksReportARankThatExited) {
  for (const int leaver : {0, 1}) {
    SCOPED_TRACE(leaver);
    const auto outcomes = run_group(3, [&](Group& group) -> std::string {
      group.barrier();
      if (group.rank() == leaver) throw input_error("a corrupt image");
      group.barrier();
      return "no error";
    });
    EXPECT_EQ(outcomes[static_cast<std::size_t>(leaver)].text, "error 3: a corrupt image");
    expect_named(outcomes, static_cast<std::size_t>(leaver), "exited before the others");
  }
}

// When a machine loses power, its connections do not fail. A stopped process behaves in the same way.
TEST(Group, DeclaresARankWithoutHeartbeatLost) {
  JoinOptions timing = short_timeouts();
  timing.heartbeat.timeout = milliseconds(1500);
  const auto outcomes = run_group(
      3,
      [](Group& group) {
        group.barrier();
        if (group.rank() == 1) ::raise(SIGSTOP);
        group.barrier();
        return std::string("no error");
      },
      timing);
  expect_named(outcomes, 1, "was lost");
}

TEST(Group, ReportsMissingDuplicateAndUnreachableRanks) {
  JoinOptions timing = short_timeouts();
  timing.rendezvous.timeout = milliseconds(2000);
  const auto join_at = [&](const RankInfo& own) {
    join_c10d(own, torch::kCPU, timing);
    return std::string("joined");
  };
  {
    const Port port;
    const Outcome outcome = run_with_registered_ranks({2}, make_rank_info(0, 4, port.number), join_at);
    EXPECT_EQ(outcome.code, 4);
    EXPECT_NE(outcome.text.find("got 2 of 4 processes; missing: rank 1, 3"), std::string::npos) << outcome.text;
  }
  {
    const Port port;  // ranks 0 and 2 of 4 start; both fail, in whatever order they start and end
    const auto outcomes =
        run_processes(2, 30, [&](int rank) { return join_at(make_rank_info(rank * 2, 4, port.number)); });
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.code, 4) << outcome.text;
  }
  {
    const Port port;  // no process listens on it
    const auto outcomes = run_processes(1, 30, [&](int) { return join_at(make_rank_info(1, 2, port.number)); });
    EXPECT_EQ(outcomes[0].code, 4);
    EXPECT_NE(outcomes[0].text.find("cannot reach rank 0 at 127.0.0.1"), std::string::npos) << outcomes[0].text;
  }
  {
    const Port port;
    ASSERT_EQ(::listen(port.handle(), 1), 0);  // the port is in use
    const auto outcomes = run_processes(1, 30, [&](int) { return join_at(make_rank_info(0, 2, port.number)); });
    EXPECT_EQ(outcomes[0].code, 4);
    EXPECT_NE(outcomes[0].text.find("cannot listen on port"), std::string::npos) << outcomes[0].text;
  }
  {
    const Port port;
    const Outcome outcome = run_with_registered_ranks({1}, make_rank_info(1, 3, port.number), join_at);
    EXPECT_EQ(outcome.code, 4);
    EXPECT_NE(outcome.text.find("rank 1 joined twice"), std::string::npos) << outcome.text;
  }
}

// As with torchrun, whose agent runs the store: here process 2 is the agent. It runs longer than the ranks.
TEST(Group, UsesTheStoreOfAnAgent) {
  const Port port;
  const auto outcomes = run_processes(3, 60, [&](int number) -> std::string {
    at::set_num_threads(1);
    if (number == 2) {
      c10d::TCPStoreOptions options;
      options.port = static_cast<std::uint16_t>(port.number);
      options.isServer = true;
      options.waitWorkers = false;
      c10d::TCPStore store("127.0.0.1", options);
      store.set("key/of/another/program", {1});
      store.wait({"effnet/attempt_0/done/0", "effnet/attempt_0/done/1"}, std::chrono::seconds(30));
      return "ok";
    }
    RankInfo mine = make_rank_info(number, 2, port.number);
    mine.store_prefix = "effnet/attempt_0";
    const std::string result = check_exchanges(*join_c10d(mine, torch::kCPU, short_timeouts()));
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port.number);
    options.waitWorkers = false;
    c10d::TCPStore("127.0.0.1", options).set("effnet/attempt_0/done/" + std::to_string(number), {1});
    return result;
  });
  expect_ok(outcomes);
}

TEST(Group, JoinOfOneProcessGivesASingleProcessGroup) {
  const auto group = join({}, torch::kCPU);
  EXPECT_EQ(group->world(), 1);
  Tensor numbers = torch::ones({3});
  group->sum(numbers);
  EXPECT_TRUE(numbers.equal(torch::ones({3})));
  EXPECT_EQ(group->gather("a"), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace effnet::train

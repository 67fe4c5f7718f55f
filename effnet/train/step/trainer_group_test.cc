// Steps with several ranks, which are threads of one process here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <new>
#include <thread>

#include "effnet/train/distributed/sync_sum.h"
#include "effnet/train/step/testing.h"

namespace effnet::train {
namespace {

template <class Body>
void on_ranks(int world, const Body& body) {
  ThreadGroup all(world);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadGroup::Member member(all, rank);
      body(member);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SingleProcess, IsAGroupOfOneRank) {
  const auto group = single_process();
  torch::Tensor x = torch::ones({3});
  group->sum(x);
  group->broadcast(x, 0);
  group->barrier();
  EXPECT_TRUE(torch::equal(x, torch::ones({3})));
  EXPECT_EQ(group->world(), 1);
  EXPECT_EQ(group->rank(), 0);
  EXPECT_THAT(group->gather("a"), testing::ElementsAre("a"));
}

// y = x0 + x1, and rank r has the loss w_r y^2, with w_0 = 4 and w_1 = 5. The derivative of the sum of both losses with
// respect to x_r is 2 (w_0 + w_1) y on every rank.
TEST(SyncSum, GradientIsTheSumOfAllRanks) {
  std::vector<torch::Tensor> gradients(2), sums(2), inputs(2);
  on_ranks(2, [&](Group& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    const double own = group.rank() + 1;
    const torch::Tensor x = torch::tensor({own, 10 * own}, torch::kDouble).requires_grad_();
    const torch::Tensor y = sync_sum(x, group);
    ((own + 3) * y.square()).sum().backward();
    sums[rank] = y.detach();
    gradients[rank] = x.grad();
    inputs[rank] = x.detach();
  });
  for (std::size_t rank = 0; rank < 2; ++rank) {
    EXPECT_TRUE(torch::equal(sums[rank], torch::tensor({3.0, 30.0}, torch::kDouble)));
    EXPECT_TRUE(torch::equal(gradients[rank], torch::tensor({2 * 9 * 3.0, 2 * 9 * 30.0}, torch::kDouble)));
  }
  EXPECT_EQ(inputs[0][0].item<double>(), 1);
}

Recipe recipe_of(bool sync_bn) {
  Recipe recipe;
  recipe.optimizer.name = OptimizerKind::sgd;
  recipe.sync_bn = sync_bn;
  recipe.ema_decay = 0.99;
  return recipe;
}

struct Outcome {
  double loss = 0;
  std::map<std::string, std::string> bytes;
  std::map<std::string, torch::Tensor> state;
};
Outcome outcome_of(Trainer& trainer, double loss) {
  Outcome outcome{loss, bytes_of(trainer), {}};
  for (const auto& [name, tensor] : trainer.state()) outcome.state[name] = tensor.clone();
  return outcome;
}

std::vector<Outcome> two_steps_of(int world, bool sync_bn) {
  std::vector<Outcome> outcomes(static_cast<std::size_t>(world));
  on_ranks(world, [&](Group& group) {
    const graph::Graph graph = tiny_graph();
    Trainer trainer(graph, nn::ParameterStore::initialised(graph, 11), recipe_of(sync_bn), torch::kCPU, group);
    const std::int64_t n = 12 / world;
    const double loss = trainer.step(tiny_batch(n, group.rank() * n), 0.05).loss;
    trainer.step(tiny_batch(n, 12 + group.rank() * n), 0.05);
    outcomes[static_cast<std::size_t>(group.rank())] = outcome_of(trainer, loss);
  });
  return outcomes;
}

TEST(TrainerOfAGroup, WithSynchronisedBatchNormMatchesOneProcessWithTheWholeBatch) {
  const Outcome one = two_steps_of(1, true)[0];
  for (const int world : {2, 3}) {
    const std::vector<Outcome> ranks = two_steps_of(world, true);
    double loss = 0;
    for (const Outcome& rank : ranks) loss += rank.loss / world;
    EXPECT_NEAR(loss, one.loss, 1e-5 * one.loss);
    for (const auto& [name, tensor] : one.state) {
      const double difference = (ranks[0].state.at(name) - tensor).norm().item<double>();
      EXPECT_LE(difference, 1e-4 * tensor.norm().item<double>() + 1e-6) << name;
    }
    for (const Outcome& rank : ranks) EXPECT_THAT(differing(rank.bytes, ranks[0].bytes), testing::IsEmpty());
  }
}

TEST(TrainerOfAGroup, WithoutSynchronisedBatchNormAllRanksHaveTheSameState) {
  const std::vector<Outcome> ranks = two_steps_of(2, false);
  EXPECT_NE(ranks[0].loss, ranks[1].loss);  // the ranks have different images
  EXPECT_THAT(differing(ranks[0].bytes, ranks[1].bytes), testing::IsEmpty());
  EXPECT_THAT(differing(two_steps_of(1, false)[0].bytes, ranks[0].bytes), testing::Not(testing::IsEmpty()));
}

// In float32 the mean of three equal numbers is not always this number.
TEST(TrainerOfAGroup, FixedStatisticsKeepTheirBits) {
  Recipe fixed = recipe_of(false), kept = recipe_of(false), frozen = recipe_of(false);
  fixed.bn_fixed = true;
  kept.bn_momentum = 1;
  frozen.model.freeze = "head";
  for (const Recipe& recipe : {fixed, kept, frozen}) {
    std::vector<std::map<std::string, std::string>> before(3), after(3);
    on_ranks(3, [&](Group& group) {
      const auto rank = static_cast<std::size_t>(group.rank());
      const graph::Graph graph = tiny_graph();
      Trainer trainer(graph, nn::ParameterStore::initialised(graph, 11), recipe, torch::kCPU, group);
      for (const auto& [name, tensor] : trainer.state()) {
        if (name.find("running_") != std::string::npos) tensor.copy_(torch::linspace(0.7, 1.9, tensor.numel()));
      }
      const auto statistics = [&] {
        auto bytes = bytes_of(trainer);
        std::erase_if(bytes, [](const auto& entry) {
          return !entry.first.starts_with("model/") || entry.first.find("running_") == std::string::npos;
        });
        return bytes;
      };
      before[rank] = statistics();
      trainer.step(tiny_batch(4, 4 * group.rank()), 0.05);
      after[rank] = statistics();
    });
    for (std::size_t rank = 0; rank < 3; ++rank) {
      EXPECT_FALSE(before[rank].empty());
      EXPECT_THAT(differing(before[rank], after[rank]), testing::IsEmpty());
    }
  }
}

// If memory runs out on one rank, the other ranks are in the middle of the step, so no rank may repeat it.
TEST(TrainerOfAGroup, DoesNotRetryWithSmallerMicroBatches) {
  std::vector<std::string> hints(2);
  on_ranks(2, [&](Group& group) {
    const graph::Graph graph = tiny_graph();
    Trainer trainer(graph, nn::ParameterStore::initialised(graph, 11), recipe_of(false), torch::kCPU, group);
    trainer.on_micro_batch([](std::int64_t) { throw std::bad_alloc(); });
    try {
      trainer.step(tiny_batch(4), 0.05);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::environment) hints[static_cast<std::size_t>(group.rank())] = error.hint();
    }
  });
  for (const std::string& hint : hints) EXPECT_THAT(hint, testing::HasSubstr("train.accumulate"));
}

// If the images of one rank are not finite, all ranks stop at the same step.
TEST(TrainerOfAGroup, AllRanksStopAtTheSameStep) {
  std::vector<int> stopped(2);
  on_ranks(2, [&](Group& group) {
    const graph::Graph graph = tiny_graph();
    Trainer trainer(graph, nn::ParameterStore::initialised(graph, 11), recipe_of(false), torch::kCPU, group);
    data::Batch batch = tiny_batch(4, 4 * group.rank());
    if (group.rank() == 1) batch.images[7] = std::numeric_limits<float>::quiet_NaN();
    const auto before = bytes_of(trainer);
    try {
      trainer.step(batch, 0.05);
    } catch (const NotFinite&) {
      stopped[static_cast<std::size_t>(group.rank())] = differing(before, bytes_of(trainer)).empty() ? 1 : 2;
    }
  });
  EXPECT_THAT(stopped, testing::ElementsAre(1, 1));
}

}  // namespace
}  // namespace effnet::train

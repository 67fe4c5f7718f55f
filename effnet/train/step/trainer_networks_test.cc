// Trainer::step() with networks of the caller, as the training of a supernet uses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/graph/lower.h"
#include "effnet/train/step/testing.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {
namespace {

using testing::IsEmpty;

// Networks of the caller on the trainer's weights. The same network as the trainer's own gives the same bits; of two
// networks the loss and the gradient are the means. Tensors that none of them reads keep their values.
TEST(Trainer, TrainsTheNetworksOfTheCaller) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd, 2);
  recipe.optimizer.weight_decay = 0;
  TinyTrainer own(recipe), given(recipe);
  const auto network_of = [](TinyTrainer& fixture, const graph::Graph& graph) {
    return std::make_shared<nn::Network>(graph, fixture.trainer.weights(), fixture.trainer.network_options());
  };
  const std::vector<std::shared_ptr<nn::Network>> same{network_of(given, given.graph)};
  for (int step = 0; step < 2; ++step) {
    const data::Batch batch = tiny_batch(8, 8 * step, step);
    EXPECT_EQ(given.trainer.step(batch, 0.1, same).loss, own.trainer.step(batch, 0.1).loss);
  }
  EXPECT_THAT(differing(bytes_of(own.trainer), bytes_of(given.trainer)), IsEmpty());

  arch::ArchSpec shorter = tiny_spec();
  shorter.stages[1].repeats = 1;
  const graph::Graph short_graph =
      graph::lower(shorter, {.resolution = Size{kTinyPixels, kTinyPixels}, .classes = kTinyClasses});
  TinyTrainer first(recipe), second(recipe), both(recipe);
  const data::Batch batch = tiny_batch(8);
  const StepResult a = first.trainer.step(batch, 0.1);
  const auto before = bytes_of(second.trainer);
  const std::vector<std::shared_ptr<nn::Network>> one{network_of(second, short_graph)};
  const StepResult b = second.trainer.step(batch, 0.1, one);
  const auto after = bytes_of(second.trainer);
  EXPECT_EQ(before.at("model/stages.1.1.expand.conv.weight"), after.at("model/stages.1.1.expand.conv.weight"));
  EXPECT_NE(before.at("model/stages.1.0.expand.conv.weight"), after.at("model/stages.1.0.expand.conv.weight"));
  const std::vector<std::shared_ptr<nn::Network>> two{network_of(both, both.graph), network_of(both, short_graph)};
  const StepResult c = both.trainer.step(batch, 0.1, two);
  EXPECT_NEAR(c.loss, (a.loss + b.loss) / 2, 1e-6 * c.loss);
  EXPECT_EQ(c.right, a.right + b.right);
  EXPECT_EQ(c.images, 16);
  const auto gradient = [](TinyTrainer& fixture) {
    return torch::cat([&] {
      std::vector<torch::Tensor> flat;
      for (const nn::ParameterStore::Entry& entry : fixture.trainer.weights()->entries()) {
        if (entry.statistic) continue;
        flat.push_back(entry.tensor.grad().defined() ? entry.tensor.grad().flatten()
                                                     : torch::zeros({entry.tensor.numel()}));
      }
      return flat;
    }());
  };
  const torch::Tensor expected = (gradient(first) + gradient(second)) / 2;
  EXPECT_LE((gradient(both) - expected).norm().item<double>(), 1e-5 * expected.norm().item<double>());
}

}  // namespace
}  // namespace effnet::train

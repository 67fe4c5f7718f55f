#include "effnet/train/step/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>

#include <cmath>
#include <limits>
#include <new>
#include <set>

#include "effnet/train/step/ema.h"
#include "effnet/train/step/testing.h"

namespace effnet::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void copy_state(Trainer& from, Trainer& to) {
  const auto source = from.state();
  const auto target = to.state();
  ASSERT_EQ(source.size(), target.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    ASSERT_EQ(source[i].first, target[i].first);
    auto tensor = target[i].second;
    tensor.copy_(source[i].second);
  }
  for (const auto& [name, value] : from.scalars()) to.set_scalar(name, value);
}

TEST(Trainer, ResumesToTheSameBits) {
  for (const auto& [optimizer, name] : kOptimizers) {
    for (const bool fused : {true, false}) {
      SCOPED_TRACE(fmt::format("optimizer {}, fused {}", name, fused));
      Recipe recipe = tiny_recipe(optimizer, 2);
      recipe.train.fused = fused;
      TinyTrainer unbroken(recipe), first(recipe), second(recipe);
      for (int step = 0; step < 6; ++step) {
        const data::Batch batch = tiny_batch(8, 8 * step, step);
        unbroken.trainer.step(batch, 0.01);
        (step < 3 ? first : second).trainer.step(batch, 0.01);
        if (step == 2) copy_state(first.trainer, second.trainer);
      }
      EXPECT_THAT(differing(bytes_of(unbroken.trainer), bytes_of(second.trainer)), IsEmpty());
      EXPECT_EQ(second.trainer.steps(), 6);
      EXPECT_THAT(differing(bytes_of(unbroken.trainer), bytes_of(first.trainer)), testing::Not(IsEmpty()));
    }
  }
}

TEST(Trainer, StateHasEveryTensorOnce) {
  TinyTrainer fixture(tiny_recipe(OptimizerKind::rmsprop_tf));
  std::set<std::string> names;
  for (const auto& [name, tensor] : fixture.trainer.state()) EXPECT_TRUE(names.insert(name).second) << name;
  for (const graph::Parameter& parameter : graph::parameters(fixture.graph)) {
    EXPECT_TRUE(names.contains("model/" + parameter.name));
    EXPECT_TRUE(names.contains("ema/" + parameter.name));
    EXPECT_EQ(names.contains("optimizer/momentum/" + parameter.name), !parameter.statistic());
  }
  EXPECT_THROW(fixture.trainer.set_scalar("parts", 0), Error);
  EXPECT_THROW(fixture.trainer.set_scalar("steps", 0.5), Error);
  EXPECT_THROW(fixture.trainer.set_scalar("speed", 1), Error);
}

// The gradient and loss of a batch in two micro-batches are the means over the micro-batches. The expected values are
// computed by plain steps and torch's cross entropy.
TEST(Trainer, MicroBatchesGiveTheMeanOfTheBatch) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd, 2);
  recipe.optimizer.momentum = 0;
  recipe.optimizer.weight_decay = 0;
  const graph::Graph graph = tiny_graph();
  TinyTrainer fixture(recipe, graph);
  const data::Batch batch = tiny_batch(6);

  const auto store = nn::ParameterStore::initialised(graph, 11);
  nn::Network network(graph, store, {.fused = false});
  torch::Tensor loss = torch::zeros({});
  std::int64_t right = 0;
  for (std::int64_t first : {0, 3}) {
    const torch::Tensor images = torch::from_blob(const_cast<float*>(batch.images.data()) + first * 768, {3, 16, 16, 3})
                                     .permute({0, 3, 1, 2})
                                     .contiguous();
    const torch::Tensor labels = torch::tensor(batch.labels).narrow(0, first, 3);
    nn::ForwardContext pass;
    pass.training = true;
    pass.seed = 3;
    pass.samples = {first, first + 1, first + 2};
    const torch::Tensor logits = network.forward(images, pass);
    loss = loss + torch::nn::functional::cross_entropy(
                      logits, labels, torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(0.1)) /
                      2;
    right += (logits.argmax(1) == labels).sum().item<std::int64_t>();
  }
  loss.backward();

  const StepResult got = fixture.trainer.step(batch, 0);
  // Fused and plain steps add at most 100 products per value in different orders, in about fifty layers. The tolerance
  // of 1e-5 of the value is more than a hundred roundings.
  EXPECT_NEAR(got.loss, loss.item<double>(), 1e-5 * loss.item<double>());
  EXPECT_EQ(got.right, right);
  EXPECT_EQ(got.images, 6);
  double squares = 0;
  const auto& ours = fixture.trainer.weights()->entries();
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].statistic) continue;
    const torch::Tensor expected = store->entries()[i].tensor.grad();
    const double difference = (ours[i].tensor.grad() - expected).norm().item<double>();
    // The next batch norm removes the bias of a projection's batch norm, so the gradient of this bias is only rounding
    // error.
    EXPECT_LE(difference, 1e-4 * expected.norm().item<double>() + 1e-6) << ours[i].name;
    squares += expected.square().sum().item<double>();
  }
  EXPECT_NEAR(got.gradient_norm, std::sqrt(squares), 1e-4 * std::sqrt(squares));
}

TEST(Trainer, ClipsByTheNormOfAllGradients) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.optimizer.momentum = 0;
  recipe.optimizer.weight_decay = 0;
  for (const double factor : {0.5, 2.0}) {
    TinyTrainer unclipped(recipe);
    const double norm = unclipped.trainer.step(tiny_batch(6), 1).gradient_norm;
    Recipe clipped = recipe;
    clipped.train.clip_norm = factor * norm;
    TinyTrainer fixture(clipped);
    const auto before = nn::ParameterStore::initialised(fixture.graph, 11);
    EXPECT_EQ(fixture.trainer.step(tiny_batch(6), 1).gradient_norm, norm);  // before clipping
    double squares = 0;
    for (std::size_t i = 0; i < before->entries().size(); ++i) {
      if (before->entries()[i].statistic) continue;
      const auto after = fixture.trainer.weights()->entries()[i].tensor;
      squares += (after - before->entries()[i].tensor).to(torch::kDouble).square().sum().item<double>();
    }
    EXPECT_NEAR(std::sqrt(squares), std::min(factor, 1.0) * norm, 1e-5 * norm);
  }
}

// Memory runs out in the second of two micro-batches, after the first one has updated the moving statistics and
// gradients. The results must equal those of four micro-batches from the start.
TEST(Trainer, HalvesMicroBatchesIfMemoryRunsOut) {
  TinyTrainer expected(tiny_recipe(OptimizerKind::rmsprop_tf, 4));
  expected.trainer.step(tiny_batch(8), 0.01);
  expected.trainer.step(tiny_batch(8, 8), 0.01);

  const auto real = [] { torch::empty({std::int64_t{1} << 50}); };  // LibTorch's own error
  const auto standard = [] { throw std::bad_alloc(); };
  const auto device = [] { TORCH_CHECK(false, "CUDA out of memory. Tried to allocate 20.00 MiB"); };
  for (const std::function<void()>& fail :
       {std::function<void()>(real), std::function<void()>(standard), std::function<void()>(device)}) {
    TinyTrainer fixture(tiny_recipe(OptimizerKind::rmsprop_tf, 2));
    std::vector<std::int64_t> sizes;
    fixture.trainer.on_micro_batch([&](std::int64_t images) {
      sizes.push_back(images);
      if (sizes.size() == 2) fail();
    });
    fixture.trainer.step(tiny_batch(8), 0.01);
    fixture.trainer.step(tiny_batch(8, 8), 0.01);
    EXPECT_THAT(sizes, ElementsAre(4, 4, 2, 2, 2, 2, 2, 2, 2, 2));
    EXPECT_THAT(differing(bytes_of(expected.trainer), bytes_of(fixture.trainer)), IsEmpty());
  }
}

TEST(Trainer, OutOfMemoryWithOneImageIsAnErrorThatKeepsTheWeights) {
  TinyTrainer fixture(tiny_recipe(OptimizerKind::rmsprop_tf));
  const auto before = bytes_of(fixture.trainer);
  fixture.trainer.on_micro_batch([](std::int64_t) { throw std::bad_alloc(); });
  try {
    fixture.trainer.step(tiny_batch(5), 0.01);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
  }
  EXPECT_THAT(differing(before, bytes_of(fixture.trainer)), ElementsAre("parts"));
}

TEST(Trainer, NonFiniteImagesAreAnErrorThatChangesNothing) {
  TinyTrainer clean(tiny_recipe(OptimizerKind::rmsprop_tf, 2));
  const StepResult expected = clean.trainer.step(tiny_batch(8), 0.01);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    TinyTrainer fixture(tiny_recipe(OptimizerKind::rmsprop_tf, 2));
    const auto before = bytes_of(fixture.trainer);
    data::Batch batch = tiny_batch(8, 0, 17);
    batch.images.back() = bad;  // in the second micro-batch, after the first one has updated the statistics
    try {
      fixture.trainer.step(batch, 0.01);
      FAIL();
    } catch (const NotFinite& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), testing::HasSubstr("batch 18"));
      EXPECT_FALSE(error.hint().empty());
    }
    EXPECT_THAT(differing(before, bytes_of(fixture.trainer)), IsEmpty());
    EXPECT_EQ(fixture.trainer.step(tiny_batch(8), 0.01).loss, expected.loss);
    EXPECT_THAT(differing(bytes_of(clean.trainer), bytes_of(fixture.trainer)), IsEmpty());
  }
}

TEST(Trainer, ALabelOutOfRangeIsAnErrorThatChangesNothing) {
  TinyTrainer fixture(tiny_recipe(OptimizerKind::rmsprop_tf, 2));
  const auto before = bytes_of(fixture.trainer);
  data::Batch batch = tiny_batch(8);
  batch.labels.back() = kTinyClasses;
  try {
    fixture.trainer.step(batch, 0.01);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
  }
  EXPECT_THAT(differing(before, bytes_of(fixture.trainer)), IsEmpty());
  batch.images.pop_back();
  EXPECT_THROW(fixture.trainer.step(batch, 0.01), Error);
}

// Compares the moving average with a loop in double, for trainable tensors and moving statistics.
TEST(Trainer, AveragesWeightsAndStatistics) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.ema_decay = 0.2;
  TinyTrainer fixture(recipe);
  std::map<std::string, torch::Tensor> shadows;
  const auto model = [&] {
    std::map<std::string, torch::Tensor> result;
    for (const auto& [name, tensor] : fixture.trainer.state()) {
      if (name.starts_with("model/")) result[name.substr(6)] = tensor.to(torch::kDouble);
    }
    return result;
  };
  shadows = model();
  for (int step = 0; step < 4; ++step) {
    fixture.trainer.step(tiny_batch(6, 6 * step), 0.05);
    const double d = std::min(0.2, (1.0 + step) / (10.0 + step));
    for (const auto& [name, value] : model()) shadows[name] = d * shadows[name] + (1 - d) * value;
  }
  ASSERT_TRUE(fixture.trainer.has_average());
  const tensor::Weights averaged = fixture.trainer.averaged_weights();
  for (const auto& [name, shadow] : shadows) {
    const std::vector<float> values = tensor::to_floats(averaged.at(name));
    const torch::Tensor got = torch::tensor(values).view(shadow.sizes()).to(torch::kDouble);
    // 4 steps with 3 roundings of 6e-8 each.
    EXPECT_LE((got - shadow).norm().item<double>(), 4 * 3 * 6e-8 * shadow.norm().item<double>()) << name;
  }
}

// With a learning rate of 0, the batch statistics b are the same in every step t (from 0). A step changes the moving
// statistics s to k s + (1 - k) b with k = min(momentum, (1 + t) / (10 + t)). Tested for fused and plain steps, in fp32
// and bf16.
TEST(Trainer, BatchNormWarmUpLimitsTheMomentumOfEarlySteps) {
  const data::Batch batch = tiny_batch(8);
  const auto statistics = [](TinyTrainer& fixture) {
    std::map<std::string, torch::Tensor> values;
    for (const nn::ParameterStore::Entry& entry : fixture.trainer.weights()->entries()) {
      if (entry.statistic) values[entry.name] = entry.tensor.to(torch::kDouble);
    }
    return values;
  };
  for (const bool fused : {true, false}) {
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      SCOPED_TRACE(fmt::format("fused {}, {}", fused, name_in(kPrecisions, precision)));
      Recipe recipe = tiny_recipe(OptimizerKind::sgd);
      recipe.train.fused = fused;
      recipe.train.precision = precision;
      const auto after = [&](double momentum, bool warmup, int steps, double first_step = 0) {
        recipe.bn_momentum = momentum;
        recipe.bn_warmup = warmup;
        TinyTrainer fixture(recipe, tiny_graph(0, 0));
        fixture.trainer.set_scalar("steps", first_step);  // as when a checkpoint is loaded
        for (int step = 0; step < steps; ++step) fixture.trainer.step(batch, 0);
        return statistics(fixture);
      };
      const auto start = after(0, true, 0), batch_statistics = after(0, true, 1);
      const auto expect = [&](const std::map<std::string, torch::Tensor>& got, double kept) {
        for (const auto& [name, value] : got) {
          const torch::Tensor expected = kept * start.at(name) + (1 - kept) * batch_statistics.at(name);
          EXPECT_LE((value - expected).norm().item<double>(), 1e-5 * expected.norm().item<double>()) << name;
        }
      };
      expect(after(0.99, true, 1), 0.1);
      expect(after(0.99, true, 2), 0.1 * 2 / 11);
      expect(after(0.15, true, 2), 0.1 * 0.15);
      expect(after(0.99, true, 1, 89), 90.0 / 99);
      expect(after(0.99, true, 1, 1000), 0.99);  // from step 890 on, 0.99 is the smaller value
      expect(after(0.99, false, 2), 0.99 * 0.99);
      expect(after(1, true, 2), 1);  // momentum 1: the statistics must not change
    }
  }
}

TEST(Trainer, EvaluatesWithCurrentOrAveragedWeights) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd, 2);
  TinyTrainer fixture(recipe);
  for (int step = 0; step < 3; ++step) fixture.trainer.step(tiny_batch(6, 6 * step), 0.05);
  const data::Batch batch = tiny_batch(5, 100);
  const torch::Tensor plain = fixture.trainer.evaluate(batch, false), averaged = fixture.trainer.evaluate(batch, true);
  ASSERT_EQ(plain.sizes(), (std::vector<std::int64_t>{5, kTinyClasses}));
  EXPECT_FALSE(torch::allclose(plain, averaged));
  const auto logits = [&](const tensor::Weights& weights) {
    nn::Network network(fixture.graph, nn::ParameterStore::from_weights(fixture.graph, weights));
    const torch::NoGradGuard no_gradients;
    return network.forward(torch::tensor(batch.images).view({5, 16, 16, 3}).permute({0, 3, 1, 2}), {});
  };
  EXPECT_TRUE(torch::allclose(plain, logits(fixture.trainer.weights()->weights()), 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(averaged, logits(fixture.trainer.averaged_weights()), 1e-5, 1e-6));
  // Evaluation changes no state, and uses the latest weights.
  const auto before = bytes_of(fixture.trainer);
  fixture.trainer.evaluate(batch, true);
  EXPECT_THAT(differing(before, bytes_of(fixture.trainer)), IsEmpty());
  fixture.trainer.step(tiny_batch(6, 50), 0.05);
  EXPECT_FALSE(torch::equal(fixture.trainer.evaluate(batch, true), averaged));
  EXPECT_EQ(fixture.trainer.evaluate(tiny_batch(0), true).size(0), 0);

  recipe.ema_decay = 0;
  TinyTrainer without(recipe);
  EXPECT_FALSE(without.trainer.has_average());
  EXPECT_TRUE(torch::equal(without.trainer.evaluate(batch, true), without.trainer.evaluate(batch, false)));
}

TEST(Trainer, EveryOptimizerLearnsTheTinyDataset) {
  for (const auto& [optimizer, name] : kOptimizers) {
    TinyTrainer fixture(tiny_recipe(optimizer));
    double lr = optimizer == OptimizerKind::sgd ? 0.1 : 0.01;
    StepResult result;
    for (int step = 0; step < 40; ++step) result = fixture.trainer.step(tiny_batch(16, 16 * step), lr);
    EXPECT_GE(result.right, 14) << name;
    const data::Batch fresh = tiny_batch(40, 5000);
    const torch::Tensor guessed = fixture.trainer.evaluate(fresh, true).argmax(1);
    EXPECT_GE((guessed == torch::tensor(fresh.labels)).sum().item<std::int64_t>(), 36) << name;
  }
}

TEST(Trainer, RejectsFp16OnTheCpuAndTrainsInBf16) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.train.precision = Precision::fp16;
  try {
    TinyTrainer fixture(recipe);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
  }
  const double expected = TinyTrainer(tiny_recipe(OptimizerKind::sgd)).trainer.step(tiny_batch(8), 0).loss;
  recipe.train.precision = Precision::bf16;
  TinyTrainer fixture(recipe);
  const double got = fixture.trainer.step(tiny_batch(8), 0.05).loss;
  EXPECT_NE(got, expected);
  EXPECT_NEAR(got, expected, 0.05 * expected);  // 12 layers in bf16: 2^-9 * sqrt(12) = 0.7 %, plus batch norms
  EXPECT_EQ(fixture.trainer.weights()->entries()[0].tensor.scalar_type(), torch::kFloat);
  EXPECT_TRUE(std::isfinite(fixture.trainer.step(tiny_batch(8), 0.05).loss));
}

// The state whose name begins with "model/", for parameters of the given blocks only.
std::map<std::string, std::string> weights_of(Trainer& trainer, const std::vector<std::string>& blocks) {
  std::map<std::string, std::string> result;
  for (const auto& [name, bytes] : bytes_of(trainer)) {
    const bool wanted =
        std::ranges::any_of(blocks, [&](const auto& block) { return name.starts_with("model/" + block + "."); });
    if (wanted) result[name] = bytes;
  }
  return result;
}

TEST(Trainer, FrozenBlocksDoNotChange) {
  for (const bool fused : {true, false}) {
    SCOPED_TRACE(fused);
    Recipe recipe = tiny_recipe(OptimizerKind::adamw);
    recipe.train.fused = fused;
    recipe.model.freeze = "stages.1.0";
    TinyTrainer fixture(recipe);
    const std::vector<std::string> frozen{"stem", "stages.0.0", "stages.1.0"},
        trained{"stages.1.1", "head", "classifier"};
    const auto frozen_before = weights_of(fixture.trainer, frozen),
               trained_before = weights_of(fixture.trainer, trained);
    for (int step = 0; step < 2; ++step) fixture.trainer.step(tiny_batch(8, 8 * step, step), 0.01);
    EXPECT_THAT(differing(frozen_before, weights_of(fixture.trainer, frozen)), IsEmpty());
    EXPECT_EQ(differing(trained_before, weights_of(fixture.trainer, trained)).size(), trained_before.size());
    for (const auto& [name, tensor] : fixture.trainer.state()) {
      EXPECT_FALSE(name.starts_with("optimizer/") && name.find("/stem.") != std::string::npos) << name;
    }
  }
}

TEST(Trainer, DropoutBeforeTheOnlyTrainedLayerIsActive) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.model.freeze = "head";
  TinyTrainer with(recipe, tiny_graph(0.5, 0)), without(recipe, tiny_graph(0, 0));
  EXPECT_NE(with.trainer.step(tiny_batch(8), 0.01).loss, without.trainer.step(tiny_batch(8), 0.01).loss);
}

// The trained blocks of a frozen network get the same update as those of a network that is trained completely, if the
// frozen blocks compute the same values in training and in evaluation: with fixed statistics, without drop path.
TEST(Trainer, BlocksAfterFrozenOnesGetTheSameGradient) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.bn_fixed = true;
  recipe.optimizer.momentum = 0;
  TinyTrainer whole(recipe, tiny_graph(0, 0));
  recipe.model.freeze = "stages.1.0";
  TinyTrainer frozen(recipe, tiny_graph(0, 0));
  whole.trainer.step(tiny_batch(8), 0.01);
  frozen.trainer.step(tiny_batch(8), 0.01);
  const std::vector<std::string> trained{"stages.1.1", "head", "classifier"};
  EXPECT_THAT(differing(weights_of(whole.trainer, trained), weights_of(frozen.trainer, trained)), IsEmpty());
}

// With bn.fixed the statistics stay, gamma and beta are trained, and effnet's kernels agree with LibTorch.
TEST(Trainer, FixedStatisticsDoNotChange) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.bn_fixed = true;
  TinyTrainer fused(recipe);
  recipe.train.fused = false;
  TinyTrainer plain(recipe);
  const auto before = bytes_of(fused.trainer);
  const StepResult a = fused.trainer.step(tiny_batch(8), 0.01), b = plain.trainer.step(tiny_batch(8), 0.01);
  // Float32 sums in different orders over networks of 15 layers.
  EXPECT_NEAR(a.loss, b.loss, 1e-4 * b.loss);
  EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-3 * b.gradient_norm);
  std::set<std::string> changed;
  for (const std::string& name : differing(before, bytes_of(fused.trainer))) changed.insert(name);
  for (const auto& [name, bytes] : before) {
    if (!name.starts_with("model/")) continue;
    const bool statistic = name.ends_with("running_mean") || name.ends_with("running_var");
    EXPECT_EQ(changed.contains(name), !statistic) << name;
  }
}

TEST(Trainer, LayerDecayMakesEarlyBlocksLearnSlower) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.optimizer.momentum = recipe.optimizer.weight_decay = 0;
  TinyTrainer whole(recipe);
  recipe.optimizer.layer_decay = 0.5;
  TinyTrainer decayed(recipe);
  const auto change = [](TinyTrainer& fixture, const std::string& parameter) {
    const auto value = [&] {
      for (const auto& [name, tensor] : fixture.trainer.state()) {
        if (name == "model/" + parameter) return tensor.clone().to(torch::kDouble);
      }
      return torch::Tensor();
    };
    const torch::Tensor before = value();
    fixture.trainer.step(tiny_batch(8), 0.1);
    return (value() - before).norm().item<double>();
  };
  // Six blocks, so the stem's rate is 2^-5 of the classifier's. The difference of float32 values of size 1 has an error
  // of 1e-7; the changes are above 1e-3.
  const double stem = change(whole, "stem.conv.weight");
  EXPECT_GT(stem, 1e-3);
  EXPECT_NEAR(change(decayed, "stem.conv.weight"), stem / 32, 1e-3 * stem / 32 + 1e-6);
}

TEST(Trainer, RefusesToFreezeWhatIsNoBlock) {
  Recipe recipe = tiny_recipe(OptimizerKind::sgd);
  recipe.model.freeze = "stage.1";
  EXPECT_THROW(TinyTrainer{recipe}, Error);
}

}  // namespace
}  // namespace effnet::train

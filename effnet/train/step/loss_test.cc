#include "effnet/train/step/loss.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/functional/loss.h>

#include "effnet/base/error.h"
#include "effnet/data/dataset.h"
#include "effnet/train/step/gradients.h"
#include "effnet/train/step/precision.h"

namespace effnet::train {
namespace {

data::Batch labelled(std::vector<std::int64_t> labels) {
  data::Batch batch;
  batch.labels = std::move(labels);
  return batch;
}

// Label smoothing of 0.1: target * 0.9 + 0.1 / classes.
TEST(Loss, SmoothsTargets) {
  const torch::Tensor got = soft_targets(labelled({2, 0, 1}), 1, 2, 4, 0.1);
  const torch::Tensor expected = torch::tensor({{0.925, 0.025, 0.025, 0.025}, {0.025, 0.925, 0.025, 0.025}});
  EXPECT_TRUE(torch::allclose(got, expected, 0, 1e-7)) << got;
}

TEST(Loss, MixesTargets) {
  data::Batch batch = labelled({0, 1, 2});
  batch.labels_b = {1, 1, 0};
  batch.lambda = {0.75F, 0.25F, 0.25F};
  const torch::Tensor expected = torch::tensor({{0.75, 0.25, 0.0}, {0.0, 1.0, 0.0}, {0.75, 0.0, 0.25}});
  EXPECT_TRUE(torch::allclose(soft_targets(batch, 0, 3, 3, 0), expected, 0, 1e-7));
  EXPECT_EQ(main_label(batch, 0), 0);
  EXPECT_EQ(main_label(batch, 2), 0);
  EXPECT_EQ(main_label(labelled({2}), 0), 2);
}

TEST(Loss, MatchesTorchsCrossEntropy) {
  torch::manual_seed(1);
  const torch::Tensor logits = torch::randn({6, 5}, torch::kDouble).mul_(3).requires_grad_();
  const data::Batch batch = labelled({0, 4, 2, 2, 1, 3});
  const torch::Tensor expected = torch::nn::functional::cross_entropy(
      logits, torch::tensor(batch.labels),
      torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(0.1).reduction(torch::kSum));
  const torch::Tensor got = cross_entropy_sum(logits, soft_targets(batch, 0, 6, 5, 0.1).to(torch::kDouble));
  EXPECT_NEAR(got.item<double>(), expected.item<double>(), 6 * 20 * 6e-8);  // 6 images; float32 targets
  const auto gradient = [&](const torch::Tensor& loss) { return torch::autograd::grad({loss}, {logits})[0]; };
  EXPECT_TRUE(torch::allclose(gradient(got), gradient(expected), 0, 6e-8));
}

TEST(Loss, IsComputedInFloatForLogitsInBfloat16) {
  const torch::Tensor logits = torch::full({1, 1000}, 2.0, torch::kBFloat16);
  const torch::Tensor loss = cross_entropy_sum(logits, soft_targets(labelled({3}), 0, 1, 1000, 0.1));
  EXPECT_EQ(loss.scalar_type(), torch::kFloat);
  EXPECT_NEAR(loss.item<double>(), std::log(1000.0), 1e-5);
}

TEST(Loss, LabelsOutOfRangeAreInputErrors) {
  for (const std::int64_t label : {-1, 4}) {
    try {
      soft_targets(labelled({0, label}), 0, 2, 4, 0);
      FAIL() << label;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
    }
  }
}

TEST(Gradients, NormCoversAllTensors) {
  const torch::Tensor large = torch::full({100'000}, 0.01F),
                      permuted = torch::full({2, 3, 4, 4}, 2.0F).permute({0, 2, 3, 1});
  EXPECT_NEAR(norm_of({large, permuted}), std::sqrt(100'000 * 1e-4 + 96 * 4.0), 1e-5);
  EXPECT_NEAR(norm_of({torch::full({9}, 1e30F)}), 3e30, 1e24);  // the squares overflow a float
  EXPECT_EQ(norm_of({}), 0);
  for (const std::int64_t at : {0, 50'003, 99'999}) {
    torch::Tensor bad = large.clone();
    bad[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(norm_of({permuted, bad}))) << at;
    bad[at] = -std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isinf(norm_of({bad, permuted}))) << at;
  }
}

TEST(LossScale, HalvesAtAnOverflowAndDoublesAfter2000GoodSteps) {
  LossScale scale;
  EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.scale, 32768);
  for (int i = 0; i < 1999; ++i) scale.good();
  EXPECT_EQ(scale.scale, 32768);
  scale.good();
  EXPECT_EQ(scale.scale, 65536);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.scale, 1);
  EXPECT_FALSE(scale.overflowed());
}

TEST(Autocast, EndsWithItsScope) {
  const torch::Tensor a = torch::ones({8, 8});
  {
    const Autocast autocast(Precision::bf16, torch::kCPU);
    EXPECT_EQ(torch::mm(a, a).scalar_type(), torch::kBFloat16);
  }
  EXPECT_EQ(torch::mm(a, a).scalar_type(), torch::kFloat);
  {
    const Autocast autocast(Precision::fp32, torch::kCPU);
    EXPECT_EQ(torch::mm(a, a).scalar_type(), torch::kFloat);
  }
}

TEST(Loss, ClassWeightsScaleTheRowOfAnImage) {
  data::Batch batch;
  batch.labels = {0, 2};
  const std::vector<float> weights{0.5F, 1, 4};
  const torch::Tensor plain = soft_targets(batch, 0, 2, 3, 0.1), weighted = soft_targets(batch, 0, 2, 3, 0.1, weights);
  EXPECT_TRUE(torch::equal(weighted[0], plain[0] * 0.5));
  EXPECT_TRUE(torch::equal(weighted[1], plain[1] * 4));
  batch.labels_b = {2, 2};
  batch.lambda = {0.25F, 1};
  const torch::Tensor mixed = soft_targets(batch, 0, 2, 3, 0, weights);
  EXPECT_NEAR(mixed[0].sum().item<double>(), 0.25 * 0.5 + 0.75 * 4, 1e-6);
  EXPECT_NEAR(mixed[1].sum().item<double>(), 4, 1e-6);
}

TEST(Loss, BalancedWeightsGiveEachClassTheSameSum) {
  const auto set = data::synthetic(30, 3, {8, 8}, 1);
  std::vector<double> sums(4);
  const std::vector<float> weights = balanced_weights(*set, 4);
  double all = 0;
  for (std::int64_t i = 0; i < set->size(); ++i) {
    sums[static_cast<std::size_t>(set->label(i))] += weights[static_cast<std::size_t>(set->label(i))];
    all += weights[static_cast<std::size_t>(set->label(i))];
  }
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(sums[static_cast<std::size_t>(c)], 30.0 / 3, 1e-5);
  EXPECT_EQ(weights[3], 0);
  EXPECT_NEAR(all, 30, 1e-5);
}

}  // namespace
}  // namespace effnet::train

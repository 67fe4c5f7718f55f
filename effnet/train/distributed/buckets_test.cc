#include "effnet/train/distributed/buckets.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <vector>

namespace effnet::train {
namespace {

using torch::Tensor;

Tensor parameter(std::vector<std::int64_t> shape) { return torch::randn(shape).requires_grad_(true); }

// Simulates `world` ranks with equal gradients. Appends the number of elements of each bucket that is sent to `sent`.
GradientBuckets::Launch equal_ranks(int world, std::vector<std::int64_t>& sent) {
  return [world, &sent](Tensor& flat) {
    sent.push_back(flat.numel());
    flat.mul_(world);
    return [] {};
  };
}

TEST(GradientBuckets, AreInReverseOrderAndGiveTheMean) {
  torch::manual_seed(1);
  // The parameters have 2, 6 and 12 elements of 4 bytes. Buckets of at least 40 bytes, from the last parameter on: the
  // first has 12 elements, the second 6 + 2 elements and 3 flags (11).
  std::vector<Tensor> parameters{parameter({2}), parameter({2, 3}), parameter({12})};
  std::vector<std::int64_t> sent;
  GradientBuckets buckets(parameters, 40, 4, equal_ranks(4, sent));
  EXPECT_EQ(buckets.count(), 2);
  EXPECT_TRUE(buckets.matches(parameters, 40));
  EXPECT_FALSE(buckets.matches(parameters, 41));
  EXPECT_FALSE(buckets.matches({parameters[0]}, 40));

  for (int step = 0; step < 2; ++step) {
    sent.clear();
    std::vector<Tensor> expected;
    for (Tensor& p : parameters) p.mutable_grad() = Tensor();
    buckets.begin();
    Tensor loss = torch::zeros({});
    for (Tensor& p : parameters) {
      const Tensor factor = torch::randn(p.sizes());
      expected.push_back(factor);
      loss = loss + (p * factor).sum();
    }
    loss.backward();
    buckets.finish();
    EXPECT_EQ(sent, (std::vector<std::int64_t>{12, 11}));
    for (std::size_t i = 0; i < parameters.size(); ++i)
      EXPECT_TRUE(parameters[i].grad().equal(expected[i])) << i;  // a sum of 4 equal numbers divided by 4 is exact
  }
}

// Backward processes the layers from last to first. When it reaches a layer, the buckets of the later layers have been
// sent.
TEST(GradientBuckets, AreSentWhileBackwardRuns) {
  torch::manual_seed(2);
  std::vector<Tensor> parameters;
  for (int i = 0; i < 6; ++i) parameters.push_back(parameter({8, 8}));
  std::vector<std::int64_t> sent;
  GradientBuckets buckets(parameters, 8 * 8 * 4, 2, equal_ranks(2, sent));
  ASSERT_EQ(buckets.count(), 6);
  std::vector<std::int64_t> launched;  // number of sent buckets when backward reaches the output of layer i
  Tensor x = torch::randn({3, 8});
  for (Tensor& p : parameters) {
    x = torch::tanh(torch::mm(x, p));
    x.register_hook([&](const Tensor& gradient) {
      launched.push_back(buckets.launched());
      return gradient;
    });
  }
  buckets.begin();
  x.sum().backward();
  EXPECT_EQ(launched, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(buckets.launched(), 5);  // finish() sends the last bucket
  buckets.finish();
  EXPECT_EQ(sent.size(), 6U);
}

// The order of the buckets does not depend on the order in which the hooks run.
TEST(GradientBuckets, AreSentInOrderWhenHooksAreReversed) {
  std::vector<Tensor> parameters{parameter({3}), parameter({4}), parameter({5})};
  for (const bool reversed : {false, true}) {
    std::vector<std::int64_t> sent;
    GradientBuckets buckets(parameters, 1, 2, equal_ranks(2, sent));
    buckets.begin();
    for (int i = 0; i < 3; ++i) parameters[static_cast<std::size_t>(reversed ? 2 - i : i)].sum().backward();
    EXPECT_EQ(buckets.launched(), 2);
    buckets.finish();
    EXPECT_EQ(sent, (std::vector<std::int64_t>{5, 4, 6}));  // the last bucket includes 3 flags
  }
}

TEST(GradientBuckets, HandleMissingAndAccumulatedGradients) {
  std::vector<Tensor> parameters{parameter({3}), parameter({4}), parameter({5})};
  std::vector<std::int64_t> sent;
  // The other rank has a gradient of ones for the second parameter and no gradient for the others. The bucket has the
  // third parameter (elements 0 to 4), the second (5 to 8), the first (9 to 11) and the flags in this order (12 to 14).
  GradientBuckets buckets(parameters, 1 << 20, 2, [&](Tensor& flat) {
    sent.push_back(flat.numel());
    flat.narrow(0, 5, 4).add_(1);
    flat.narrow(0, 12 + 1, 1).add_(1);
    return [] {};
  });
  parameters[2].sum().backward();  // an earlier micro-batch
  buckets.begin();
  (parameters[2] * 2).sum().backward();
  buckets.finish();
  EXPECT_EQ(sent, (std::vector<std::int64_t>{15}));
  EXPECT_FALSE(parameters[0].grad().defined());
  EXPECT_TRUE(parameters[1].grad().equal(torch::full({4}, 0.5F)));
  EXPECT_TRUE(parameters[2].grad().equal(torch::full({5}, 1.5F)));

  // Without a gradient from the last micro-batch, the gradient of an earlier one is used: here 1.5 from the step above,
  // divided by 2 ranks.
  buckets.begin();
  buckets.finish();
  EXPECT_TRUE(parameters[2].grad().equal(torch::full({5}, 0.75F)));
}

TEST(GradientBuckets, CanBeginAgainAfterAFailedBackward) {
  std::vector<Tensor> parameters{parameter({3}), parameter({4})};
  std::vector<std::int64_t> sent;
  GradientBuckets buckets(parameters, 1, 2, equal_ranks(2, sent));
  buckets.begin();
  parameters[1].sum().backward();  // sends the bucket of this parameter; then backward fails, for example out of memory
  EXPECT_EQ(sent.size(), 1U);
  for (Tensor& p : parameters) p.mutable_grad() = Tensor();
  buckets.begin();
  (parameters[1] * 7).sum().backward();
  (parameters[0] * 3).sum().backward();
  buckets.finish();
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_TRUE(parameters[1].grad().equal(torch::ones({4})));  // the bucket that was sent before
  EXPECT_TRUE(parameters[0].grad().equal(torch::full({3}, 3.F)));
}

TEST(GradientBuckets, SupportChannelsLastAndRemoveTheirHooks) {
  torch::manual_seed(3);
  Tensor weight = torch::randn({4, 3, 3, 3}).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_(true);
  std::vector<Tensor> parameters{weight};
  std::vector<std::int64_t> sent;
  const Tensor factor = torch::randn({4, 3, 3, 3});
  {
    GradientBuckets buckets(parameters, 1 << 20, 2, equal_ranks(2, sent));
    buckets.begin();
    (weight * factor).sum().backward();
    buckets.finish();
    EXPECT_TRUE(weight.grad().equal(factor));
  }
  weight.mutable_grad() = Tensor();
  (weight * factor).sum().backward();
  EXPECT_EQ(sent.size(), 1U);
  EXPECT_TRUE(weight.grad().equal(factor));
}

}  // namespace
}  // namespace effnet::train

#include "effnet/lab/supernet.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/lab/lab_testing.h"

namespace effnet::lab {
namespace {

using testkit::tiny_space;

std::shared_ptr<nn::ParameterStore> random_store(const search::Space& space) {
  return nn::ParameterStore::initialised(supernet_graph(space), 3);
}

torch::Tensor random_images(std::int64_t n, std::int64_t pixels) {
  torch::Tensor images = torch::empty({n, 3, pixels, pixels});
  Philox(5, 1).fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 0, 1);
  return images;
}

// The children with the fewest and the most MACs, and one with each kind of block in between.
std::vector<search::Point> some_points(const search::Space& space) {
  return {testkit::smallest_point(space), testkit::largest_point(space), {1, 0, 0, 0, 1, 0, 1}, {0, 1, 1, 1, 0, 0, 1}};
}

// Brute force: each tensor of the supernet has in each dimension the largest size of all children, and there is no
// tensor that no child has.
TEST(Supernet, HasTheLargestSizesOfAllChildren) {
  const search::Space space = tiny_space();
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (const search::Point& point : testkit::all_points(space)) {
    const arch::ArchSpec child = search::network_of(space, point);
    for (const graph::Parameter& parameter : graph::parameters(graph::lower(child))) {
      const auto [found, is_new] = expected.try_emplace(supernet_name(child, parameter.name), parameter.dims);
      std::vector<std::int64_t>& dims = found->second;
      for (std::size_t i = 0; i < dims.size(); ++i) dims[i] = std::max(dims[i], parameter.dims[i]);
    }
  }
  std::map<std::string, std::vector<std::int64_t>> got;
  for (const graph::Parameter& parameter : graph::parameters(supernet_graph(space)))
    EXPECT_TRUE(got.emplace(parameter.name, parameter.dims).second) << parameter.name;
  EXPECT_EQ(got, expected);
  EXPECT_EQ(got.at("stages.1.0.mbconv.expand.conv.weight"), (std::vector<std::int64_t>{48, 12, 1, 1}));
  EXPECT_EQ(got.at("stages.1.0.depthwise_separable.depthwise.conv.weight"), (std::vector<std::int64_t>{12, 1, 5, 5}));
}

// A shortcut's convolution exists only if a block changes the number of channels, so the largest network may have none.
TEST(Supernet, HasTheShortcutsOfAllChildren) {
  search::Space space = tiny_space();
  space.choices.clear();
  for (arch::StageSpec& stage : space.base.stages) stage = {.block = "basic"};
  for (std::size_t stage = 0; stage < 2; ++stage) space.choices.push_back({stage, "channels", {"8", "16"}});
  std::set<std::vector<std::int64_t>> shapes;
  for (const graph::Parameter& parameter : graph::parameters(supernet_graph(space))) {
    if (parameter.name == "stages.1.0.basic.downsample.conv.weight") shapes.insert(parameter.dims);
  }
  EXPECT_EQ(shapes, (std::set<std::vector<std::int64_t>>{{16, 16, 1, 1}}));  // 8 to 16 channels, and 16 to 8
}

TEST(Supernet, AChildTakesTheFirstChannelsAndTheCentreOfTheKernel) {
  const search::Space space = tiny_space();
  const auto store = random_store(space);
  const arch::ArchSpec child = search::network_of(space, {0, 0, 0, 0, 0, 0, 0});  // kernel 3, 8 channels, expansion 1
  const ChildSource source(child, store);
  const auto stored = [&](const char* name) { return store->at({.name = name, .dims = {}, .kind = {}}).detach(); };
  const auto taken = [&](const char* name, const std::vector<std::int64_t>& dims) {
    return source.at({.name = name, .dims = dims, .kind = {}}).detach();
  };
  const torch::Tensor depthwise = stored("stages.1.0.mbconv.depthwise.conv.weight");  // (48, 1, 5, 5)
  ASSERT_EQ(depthwise.sizes().vec(), (std::vector<std::int64_t>{48, 1, 5, 5}));
  const torch::Tensor slice = taken("stages.1.0.depthwise.conv.weight", {8, 1, 3, 3});
  for (std::int64_t c = 0; c < 8; ++c) {
    for (std::int64_t y = 0; y < 3; ++y) {
      for (std::int64_t x = 0; x < 3; ++x)
        EXPECT_EQ(slice[c][0][y][x].item<float>(), depthwise[c][0][y + 1][x + 1].item<float>());
    }
  }
  const torch::Tensor project = stored("stages.1.0.mbconv.project.conv.weight");  // (12, 48, 1, 1)
  EXPECT_TRUE(torch::equal(taken("stages.1.0.project.conv.weight", {12, 8, 1, 1}), project.narrow(1, 0, 8)));
  EXPECT_TRUE(torch::equal(taken("stem.conv.weight", {8, 3, 3, 3}), stored("stem.conv.weight")));
}

// Forward passes of a child equal those of a network of its own with copies of the slices, to the bit: both give the
// same values to the same kernels.
TEST(Supernet, AChildEqualsANetworkWithCopiesOfItsSlices) {
  const search::Space space = tiny_space();
  const auto store = random_store(space);
  const torch::Tensor images = random_images(4, 16);
  for (const search::Point& point : some_points(space)) {
    SCOPED_TRACE(search::to_text(space, point));
    const arch::ArchSpec child = without_drops(search::network_of(space, point));
    const graph::Graph graph = graph::lower(child);
    nn::Network shared(graph, std::make_shared<ChildSource>(child, store));
    nn::Network own(graph, nn::ParameterStore::from_weights(graph, child_weights(child, store)));
    const torch::NoGradGuard no_gradients;
    EXPECT_TRUE(torch::equal(shared.forward(images, {.training = true}), own.forward(images, {.training = true})));
  }
}

TEST(Supernet, GradientsReachTheUsedSlicesOnly) {
  const search::Space space = tiny_space();
  for (const search::Point& point : some_points(space)) {
    SCOPED_TRACE(search::to_text(space, point));
    const auto store = random_store(space);
    const arch::ArchSpec child = without_drops(search::network_of(space, point));
    const graph::Graph graph = graph::lower(child);
    const auto source = std::make_shared<ChildSource>(child, store);
    nn::Network network(graph, source);
    network.forward(random_images(4, 16), {.training = true}).square().sum().backward();
    std::set<std::string> used;
    for (const graph::Parameter& parameter : graph::parameters(graph)) {
      if (parameter.statistic()) continue;
      used.insert(supernet_name(child, parameter.name));
      const torch::Tensor whole = store->at({.name = supernet_name(child, parameter.name), .dims = {}, .kind = {}});
      ASSERT_TRUE(whole.grad().defined()) << parameter.name;
      // 1 outside of the slice, 0 inside.
      torch::Tensor outside = torch::ones_like(whole.grad());
      torch::Tensor inside = outside;
      for (std::int64_t axis = 0; axis < whole.dim(); ++axis) {
        const std::int64_t size = parameter.dims[static_cast<std::size_t>(axis)];
        inside = inside.narrow(axis, axis < 2 ? 0 : (whole.size(axis) - size) / 2, size);
      }
      inside.zero_();
      EXPECT_EQ((whole.grad() * outside).abs().sum().item<double>(), 0) << parameter.name;
      // The next batch norm removes some biases, so that their gradients may be 0.
      if (parameter.kind == graph::ParameterKind::weight) {
        EXPECT_GT(whole.grad().abs().sum().item<double>(), 0) << parameter.name;
      }
    }
    for (const nn::ParameterStore::Entry& entry : store->entries()) {
      if (!entry.statistic && !used.contains(entry.name)) {
        EXPECT_FALSE(entry.tensor.grad().defined()) << entry.name;
      }
    }
  }
}

TEST(Supernet, CopiesOfAChildHaveTheStatisticsOfANewNetwork) {
  const search::Space space = tiny_space();
  const arch::ArchSpec child = search::network_of(space, testkit::smallest_point(space));
  const tensor::Weights weights = child_weights(child, random_store(space));
  for (const float mean : tensor::to_floats(weights.at("stem.bn.running_mean"))) EXPECT_EQ(mean, 0);
  for (const float variance : tensor::to_floats(weights.at("stem.bn.running_var"))) EXPECT_EQ(variance, 1);
  EXPECT_EQ(weights.tensors.size(), graph::parameters(graph::lower(child)).size());
}

TEST(Supernet, ExtremePointsHaveTheFewestAndTheMostMacs) {
  const search::Space space = tiny_space();
  double fewest = HUGE_VAL, most = 0;
  for (const search::Point& point : testkit::all_points(space)) {
    const double macs = graph::count_macs(search::network_of(space, point));
    fewest = std::min(fewest, macs);
    most = std::max(most, macs);
  }
  EXPECT_EQ(graph::count_macs(search::network_of(space, testkit::smallest_point(space))), fewest);
  EXPECT_EQ(graph::count_macs(search::network_of(space, testkit::largest_point(space))), most);
  EXPECT_LT(fewest, most);
}

}  // namespace
}  // namespace effnet::lab

// Tests small networks with every kind of block, kernel, stride, padding and activation, at odd sizes. Results are
// compared with those of the reference executor, and with those for other numbers of threads, batches and plans.
#include <gtest/gtest.h>

#include <map>

#include "effnet/engine/engine_testing.h"
#include "effnet/kernels/kernels.h"

namespace effnet::engine {
namespace {

using arch::Activation;
using arch::ArchSpec;
using arch::Padding;
using arch::PoolKind;
using testkit::largest_difference;
using testkit::network;

struct Case {
  ArchSpec spec;
  std::vector<Size> sizes = {{13, 11}, {31, 17}, {33, 32}};
};

ArchSpec with(ArchSpec spec, std::string name, Activation activation, Padding padding) {
  spec.name = std::move(name);
  spec.activation = spec.stem.activation = activation;
  if (spec.head.channels > 0) spec.head.activation = activation;
  spec.padding = spec.stem.padding = padding;
  return spec;
}
ArchSpec stem(std::string name, arch::StemSpec stem) {
  ArchSpec spec = network(std::move(name), {{.channels = 17, .expand = 2}, {.channels = 9, .stride = 2, .expand = 3}});
  spec.stem = stem;
  return spec;
}
ArchSpec headless(ArchSpec spec) {
  spec.head.channels = 0;
  spec.head.activation = Activation::none;
  return spec;
}

std::vector<Case> cases() {
  const ArchSpec plain = network("plain", {{.channels = 20, .kernel = 7, .expand = 2},
                                           {.repeats = 2, .channels = 20, .kernel = 3, .stride = 2, .expand = 4},
                                           {.channels = 33, .kernel = 7, .stride = 2, .expand = 3},
                                           {.channels = 16, .kernel = 5, .expand = 1, .skip = false}});
  const ArchSpec squeezed = testkit::mbconv_network();
  const ArchSpec separable =
      network("", {{.block = "depthwise_separable", .channels = 24},
                   {.block = "depthwise_separable", .repeats = 2, .channels = 40, .kernel = 5, .stride = 2}});
  const ArchSpec residual =
      headless(network("", {{.block = "bottleneck", .repeats = 2, .channels = 10},
                            {.block = "bottleneck", .repeats = 2, .channels = 16, .stride = 2},
                            {.block = "bottleneck", .channels = 18, .stride = 2, .stride_first = true}}));
  const ArchSpec basic = headless(network("", {{.block = "basic", .repeats = 2, .channels = 18},
                                               {.block = "basic", .channels = 40, .kernel = 5, .stride = 2},
                                               {.block = "basic", .channels = 32}}));
  // Dense 3x3 convolutions with at least 32 input and 32 output channels: these run as Winograd, with and without a
  // residual.
  const ArchSpec dense = headless(network("", {{.block = "basic", .channels = 32},
                                               {.block = "basic", .repeats = 2, .channels = 41},
                                               {.block = "bottleneck", .channels = 33, .stride = 2},
                                               {.block = "bottleneck", .channels = 48}}));
  ArchSpec cells = headless(network("", {{.block = "amoebanet_b_normal", .channels = 12},
                                         {.block = "amoebanet_b_reduction", .channels = 18, .stride = 2},
                                         {.block = "amoebanet_b_normal", .repeats = 2, .channels = 18},
                                         {.block = "amoebanet_b_reduction", .channels = 24, .stride = 2}}));
  cells = with(std::move(cells), "cells", Activation::relu, Padding::same);
  cells.stem.activation = Activation::none;
  ArchSpec pooled = with(residual, "pooled", Activation::relu, Padding::symmetric);
  pooled.stem = {.channels = 24,
                 .kernel = 7,
                 .activation = Activation::relu,
                 .padding = Padding::symmetric,
                 .pool = PoolKind::max};
  // A stride larger than the kernel skips rows of the input.
  const ArchSpec odd_kernels = network("", {{.channels = 20, .kernel = 1, .expand = 2},
                                            {.channels = 24, .kernel = 2, .expand = 3, .se = 0.5},
                                            {.channels = 18, .kernel = 1, .stride = 2, .expand = 2},
                                            {.channels = 26, .kernel = 4, .expand = 2},
                                            {.channels = 12, .kernel = 9, .expand = 3}});
  const ArchSpec odd_strides = network("", {{.channels = 20, .kernel = 2, .stride = 3, .expand = 2},
                                            {.channels = 24, .kernel = 15, .expand = 1},
                                            {.channels = 40, .kernel = 5, .stride = 4, .expand = 2}});
  const ArchSpec gaps = network("gaps", {{.block = "depthwise_separable", .channels = 24, .kernel = 1, .stride = 2},
                                         {.block = "depthwise_separable", .channels = 40, .kernel = 2, .stride = 3}});
  ArchSpec narrow = network("narrow", {{.channels = 3, .expand = 2, .se = 0.1},
                                       {.channels = 1, .kernel = 5, .expand = 3},
                                       {.channels = 8, .stride = 2, .expand = 1}});
  narrow.stem.channels = 1;
  narrow.classes = 1;

  std::vector<Case> all;
  for (const Activation activation : {Activation::silu, Activation::relu6, Activation::hard_swish, Activation::relu,
                                      Activation::sigmoid, Activation::none}) {
    const std::string suffix = "_" + std::string(arch::name(activation));
    // The padding alternates, so that every block is tested with both kinds of padding.
    const bool even = static_cast<int>(activation) % 2 == 0;
    const Padding padding = even ? Padding::same : Padding::symmetric;
    all.push_back({with(plain, "plain" + suffix, activation, padding)});
    all.push_back({with(squeezed, "squeezed" + suffix, activation, even ? Padding::symmetric : Padding::same)});
  }
  all.push_back({with(separable, "separable_same", Activation::relu, Padding::same)});
  all.push_back({with(separable, "separable_symmetric", Activation::hard_swish, Padding::symmetric)});
  all.push_back({with(residual, "bottleneck_same", Activation::relu, Padding::same)});
  all.push_back({with(residual, "bottleneck_symmetric", Activation::silu, Padding::symmetric)});
  all.push_back({with(basic, "basic_symmetric", Activation::relu, Padding::symmetric)});
  all.push_back({with(basic, "basic_same", Activation::silu, Padding::same)});
  all.push_back({with(dense, "dense_same", Activation::relu, Padding::same)});
  all.push_back({with(dense, "dense_symmetric", Activation::silu, Padding::symmetric)});
  all.push_back({cells, {{12, 16}, {32, 20}, {33, 31}}});
  all.push_back({pooled});
  all.push_back({with(odd_kernels, "odd_kernels_same", Activation::silu, Padding::same)});
  all.push_back({with(odd_kernels, "odd_kernels_symmetric", Activation::relu6, Padding::symmetric)});
  all.push_back({with(odd_strides, "odd_strides_same", Activation::relu, Padding::same)});
  all.push_back({with(odd_strides, "odd_strides_symmetric", Activation::silu, Padding::symmetric)});
  all.push_back({with(squeezed, "valid", Activation::silu, Padding::valid), {{43, 41}, {57, 48}}});
  all.push_back({gaps, {{33, 130}, {31, 58}}});
  all.push_back({narrow});
  all.push_back({stem("stem1", {.channels = 24, .kernel = 1, .stride = 1, .activation = Activation::none})});
  all.push_back({stem("stem2", {.channels = 33, .kernel = 2, .stride = 3, .padding = Padding::symmetric})});
  all.push_back({stem("stem5_pool", {.channels = 9, .kernel = 5, .stride = 1, .pool = PoolKind::average})});
  all.push_back({stem("stem7", {.channels = 20, .kernel = 7, .stride = 2, .activation = Activation::relu})});
  all.push_back({stem("stem11", {.channels = 16, .kernel = 11, .stride = 4, .padding = Padding::same})});
  all.push_back({testkit::mbconv_network(), {{197, 311}}});
  return all;
}

class SmallNetwork : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kMostImages = 8;

  const ArchSpec& spec() const { return GetParam().spec; }
  // The first two tests run large networks only with a batch of 1.
  static bool is_large(const graph::Graph& graph) { return graph.input().pixels() > 10000; }
  static std::vector<float> images(const graph::Graph& graph, std::int64_t batch) {
    return testkit::normal_values("images", batch * graph.input().numel());
  }
  static std::span<const float> first(const std::vector<float>& values, std::int64_t images, std::int64_t of) {
    return std::span(values).first(values.size() * static_cast<std::size_t>(images) / static_cast<std::size_t>(of));
  }
};

TEST_P(SmallNetwork, AgreesWithTheReference) {
  for (const Size size : GetParam().sizes) {
    const graph::Graph graph = testkit::lower_at(spec(), size);
    const Parameters parameters(testkit::nontrivial_weights(graph));
    const std::int64_t most = is_large(graph) ? 1 : kMostImages;
    const std::vector<float> input = images(graph, most);
    const testkit::Truth truth = testkit::truth_of(graph, parameters, input, most);
    for (const kernels::Isa isa : kernels::usable_sets()) {
      const auto weights = testkit::pack(graph, parameters, isa);
      for (const std::int64_t batch : {1, 2, 3, 8}) {
        if (batch > most) continue;
        const auto logits = testkit::run(graph, weights, first(input, batch, most), {.batch = batch});
        EXPECT_LE(largest_difference(logits, first(truth.values, batch, most)), truth.tolerance)
            << size.h << "x" << size.w << " batch " << batch << " " << isa;
      }
    }
  }
}

TEST_P(SmallNetwork, ThreadsDoNotChangeBits) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    for (const std::int64_t batch : {1, 3}) {
      const graph::Graph graph = testkit::lower_at(spec(), GetParam().sizes.back());
      if (batch > 1 && is_large(graph)) continue;
      const auto weights = testkit::pack(graph, isa);
      const std::vector<float> input = images(graph, batch);
      const auto alone = testkit::run(graph, weights, input, {.batch = batch});
      for (const int threads : {2, 3, 4}) {
        Session session(graph, weights, {.batch = batch, .threads = threads});
        for (int again = 0; again < 2; ++again) {
          EXPECT_EQ(testkit::run(session, input), alone) << threads << " threads, batch " << batch << ", " << isa;
        }
      }
    }
  }
}

// Turns off each fusion alone, and then all together. A fusion that only moves an operation to another step does not
// change bits. Two fusions change the rounding: fuse_pool sums each band separately instead of the whole image, and
// fuse_scale may scale the weights before the sum. Their results must be within the tolerance.
//
// A depthwise convolution computes the sums of its pool only if its activation is fused. So when bits are compared,
// fuse_pool is off in both plans. On instruction sets with depthwise_pair, a 3x3 depthwise convolution computes rows in
// pairs only if SiLU or hard-swish is fused; on these sets fuse_epilogues also changes bits.
TEST_P(SmallNetwork, FusionsDoNotChangeResultsBeyondRounding) {
  struct Switch {
    const char* name;
    bool PlanOptions::*flag;
    bool exact;
  };
  constexpr Switch kSwitches[] = {{"fuse_epilogues", &PlanOptions::fuse_epilogues, true},
                                  {"fuse_depthwise", &PlanOptions::fuse_depthwise, true},
                                  {"fuse_scale", &PlanOptions::fuse_scale, false},
                                  {"fuse_pool", &PlanOptions::fuse_pool, false}};
  constexpr std::int64_t kImages = 2;
  const graph::Graph graph = testkit::lower_at(spec(), GetParam().sizes.back());
  const Parameters parameters(testkit::nontrivial_weights(graph));
  const std::vector<float> input = images(graph, kImages);
  const testkit::Truth truth = testkit::truth_of(graph, parameters, input, kImages);
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const auto weights = testkit::pack(graph, parameters, isa);
    const auto logits_of = [&](const PlanOptions& plan) {
      return testkit::run(graph, weights, input, {.batch = kImages, .threads = 2, .plan = plan});
    };
    const PlanOptions plain_sums{.fuse_pool = false};
    const auto expected = logits_of(plain_sums);
    PlanOptions all_off;
    for (const auto& [name, flag, exact] : kSwitches) {
      PlanOptions one_off, also_off = plain_sums;
      one_off.*flag = also_off.*flag = all_off.*flag = false;
      EXPECT_LE(largest_difference(logits_of(one_off), truth.values), truth.tolerance) << name << " " << isa;
      if (!exact || (flag == &PlanOptions::fuse_epilogues && !kernels::kernel_set({isa}).depthwise_pairs.empty()))
        continue;
      EXPECT_EQ(logits_of(also_off), expected) << name << " " << isa;
    }
    EXPECT_LE(largest_difference(logits_of(all_off), truth.values), truth.tolerance) << "all off " << isa;
  }
}

// Each image of a batch gives the same bits as the image alone. This does not hold for pools that are summed in bands,
// because the number of bands depends on the batch. So fuse_pool is off.
TEST_P(SmallNetwork, ABatchGivesTheBitsOfItsImages) {
  constexpr std::int64_t kImages = 3;
  const graph::Graph graph = testkit::lower_at(spec(), GetParam().sizes.back());
  const std::vector<float> input = images(graph, kImages);
  const PlanOptions plan{.fuse_pool = false};
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const auto weights = testkit::pack(graph, isa);
    Session session(graph, weights, {.plan = plan});
    std::vector<float> singly;
    const std::size_t numel = input.size() / kImages;
    for (std::size_t i = 0; i < kImages; ++i) {
      const auto logits = testkit::run(session, std::span(input).subspan(i * numel, numel));
      singly.insert(singly.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(testkit::run(graph, weights, input, {.batch = kImages, .plan = plan}), singly) << isa;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SmallNetwork, testing::ValuesIn(cases()), [](const auto& parameter) {
  return parameter.param.spec.name + (parameter.param.sizes.size() == 1 ? "_large" : "");
});

}  // namespace
}  // namespace effnet::engine

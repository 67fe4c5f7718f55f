#include "effnet/search/space/stage_form.h"

#include <gtest/gtest.h>

#include <functional>

#include "effnet/graph/blocks.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

// One stage of two blocks with stride 1 and 8 channels after a stem with 8 channels.
arch::ArchSpec network_with(std::string_view block) {
  arch::ArchSpec spec;
  spec.name = "n";
  spec.resolution = 13;
  spec.classes = 2;
  spec.stem.channels = 8;
  spec.stem.stride = 1;
  spec.stages.push_back(
      {.block = std::string(block), .repeats = 2, .channels = 8, .kernel = 3, .expand = 2, .se = 0.5});
  return spec;
}

TEST(ExchangeableBlocks, TheTableSaysWhatHasAnEffectInTheGraph) {
  for (const ExchangeableBlock& block : exchangeable_blocks()) {
    const arch::ArchSpec spec = network_with(block.name);
    const auto differs = [&](const std::function<void(arch::StageSpec&)>& change) {
      arch::ArchSpec changed = spec;
      change(changed.stages[0]);
      return graph_text(changed) != graph_text(spec);
    };
    EXPECT_EQ(differs([](arch::StageSpec& stage) { stage.expand = 3; }), block.expand) << block.name;
    EXPECT_EQ(differs([](arch::StageSpec& stage) { stage.se = 0; }), block.se) << block.name;
    EXPECT_EQ(differs([](arch::StageSpec& stage) { stage.skip = false; }), block.skip) << block.name;
    EXPECT_FALSE(differs([](arch::StageSpec& stage) { stage.stride_first = true; })) << block.name;
    EXPECT_TRUE(differs([](arch::StageSpec& stage) { stage.kernel = 5; })) << block.name;
    EXPECT_TRUE(differs([](arch::StageSpec& stage) { stage.channels = 16; })) << block.name;
    EXPECT_TRUE(differs([](arch::StageSpec& stage) { stage.repeats = 3; })) << block.name;
  }
}

TEST(ExchangeableBlocks, TheOutputDependsOnChannelsAndStrideOnly) {
  for (const ExchangeableBlock& block : exchangeable_blocks()) {
    for (const arch::Padding padding : {arch::Padding::same, arch::Padding::symmetric}) {
      for (const std::int64_t kernel : {1, 3, 7, 15}) {
        for (const std::int64_t stride : {1, 2, 3}) {
          arch::ArchSpec spec = network_with(block.name);
          spec.padding = padding;
          spec.stages[0].kernel = kernel;
          spec.stages[0].stride = stride;
          spec.stages[0].channels = 24;
          const graph::Stage out = graph::lower(spec).stages.at(0);
          EXPECT_EQ(out.channels, 24) << block.name;
          EXPECT_EQ(out.resolution.h, (13 + stride - 1) / stride) << block.name << " kernel " << kernel;
        }
      }
    }
  }
}

TEST(ExchangeableBlocks, AreKindsOfTheGraph) {
  for (const ExchangeableBlock& block : exchangeable_blocks())
    EXPECT_EQ(graph::block_kind(block.name).name, block.name);
  EXPECT_EQ(find_exchangeable_block("bottleneck"), nullptr);
  EXPECT_EQ(graph::lower(network_with("bottleneck")).stages.at(0).channels, 4 * 8) << "the reason";
}

TEST(StageForm, HasNoDifferenceThatTheGraphHasNot) {
  const arch::StageSpec one{.block = "mbconv", .repeats = 1, .channels = 16, .se = 0.25, .skip = true};
  arch::StageSpec other = one;
  other.se = 0.3;  // of 8 channels: 2 and 2.4
  other.skip = false;
  EXPECT_EQ(form_of(one, 8), form_of(other, 8));
  EXPECT_NE(form_of(one, 16), form_of(other, 16));
  other = one;
  other.se = 0.01;  // at least one channel is left
  EXPECT_EQ(form_of(other, 8).squeezed_first, 1);
  other.se = 0;
  EXPECT_EQ(form_of(other, 8).squeezed_first, 0);
}

}  // namespace
}  // namespace effnet::search

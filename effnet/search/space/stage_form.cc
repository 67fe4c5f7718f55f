#include "effnet/search/space/stage_form.h"

#include <array>
#include <string>
#include <vector>

#include "effnet/arch/squeeze.h"
#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::search {
namespace {

constexpr std::array<ExchangeableBlock, 3> kBlocks{{
    {.name = "mbconv", .expand = true, .se = true, .skip = true},
    {.name = "depthwise_separable"},
    {.name = "basic"},  // always adds its input, through a 1x1 convolution if the shapes differ
}};

}  // namespace

std::span<const ExchangeableBlock> exchangeable_blocks() { return kBlocks; }

const ExchangeableBlock* find_exchangeable_block(std::string_view name) {
  for (const ExchangeableBlock& block : kBlocks) {
    if (block.name == name) return &block;
  }
  return nullptr;
}

const ExchangeableBlock& exchangeable_block(std::string_view name) {
  return row_named(kBlocks, name, ErrorCode::input, "no exchangeable block");
}

StageForm form_of(const arch::StageSpec& stage, std::int64_t in_channels) {
  const ExchangeableBlock& block = exchangeable_block(stage.block);
  StageForm form{.block = &block,
                 .repeats = stage.repeats,
                 .channels = stage.channels,
                 .kernel = stage.kernel,
                 .stride = stage.stride};
  const bool has_others = stage.repeats > 1;
  if (block.expand) form.expand = stage.expand;
  if (block.se && stage.se > 0) {
    form.squeezed_first = arch::squeezed_channels(stage.se, in_channels);
    if (has_others) form.squeezed_other = arch::squeezed_channels(stage.se, stage.channels);
  }
  if (block.skip && stage.skip) {
    form.adds_first = stage.stride == 1 && in_channels == stage.channels;
    form.adds_other = has_others;
  }
  return form;
}

std::int64_t input_channels(const arch::ArchSpec& spec, std::size_t s) {
  return s == 0 ? spec.stem.channels : spec.stages[s - 1].channels;
}

}  // namespace effnet::search

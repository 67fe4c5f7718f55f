// What a stage is in a network's graph, as far as a space can vary it. Different StageSpecs can have the same form: the
// expansion has no effect in some kinds of blocks, and `skip` has none where no block of the stage can add its input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "effnet/arch/spec.h"

namespace effnet::search {

// A kind of block that can replace another one in a stage. It reads only the output of the block before it. Its output
// has `channels` channels, and ceil(n / stride) of the n pixels of an axis if the kernel is odd and the padding is not
// `valid`. `bottleneck` is not exchangeable, because its output has four times the channels; AmoebaNet's cells are not,
// because they read two blocks.
struct ExchangeableBlock {
  std::string_view name;  // a row of effnet/graph/blocks.cc
  // Whether these members of the stage have an effect. All kinds use channels, repeats, kernel and stride.
  bool expand = false, se = false, skip = false;
};
std::span<const ExchangeableBlock> exchangeable_blocks();
const ExchangeableBlock* find_exchangeable_block(std::string_view name);  // null if the kind cannot be exchanged
const ExchangeableBlock& exchangeable_block(std::string_view name);       // throws Error(input) with the known names

struct StageForm {
  const ExchangeableBlock* block = nullptr;
  std::int64_t repeats = 0, channels = 0, kernel = 0, stride = 0;
  std::int64_t expand = 0;  // 0: the kind has no expansion
  // Of the first block, whose input comes from the stage before, and of the others (0 if there are none).
  std::int64_t squeezed_first = 0, squeezed_other = 0;  // 0: no squeeze-and-excitation
  bool adds_first = false, adds_other = false;          // adds its input to its output
  friend bool operator==(const StageForm&, const StageForm&) = default;
};

// The form of a stage of exchangeable blocks whose input has `in_channels` channels. Two networks that are equal in all
// other respects have the same graph if and only if the forms of their stages are equal.
StageForm form_of(const arch::StageSpec& stage, std::int64_t in_channels);

// The channels that stage `s` of a network of exchangeable blocks reads.
std::int64_t input_channels(const arch::ArchSpec& spec, std::size_t s);

}  // namespace effnet::search

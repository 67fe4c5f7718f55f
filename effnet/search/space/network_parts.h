// The parts of a network, for predictions of its latency. A part is the stem, the head, or one block of a stage. Its
// text has everything that its time depends on:
//   "stem px224 k3 s2 c32 silu same none, blocks silu same"
//       resolution, kernel, stride, channels, activation, padding, pool; activation and padding of all blocks
//   "stage 3 first mbconv in24 out40 k5 s2 e6 se6"
//       the first block of a stage: kind, channels, kernel, stride, expansion, channels of squeeze-and-excitation
//   "stage 3 next mbconv in40 out40 k5 s1 e6 se10 add"
//       another block; "add": it adds its input to its output
//   "head in320 c1280 silu classes1000"
// Parts of two networks with the same text have the same operations and shapes if their stages have the same strides.
// For use inside effnet/search/space only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"

namespace effnet::search {

std::string stem_part(const arch::ArchSpec& spec);
// `stage` counts from 0; the texts count from 1, as people do. The blocks must be exchangeable (stage_form.h).
std::string first_block_part(std::size_t stage, const arch::StageSpec& spec, std::int64_t in_channels);
std::string next_block_part(std::size_t stage, const arch::StageSpec& spec);
std::string head_part(const arch::ArchSpec& spec, std::int64_t in_channels);

// The stem, all blocks in their order, the head. Throws Error(input) for a network with other than exchangeable blocks.
std::vector<std::string> parts_of(const arch::ArchSpec& spec);

}  // namespace effnet::search

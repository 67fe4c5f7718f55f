// The work of a network's parts, from which their times are estimated. For use inside effnet/search/space only.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "effnet/arch/spec.h"

namespace effnet::search {

// In this order: MACs of convolutions over all channels and of linear layers; MACs of depthwise convolutions; values
// that convolutions write; parameters; and 1, for what every part costs.
inline constexpr std::size_t kWorkKinds = 5;
using PartWork = std::array<double, kWorkKinds>;

// The work of each part of parts_of(spec), in the same order. Throws Error(input) if the network cannot be lowered.
std::vector<PartWork> work_of_parts(const arch::ArchSpec& spec);

}  // namespace effnet::search

// The instruction sets that kernels are compiled for. A set is chosen once, when weights are packed and a plan is made.
#pragma once

#include <string_view>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::kernels {

enum class Isa { portable, avx2, avx512 };  // plainest first
EFFNET_API std::string_view name(Isa isa);  // "portable", "avx2", "avx512"
EFFNET_API std::vector<Isa> usable_sets();  // of this CPU, plainest first

// The best set this CPU has, or what $EFFNET_ISA allows at most. Throws Error(environment) for a name that is unknown
// or that this CPU lacks.
EFFNET_API Isa chosen_isa();
// The same for a name from the command line; empty: chosen_isa().
EFFNET_API Isa isa_of(std::string_view name);

}  // namespace effnet::kernels

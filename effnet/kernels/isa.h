// The instruction sets that kernels are compiled for. A set is chosen once, when weights are packed and a plan is made.
#pragma once

#include <string_view>
#include <vector>

namespace effnet::kernels {

enum class Isa { portable, avx2, avx512 };  // plainest first
std::string_view name(Isa isa);             // "portable", "avx2", "avx512"
std::vector<Isa> usable_sets();             // of this CPU, plainest first

// The best set this CPU has, or what $EFFNET_ISA allows at most. Throws Error(environment) for a name that is unknown
// or that this CPU lacks.
Isa chosen_isa();
// The same for a name from the command line; empty: chosen_isa().
Isa isa_of(std::string_view name);

}  // namespace effnet::kernels

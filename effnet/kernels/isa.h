// The instruction sets that kernels are compiled for. A set is chosen once, when weights are packed and a plan is made.
// Before that, no code runs that needs more than the portable set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::kernels {

enum class Isa { portable, avx2, avx512, neon };  // the fastest set of a CPU comes last
inline constexpr std::size_t kIsas = 4;

EFFNET_API std::string_view name(Isa isa);  // "portable", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "neon"
EFFNET_API std::vector<Isa> usable_sets();  // that this CPU has, in the order of Isa
// Throws Error(environment) if this CPU lacks the set. Code that runs a set's kernels calls this once, at its boundary.
EFFNET_API void require(Isa isa);

// The set that $EFFNET_ISA names; if it is not set or empty, the best set of this CPU. Throws Error(environment) if the
// name is unknown or this CPU lacks the set.
EFFNET_API Isa chosen_isa();
// The same for a name from the command line. An empty name means chosen_isa().
EFFNET_API Isa isa_of(std::string_view name);

// The values that $EFFNET_ISA may have on this CPU: the names of its sets, and "avx512_vnni" and "avx512_bf16" if the
// CPU has them. These two run the kernels of avx512, because kernels for int8 and bf16 do not exist yet.
std::vector<std::string> instruction_sets();

}  // namespace effnet::kernels

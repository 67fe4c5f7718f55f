// The instruction sets that kernels are compiled for. A set is chosen once, when weights are packed and a plan is made;
// until then no code of any set but the portable one runs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::kernels {

enum class Isa { portable, avx2, avx512, neon };  // plainest first
inline constexpr std::size_t kIsas = 4;

EFFNET_API std::string_view name(Isa isa);  // "portable", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "neon"
EFFNET_API std::vector<Isa> usable_sets();  // of this CPU, plainest first
// Throws Error(environment) unless this CPU has the set. Everything that runs a set's kernels asks once, at its
// boundary.
EFFNET_API void require(Isa isa);

// The best set this CPU has, or what $EFFNET_ISA allows at most. Throws Error(environment) for a name that is unknown
// or that this CPU lacks.
EFFNET_API Isa chosen_isa();
// The same for a name from the command line; empty: chosen_isa().
EFFNET_API Isa isa_of(std::string_view name);

// The names that $EFFNET_ISA may have on this CPU, plainest first: those of the sets, and "avx512_vnni" and
// "avx512_bf16", which run avx512's kernels until those precisions have their own.
std::vector<std::string> instruction_sets();

}  // namespace effnet::kernels

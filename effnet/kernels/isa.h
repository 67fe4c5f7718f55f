// The instruction sets that kernels are compiled for. A program chooses a set once, when it packs weights and makes a
// plan. Before that, it runs no code that needs more than the portable set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::kernels {

enum class Isa { portable, avx2, avx512, neon };  // the sets of one CPU are in rising order of speed
inline constexpr std::size_t kIsas = 4;

EFFNET_API std::string_view name(Isa isa);  // "portable", "avx2" (with FMA), "avx512" (F, BW, DQ, VL), "neon"
EFFNET_API std::vector<Isa> usable_sets();  // the sets that this CPU has, in the order of Isa
// Throws Error(environment) if this CPU lacks the set. Code that runs a set's kernels calls this once, before the first
// kernel.
EFFNET_API void require(Isa isa);

// Returns the instruction set that the environment variable EFFNET_ISA names. If the variable is not set or empty,
// returns the best set of this CPU. Throws Error(environment) if the name is unknown or this CPU lacks the set.
EFFNET_API Isa chosen_isa();
// Returns the instruction set with the given name; for an empty name, returns chosen_isa(). Throws like chosen_isa().
EFFNET_API Isa isa_of(std::string_view name);

// Returns the values that EFFNET_ISA may have on this CPU: the names of its sets, and "avx512_vnni" and "avx512_bf16"
// if the CPU has these extensions. Both select the kernels of avx512, because kernels for int8 and bf16 do not exist
// yet.
std::vector<std::string> instruction_sets();

}  // namespace effnet::kernels

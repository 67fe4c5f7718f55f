// What the machine lets this process use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/base/export.h"

namespace effnet {

// Cores this process may use: the affinity mask, cut to the cgroup's CPU quota (v1 or v2, rounded up). At least 1.
EFFNET_API int usable_cores();
std::string cpu_model();      // /proc/cpuinfo's "model name"
std::int64_t memory_bytes();  // physical memory, cut to the cgroup's limit

// The instruction sets effnet knows that this CPU has, plainest first: "portable", "avx2" (with FMA), "avx512" (F, BW,
// DQ, VL), "avx512_vnni", "avx512_bf16".
std::vector<std::string> instruction_sets();
// Throws Error(environment) if $EFFNET_ISA names an unknown set or one the CPU lacks; empty if it is unset.
std::string forced_instruction_set();

}  // namespace effnet

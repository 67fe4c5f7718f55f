// The cores and the memory that this process may use, and the CPU's name.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "effnet/base/export.h"

namespace effnet {

// Number of cores that this process may use: the cores of the affinity mask, at most the cgroup's CPU quota (v1 or v2,
// rounded up). At least 1.
EFFNET_API int usable_cores();
// The CPU's name in /proc/cpuinfo. x86: the "model name". ARM has no model name: the implementer and part numbers of
// each kind of core, "ARM implementer 0x41 part 0xd0c". If neither is found: "unknown".
std::string cpu_model();
std::string cpu_model_in(std::istream& cpuinfo);
std::int64_t memory_bytes();  // physical memory, at most the cgroup's limit

}  // namespace effnet

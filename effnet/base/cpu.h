// What the machine lets this process use.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "effnet/base/export.h"

namespace effnet {

// Cores this process may use: the affinity mask, cut to the cgroup's CPU quota (v1 or v2, rounded up). At least 1.
EFFNET_API int usable_cores();
// What /proc/cpuinfo calls the CPU: its "model name", or on ARM, where there is none, the numbers of its kinds of core:
// "ARM implementer 0x41 part 0xd0c". Else "unknown".
std::string cpu_model();
std::string cpu_model_in(std::istream& cpuinfo);
std::int64_t memory_bytes();  // physical memory, cut to the cgroup's limit

}  // namespace effnet

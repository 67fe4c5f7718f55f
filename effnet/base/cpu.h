// What the machine lets this process use.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/base/export.h"

namespace effnet {

// Cores this process may use: the affinity mask, cut to the cgroup's CPU quota (v1 or v2, rounded up). At least 1.
EFFNET_API int usable_cores();
std::string cpu_model();      // /proc/cpuinfo's "model name"
std::int64_t memory_bytes();  // physical memory, cut to the cgroup's limit

}  // namespace effnet

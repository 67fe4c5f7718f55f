// Memory for tensors. All aligned memory and all huge pages of effnet are allocated here.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::tensor {

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], FreeMemory>;

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// `bytes` rounded up to whole pages, or to whole huge pages if `bytes` is at least kHugePage.
std::size_t block_bytes(std::size_t bytes);

// Allocates block_bytes(bytes), uninitialised and aligned to a page. Blocks of at least kHugePage bytes are aligned to
// a huge page and use huge pages if the system has them: a network reads all its memory many times per second, and huge
// pages cause 512 times fewer page faults and TLB entries. Returns null if memory is exhausted.
Memory try_allocate(std::size_t bytes);
// The same, but throws out_of_memory(bytes, what) if memory is exhausted.
Memory allocate(std::size_t bytes, std::string_view what);

// Returns Error(environment), "out of memory: failed to allocate 123 bytes for WHAT".
Error out_of_memory(std::size_t bytes, std::string_view what);

inline float* floats(const Memory& memory) { return reinterpret_cast<float*>(memory.get()); }

}  // namespace effnet::tensor

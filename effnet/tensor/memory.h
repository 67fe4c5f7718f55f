// Memory for tensors: the one place that asks the system for aligned memory and for huge pages.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace effnet::tensor {

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], FreeMemory>;

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Bytes that a block of `bytes` takes: whole pages, whole huge ones from kHugePage on.
std::size_t block_bytes(std::size_t bytes);

// A block of block_bytes(bytes), uninitialised, at the start of a page. From kHugePage on it begins at a huge page and
// asks for huge pages, since a network walks through all of its memory many times a second: 512 times fewer page faults
// and entries of the translation buffer. Null where memory does not suffice.
Memory try_allocate(std::size_t bytes);
// The same. Throws Error(environment) that names `what` where memory does not suffice.
Memory allocate(std::size_t bytes, std::string_view what);

inline float* floats(const Memory& memory) { return reinterpret_cast<float*>(memory.get()); }

}  // namespace effnet::tensor

#include "effnet/tensor/memory.h"

#include <sys/mman.h>

#include <algorithm>

namespace effnet::tensor {

std::size_t block_bytes(std::size_t bytes) {
  const std::size_t page = bytes >= kHugePage ? kHugePage : kPage;
  return (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
}

Memory try_allocate(std::size_t bytes) {
  const std::size_t block = block_bytes(bytes), alignment = block >= kHugePage ? kHugePage : kPage;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(alignment, block)));
  // madvise() is only a hint: if the system has no huge pages, it uses small pages.
  if (memory != nullptr && alignment == kHugePage) madvise(memory.get(), block, MADV_HUGEPAGE);
  return memory;
}

Memory allocate(std::size_t bytes, std::string_view what) {
  Memory memory = try_allocate(bytes);
  if (memory == nullptr) throw out_of_memory(bytes, what);
  return memory;
}

Error out_of_memory(std::size_t bytes, std::string_view what) {
  return environment_error("out of memory: failed to allocate {} bytes for {}", bytes, what);
}

}  // namespace effnet::tensor

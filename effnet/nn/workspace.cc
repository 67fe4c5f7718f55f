#include "effnet/nn/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace effnet::nn {
namespace {

constexpr std::size_t kPage = std::size_t{2} << 20;  // a huge one: 512 times fewer faults and TLB entries
constexpr std::uint64_t kOld = 1024;                 // requests; a step of B7 has some 400

struct Block {
  float* memory;
  std::size_t bytes;
  std::uint64_t returned;  // the number of the last request before
};

class Pool {
 public:
  Block take(std::size_t bytes) {
    const std::size_t page = bytes >= kPage ? kPage : std::size_t{4096};
    bytes = (bytes + page - 1) / page * page;
    const std::lock_guard lock(mutex_);
    ++requests_;
    // The smallest that is large enough, and wastes at most a quarter.
    auto best = free_.end();
    for (auto block = free_.begin(); block != free_.end(); ++block) {
      if (block->bytes < bytes || block->bytes > bytes + bytes / 4) continue;
      if (best == free_.end() || block->bytes < best->bytes) best = block;
    }
    if (best != free_.end()) {
      const Block found = *best;
      free_.erase(best);
      return found;
    }
    std::erase_if(free_, [&](const Block& block) {
      const bool old = requests_ - block.returned > kOld;
      if (old) std::free(block.memory);
      return old;
    });
    void* memory = std::aligned_alloc(page, bytes);
    if (memory == nullptr) {
      for (const Block& block : free_) std::free(block.memory);
      free_.clear();
      memory = std::aligned_alloc(page, bytes);
      if (memory == nullptr) throw std::bad_alloc();
    }
    if (page == kPage) madvise(memory, bytes, MADV_HUGEPAGE);
    return {static_cast<float*>(memory), bytes, 0};
  }
  void give(Block block) noexcept {
    const std::lock_guard lock(mutex_);
    block.returned = requests_;
    try {
      free_.push_back(block);
    } catch (const std::bad_alloc&) {
      std::free(block.memory);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<Block> free_;
  std::uint64_t requests_ = 0;
};

}  // namespace

std::shared_ptr<float> workspace(std::int64_t floats) {
  static Pool* const pool = new Pool;  // never destroyed: tensors may outlive static objects
  const Block block = pool->take(static_cast<std::size_t>(std::max<std::int64_t>(floats, 1)) * sizeof(float));
  return {block.memory, [block](float*) { pool->give(block); }};
}

}  // namespace effnet::nn

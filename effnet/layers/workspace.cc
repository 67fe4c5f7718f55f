#include "effnet/layers/workspace.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <vector>

#include "effnet/tensor/memory.h"

namespace effnet::layers {
namespace {

constexpr std::uint64_t kMaxUnusedRequests = 1024;  // a training step of B7 makes about 400 requests

struct Block {
  tensor::Memory memory;
  std::size_t bytes = 0;
  std::uint64_t returned = 0;  // value of requests_ when the block was returned to the pool
};

}  // namespace

class Workspace::Pool {
 public:
  Block take(std::size_t bytes) {
    bytes = tensor::block_bytes(bytes);
    const std::lock_guard lock(mutex_);
    ++requests_;
    // The smallest block that is large enough and at most a quarter larger than requested.
    auto best = free_.end();
    for (auto block = free_.begin(); block != free_.end(); ++block) {
      if (block->bytes < bytes || block->bytes > bytes + bytes / 4) continue;
      if (best == free_.end() || block->bytes < best->bytes) best = block;
    }
    if (best != free_.end()) {
      Block found = std::move(*best);
      free_.erase(best);
      return found;
    }
    std::erase_if(free_, [&](const Block& block) { return requests_ - block.returned > kMaxUnusedRequests; });
    tensor::Memory memory = tensor::try_allocate(bytes);
    if (memory == nullptr) {
      free_.clear();
      memory = tensor::try_allocate(bytes);
      if (memory == nullptr) throw std::bad_alloc();
    }
    return {std::move(memory), bytes};
  }
  void give(Block block) noexcept {
    const std::lock_guard lock(mutex_);
    block.returned = requests_;
    try {
      free_.push_back(std::move(block));
    } catch (const std::bad_alloc&) {  // not stored in the pool; ~Block frees the memory
    }
  }

 private:
  std::mutex mutex_;
  std::vector<Block> free_;
  std::uint64_t requests_ = 0;
};

Workspace::Workspace() : pool_(std::make_shared<Pool>()) {}

std::shared_ptr<float> Workspace::floats(std::int64_t count) {
  const auto block =
      std::make_shared<Block>(pool_->take(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(float)));
  return {tensor::floats(block->memory), [pool = pool_, block](float*) { pool->give(std::move(*block)); }};
}

}  // namespace effnet::layers

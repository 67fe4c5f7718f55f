#include "effnet/layers/workspace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <thread>

namespace effnet::layers {
namespace {

TEST(Workspace, MemoryIsAlignedAndReused) {
  Workspace workspace;
  std::shared_ptr<float> first = workspace.floats(5000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.get()) % 64, 0);
  std::fill_n(first.get(), 5000, 1.0F);
  const std::shared_ptr<float> second = workspace.floats(5000);
  EXPECT_NE(first.get(), second.get());
  const float* const address = first.get();
  first.reset();
  EXPECT_EQ(workspace.floats(5000).get(), address);
  EXPECT_NE(workspace.floats(1000).get(), address);  // its 5000 floats are too many for a request of 1000
  EXPECT_NE(workspace.floats(0), nullptr);
}

TEST(Workspace, MemoryOutlivesTheWorkspace) {
  std::shared_ptr<float> memory;
  {
    Workspace workspace;
    memory = workspace.floats(100);
  }
  std::fill_n(memory.get(), 100, 2.0F);
  EXPECT_EQ(memory.get()[99], 2.0F);
}

TEST(Workspace, CanBeSharedByThreads) {
  Workspace workspace;
  const auto use = [&](float value) {
    for (std::int64_t i = 0; i < 200; ++i) {
      const std::shared_ptr<float> memory = workspace.floats(1 + i % 7 * 1000);
      *memory = value;
      EXPECT_EQ(*memory, value);
    }
  };
  std::thread other(use, 1.0F);
  use(2.0F);
  other.join();
}

}  // namespace
}  // namespace effnet::layers

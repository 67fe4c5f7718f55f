#include "effnet/tensor/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "effnet/base/error.h"

namespace effnet::tensor {
namespace {

TEST(Memory, BlocksAreWholePages) {
  EXPECT_EQ(block_bytes(0), kPage);
  EXPECT_EQ(block_bytes(1), kPage);
  EXPECT_EQ(block_bytes(kPage), kPage);
  EXPECT_EQ(block_bytes(kPage + 1), 2 * kPage);
  EXPECT_EQ(block_bytes(kHugePage), kHugePage);
  EXPECT_EQ(block_bytes(kHugePage + 1), 2 * kHugePage);
}

TEST(Memory, IsAlignedAndWritable) {
  for (const std::size_t bytes : {std::size_t{1}, kPage, kPage + 1, kHugePage - 1, kHugePage, 3 * kHugePage + 5}) {
    const Memory memory = allocate(bytes, "a test");
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kPage;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % alignment, 0U) << bytes;
    std::memset(memory.get(), 1, block_bytes(bytes));
  }
}

TEST(Memory, FailedAllocationIsAnErrorWithSizeAndPurpose) {
  const std::size_t most = std::numeric_limits<std::size_t>::max() / 4;
  EXPECT_EQ(try_allocate(most), nullptr);
  try {
    allocate(most, "activations");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_EQ(std::string(error.what()),
              "out of memory: failed to allocate " + std::to_string(most) + " bytes for activations");
  }
}

}  // namespace
}  // namespace effnet::tensor

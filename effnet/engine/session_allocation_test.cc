// Checks that a run allocates no memory: this program replaces malloc and related functions and counts their calls in
// all threads. Under a sanitizer, which replaces them itself, the test is disabled.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>

#include "effnet/engine/engine_testing.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EFFNET_COUNTS_ALLOCATIONS
static std::atomic<std::size_t> allocations = 0;
// The implementations of the C library.
extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT
void* __libc_realloc(void* old, std::size_t size);               // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT

void* malloc(std::size_t size) noexcept {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) noexcept {
  ++allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}
#endif

namespace effnet::engine {
namespace {

#if defined(EFFNET_COUNTS_ALLOCATIONS)
TEST(SessionAllocation, ARunAllocatesNoMemory) {
  // This network and mbconv_network() together use every kind of step.
  arch::ArchSpec cells = testkit::network("cells", {{.block = "amoebanet_b_reduction", .channels = 12, .stride = 2},
                                                    {.block = "amoebanet_b_normal", .channels = 18},
                                                    {.block = "basic", .channels = 40},
                                                    {.block = "basic", .channels = 40}});
  for (const arch::ArchSpec& spec : {testkit::mbconv_network(), cells}) {
    const graph::Graph graph = testkit::lower_at(spec, {32, 20});
    const auto weights = testkit::pack(graph, kernels::chosen_isa());
    const std::vector<float> input = testkit::normal_values("images", 2 * graph.input().numel());
    const std::vector<std::uint8_t> rgb(input.size(), 100);
    std::vector<float> logits(2 * 37);
    for (const int threads : {1, 3}) {
      Session session(graph, weights, {.batch = 2, .threads = threads});
      const std::size_t before = allocations;
      for (int i = 0; i < 3; ++i) session.run(input, logits);
      session.run(rgb, {}, logits);
      EXPECT_EQ(allocations - before, 0U) << spec.name << " " << threads << " threads";
    }
  }
  const std::size_t before = allocations;
  void* volatile counted = std::malloc(100);  // volatile, because clang removes an allocation that is not used
  EXPECT_EQ(allocations - before, 1U);
  std::free(counted);
}
#endif

}  // namespace
}  // namespace effnet::engine

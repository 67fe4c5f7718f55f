// Tests plans of whole networks, without real weights: where buffers are placed and how much memory a plan needs.
#include "effnet/engine/plan/plan.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>

#include "effnet/arch/family.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/engine/session.h"

namespace effnet::engine {
namespace {

// Returns packed weights of the right size that are never read and use no physical memory.
std::shared_ptr<const PackedWeights> untouched_weights(const graph::Graph& graph, kernels::Isa isa) {
  const auto bytes = static_cast<std::size_t>(PackedWeights::size_bytes(graph, {isa}));
  void* const memory = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT_NE(memory, MAP_FAILED);
  const std::shared_ptr<const void> owner(memory, [bytes](void* address) { munmap(address, bytes); });
  return PackedWeights::adopt(graph, {isa}, {static_cast<const std::byte*>(memory), bytes}, owner);
}

Plan plan_of(const graph::Graph& graph, kernels::Isa isa, std::int64_t batch, const std::vector<NodeId>& keep = {}) {
  return make_plan(graph, *untouched_weights(graph, isa), batch, {}, keep);
}

const char* const kNames[] = {"efficientnet_b0", "efficientnet_b1", "efficientnet_b2",   "efficientnet_b3",
                              "efficientnet_b4", "efficientnet_b5", "efficientnet_b6",   "efficientnet_b7",
                              "resnet50",        "mobilenet_v2",    "efficientnet_lite0"};

TEST(Plan, DependsOnItsArgumentsOnly) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    for (const char* const name : {"efficientnet_b0", "resnet50"}) {
      const graph::Graph graph = graph::lower(arch::variant(name).spec);
      const Plan a = plan_of(graph, isa, 2), b = plan_of(graph, isa, 2);
      ASSERT_EQ(a.steps.size(), b.steps.size());
      for (std::size_t i = 0; i < a.steps.size(); ++i) {
        EXPECT_EQ(a.steps[i]->info.name, b.steps[i]->info.name);
        EXPECT_EQ(a.steps[i]->info.kernel, b.steps[i]->info.kernel);
        EXPECT_EQ(a.steps[i]->info.bytes, b.steps[i]->info.bytes);
        EXPECT_EQ(a.steps[i]->reads, b.steps[i]->reads);
        EXPECT_EQ(a.steps[i]->writes, b.steps[i]->writes);
        EXPECT_EQ(a.steps[i]->scratch_bytes(), b.steps[i]->scratch_bytes());
      }
      EXPECT_EQ(a.arena.offsets, b.arena.offsets);
      EXPECT_EQ(a.scratch_bytes, b.scratch_bytes);
      EXPECT_EQ(a.zero_bytes, b.zero_bytes);
    }
  }
}

// The inputs of a step were written before it and are alive during it, and no two live buffers overlap.
TEST(Plan, BuffersLiveFromTheirWriterToTheirLastReader) {
  const kernels::Isa isa = kernels::chosen_isa();
  for (const char* const name : kNames) {
    SCOPED_TRACE(name);
    const graph::Graph graph = graph::lower(arch::variant(name).spec);
    const Plan plan = plan_of(graph, isa, 1, graph.reductions);
    const auto steps = static_cast<std::int64_t>(plan.steps.size());
    for (std::int64_t s = 0; s < steps; ++s) {
      const Step& step = *plan.steps[static_cast<std::size_t>(s)];
      for (const BufferId id : step.reads) {
        const Lifetime& buffer = plan.buffers[static_cast<std::size_t>(id)];
        EXPECT_TRUE(buffer.first <= s && s <= buffer.last) << step.info.name;
      }
      const Lifetime& out = plan.buffers[static_cast<std::size_t>(step.writes)];
      EXPECT_TRUE(out.first <= s && s <= out.last) << step.info.name;
    }
    for (const NodeId id : graph.reductions) {
      const auto buffer = static_cast<std::size_t>(plan.outputs.at(id).buffer);
      EXPECT_GE(plan.buffers[buffer].last, steps) << graph.at(id).name;
      for (std::size_t other = 0; other < plan.buffers.size(); ++other) {
        // No buffer of a later step overlaps a kept output.
        if (other == buffer || plan.buffers[other].last < plan.buffers[buffer].first) continue;
        EXPECT_TRUE(plan.arena.offsets[other] + plan.buffers[other].bytes <= plan.arena.offsets[buffer] ||
                    plan.arena.offsets[buffer] + plan.buffers[buffer].bytes <= plan.arena.offsets[other]);
      }
    }
  }
}

// The lower bound is the largest number of bytes that are alive during one step.
TEST(Plan, ArenaIsNearItsLowerBound) {
  for (const char* const name : kNames) {
    for (const std::int64_t batch : {1, 8}) {
      const graph::Graph graph = graph::lower(arch::variant(name).spec);
      const Plan plan = plan_of(graph, kernels::chosen_isa(), batch);
      std::int64_t least = 0;
      for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        std::int64_t sum = 0;
        for (const Lifetime& buffer : plan.buffers) {
          const auto step = static_cast<std::int64_t>(s);
          if (buffer.first <= step && step <= buffer.last) sum += buffer.bytes;
        }
        least = std::max(least, sum);
      }
      EXPECT_GE(plan.arena.bytes, least) << name;
      EXPECT_LE(static_cast<double>(plan.arena.bytes), 1.02 * static_cast<double>(least)) << name << " " << batch;
    }
  }
}

TEST(Plan, WorkspaceStaysWithinItsBudget) {
  struct Budget {
    const char* name;
    double megabytes;
  };
  for (const kernels::Isa isa : kernels::usable_sets()) {
    for (const auto& [name, megabytes] : {Budget{"efficientnet_b0", 6}, Budget{"efficientnet_b7", 40}}) {
      const graph::Graph graph = graph::lower(arch::variant(name).spec);
      const Session session(graph, untouched_weights(graph, isa));
      EXPECT_LT(static_cast<double>(session.workspace_bytes()), megabytes * 1e6) << name << " " << kernels::name(isa);
      ::testing::Test::RecordProperty(name, std::to_string(session.workspace_bytes()));
    }
  }
}

}  // namespace
}  // namespace effnet::engine

// The steps of a plan, which work on numbered buffers. A step holds everything except the addresses of the buffers.
// Creating a step allocates memory, running it does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "effnet/base/thread_team.h"
#include "effnet/engine/options.h"
#include "effnet/engine/weights/layout.h"
#include "effnet/graph/graph.h"
#include "effnet/primitives/activation.h"
#include "effnet/primitives/gather.h"
#include "effnet/primitives/gemm.h"
#include "effnet/primitives/tile_schedule.h"

namespace effnet::engine {

using primitives::epilogue_params;
using primitives::EpilogueParams;
using primitives::GemmSource;
using primitives::ImageLayout;
using primitives::Window;
using tensor::BlockedShape;

using BufferId = std::int32_t;
inline constexpr BufferId kNoBuffer = -1;

// With several threads, steps partition an image with fewer pixels than this by channels and not by pixels: in such
// layers the weights are larger than the pixels, so tasks share the pixels rather than the weights.
inline constexpr std::int64_t kSmallImage = 600;

// Returns the number of bytes of `values` floats.
constexpr std::int64_t float_bytes(std::int64_t values) { return values * static_cast<std::int64_t>(sizeof(float)); }

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The memory and the threads of a run.
struct Context {
  const kernels::KernelSet& set;
  const primitives::TileSchedule& schedule;
  const std::byte* weights;  // of the network; the steps have offsets from this address
  std::span<std::byte* const> buffers;
  ThreadTeam::Run& team;
  std::span<std::byte* const> scratches;  // by team member
  const std::byte* zero_bytes;

  std::int64_t members() const { return static_cast<std::int64_t>(scratches.size()); }
  // These functions return the memory as values of a type.
  template <class Value = float>
  Value* buffer(BufferId id) const {
    return reinterpret_cast<Value*>(buffers[static_cast<std::size_t>(id)]);
  }
  template <class Value = float>
  const Value* weight(std::int64_t offset) const {
    return reinterpret_cast<const Value*>(weights + offset);
  }
  template <class Value = float>
  Value* scratch(int member) const {
    return reinterpret_cast<Value*>(scratches[static_cast<std::size_t>(member)]);
  }
  // Zeros, for rows outside the image.
  template <class Value = float>
  const Value* zeros() const {
    return reinterpret_cast<const Value*>(zero_bytes);
  }
};

class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;

  virtual void run(const Context& context) const noexcept = 0;
  virtual std::int64_t scratch_bytes() const { return 0; }  // per team member
  virtual std::int64_t zero_bytes() const { return 0; }     // size of Context::zeros

  StepInfo info;
  std::vector<BufferId> reads;
  BufferId writes = kNoBuffer;
};

}  // namespace effnet::engine

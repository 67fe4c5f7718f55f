// What a plan is made of: steps over numbered buffers. A step holds all it needs but the buffers' addresses, so a plan
// is a value that runs anywhere. Making one allocates; running one does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "effnet/base/thread_team.h"
#include "effnet/engine/options.h"
#include "effnet/engine/weights/layout.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/activation.h"
#include "effnet/primitives/gather.h"
#include "effnet/primitives/gemm.h"
#include "effnet/primitives/tile_schedule.h"

namespace effnet::engine {

using kernels::activated;
using kernels::Activated;
using primitives::GemmSource;
using primitives::ImageLayout;
using primitives::Window;
using tensor::BlockedShape;

using BufferId = std::int32_t;
inline constexpr BufferId kNoBuffer = -1;

// With several threads, a picture of fewer pixels is cut by channels: its weights are more than its neighbourhood.
inline constexpr std::int64_t kSmallPicture = 600;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// What a run works in.
struct Context {
  const kernels::KernelSet& set;
  const primitives::TileSchedule& schedule;
  const float* weights;
  std::span<float* const> buffers;
  ThreadTeam::Run& team;
  std::span<float* const> scratch;  // by team member
  const float* zeros;               // a row of zeros for what lies outside of a picture

  float* buffer(BufferId id) const { return buffers[static_cast<std::size_t>(id)]; }
};

class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;

  virtual void run(const Context& context) const noexcept = 0;
  virtual std::int64_t scratch_floats() const { return 0; }  // of each team member
  virtual std::int64_t zero_floats() const { return 0; }     // of Context::zeros

  StepInfo info;
  std::vector<BufferId> reads;
  BufferId writes = kNoBuffer;
};

}  // namespace effnet::engine

// What a plan is made of: steps over numbered buffers. A step holds all it needs but the buffers' addresses, so a plan
// is a value that runs anywhere. Making one allocates; running one does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "effnet/base/thread_team.h"
#include "effnet/engine/packed_layout.h"
#include "effnet/engine/session.h"
#include "effnet/engine/tiling.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/activation.h"

namespace effnet::engine {

using kernels::activated;
using kernels::Activated;

using BufferId = std::int32_t;
inline constexpr BufferId kNoBuffer = -1;

// With several threads, a picture of fewer pixels is cut by channels: its weights are more than its neighbourhood.
inline constexpr std::int64_t kSmallPicture = 600;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// What a run works in.
struct Context {
  const kernels::KernelSet& set;
  const Tiling& tiling;
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

// The shape of a blocked tensor.
struct Blocked {
  std::int64_t images = 1;
  Chw chw;
  std::int64_t pixels() const { return images * chw.pixels(); }
  std::int64_t blocks() const { return kernels::blocks_of(chw.c); }
  std::int64_t floats() const { return kernels::blocked_floats(chw.c, pixels()); }
  std::int64_t block_floats() const { return pixels() * kernels::kBlock; }
};

// A window over a picture, padding resolved.
struct Window {
  std::int64_t kernel = 1, stride = 1, top = 0, left = 0;
};

// The network's input as the products of the convolutions that read it do: HWC rows with the padding in memory, the
// most that one of them needs on each side.
struct ImageLayout {
  Chw in;
  std::int64_t top = 0, left = 0;
  std::int64_t height = 0, width = 0;  // padded
  std::int64_t row_floats() const { return width * in.c; }
  std::int64_t image_floats() const { return height * row_floats(); }
  std::int64_t floats(std::int64_t images) const { return images * image_floats() + kernels::kBlock; }
};

// Where the sums of a product get their input: in place, or gathered into scratch for a run of output pixels.
struct Source {
  Depth depth;
  Blocked in;
  Chw out;  // of one image
  Window window;
  ImageLayout image;  // Depth::Source::image

  bool in_place() const { return depth.source == Depth::Source::blocked; }
  std::int64_t scratch_floats(std::int64_t pixels) const {
    return in_place() ? 0 : depth.segments * pixels * kernels::kBlock;
  }
};
struct SourceView {
  const float* a;          // of the first pixel, segment 0
  std::int64_t a_segment;  // floats between segments
};
// Output pixels [first, first + count) of `image`; in place they may run on into the next images.
SourceView view_of(const Source& source, const float* in, std::int64_t image, std::int64_t first, std::int64_t count,
                   float* scratch) noexcept;

// The products of one tile of output channels over a run of pixels.
struct TileRun {
  SourceView input;
  Depth depth;
  const float* weight;
  const float* bias;
  std::int64_t lanes;
  Activated activated;
  float* out;
  std::int64_t out_block;
  const std::int32_t* offsets;  // by pixel; null: one pixel after the other
  const float* residual;        // null, or as `out`
  const float* next_weight;     // the tile that comes after this one, or null
};
void multiply(const Context& context, const TileRun& run, std::int64_t pixels) noexcept;

}  // namespace effnet::engine

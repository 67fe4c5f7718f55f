// The steps that are no convolutions: the network's input, pools, maps, and the moving of whole channels or rows.
#pragma once

#include "effnet/engine/steps/step.h"

namespace effnet::engine {

// The picture's HWC rows as a blocked tensor, for what reads it and is no convolution of it.
struct BlockImageSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  ImageLayout layout;
};
class BlockImageStep final : public Step {
 public:
  explicit BlockImageStep(const BlockImageSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  BlockImageSpec spec_;
};

// epilogue(in * scale + shift + addend), in place or not.
struct MapSpec {
  BlockedShape shape;
  BufferId in = kNoBuffer, out = kNoBuffer, addend = kNoBuffer;
  BufferId scale = kNoBuffer;           // images x channels, 1x1
  std::int64_t weight = -1, bias = -1;  // a standalone batch norm as scale and shift, in the packed weights
  graph::Activation activation = graph::Activation::none;
};
class MapStep final : public Step {
 public:
  explicit MapStep(const MapSpec& spec);
  void run(const Context& context) const noexcept override;

 private:
  MapSpec spec_;
  Activated activated_;
  std::int64_t run_pixels_, runs_;  // of an image
};

struct PoolSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  Chw in_shape, out_shape;
  Window window;
  graph::PoolKind kind = graph::PoolKind::max;
  bool count_padding = false;
};
class PoolStep final : public Step {
 public:
  explicit PoolStep(const PoolSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  PoolSpec spec_;
};

// The mean over all pixels of an image, from a tensor (in order, one sum a channel) or from a depthwise step's sums.
struct GlobalPoolSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  BlockedShape shape;      // of what is averaged
  std::int64_t bands = 0;  // above zero: `in` holds sums [block][image][band][16]
};
class GlobalPoolStep final : public Step {
 public:
  explicit GlobalPoolStep(const GlobalPoolSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  GlobalPoolSpec spec_;
};

struct ConcatSpec {
  std::vector<BufferId> in;
  std::vector<std::int64_t> channels;
  BufferId out = kNoBuffer;
  BlockedShape shape;  // of the output
};
class ConcatStep final : public Step {
 public:
  explicit ConcatStep(ConcatSpec spec) : spec_(std::move(spec)) {}
  void run(const Context& context) const noexcept override;

 private:
  ConcatSpec spec_;
};

struct PadSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  Chw in_shape, out_shape;
  std::int64_t top = 0, left = 0;  // zeros before, or rows and columns cut where negative
};
class PadStep final : public Step {
 public:
  explicit PadStep(const PadSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  PadSpec spec_;
};

}  // namespace effnet::engine

// The seam between what needs answers and what computes them: the engine, or the reference executor.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/session.h"
#include "effnet/model/model_handle.h"

namespace effnet::model {

// Images of one size, one behind the other: as normalised values, or, where there are none, as bytes of pixels.
struct Input {
  Size size = {};
  std::int64_t batch = 1;
  std::span<const float> values = {};                 // batch x 3 x h x w
  std::span<const std::uint8_t> rgb = {};             // batch x h x w x 3
  engine::Session::Normalisation normalisation = {};  // of bytes
};

struct Features {
  std::vector<float> logits;
  Chw shape;
  std::vector<float> values;  // c x h x w: the feature map that the head pools
};

// Keeps the network of the last size, batch and kind of answer. Used by one thread at a time.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::vector<float> logits(const Input& input) = 0;  // batch x classes
  // Of one image. Throws Error(usage) if the network's head has no class activation map.
  virtual Features features(const Input& input) = 0;
};

std::vector<std::string> executor_names();
// By its name: "engine", or "reference", the slow executor that the engine is compared with. `model` and `pool` outlive
// it. The engine's packs the weights or finds them packed; the reference executor computes or reads the plain ones.
// Throws Error(usage) for another name.
std::unique_ptr<Executor> make_executor(std::string_view name, ModelHandle& model, ThreadPool& pool);

}  // namespace effnet::model

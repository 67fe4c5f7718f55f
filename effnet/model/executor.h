// The interface between the classifier and the code that computes the logits: the engine or the reference executor.
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
#include "effnet/graph/graph.h"
#include "effnet/model/model_handle.h"

namespace effnet::model {

// Images of one size, one after the other: normalised values, or, if `values` is empty, bytes of pixels.
struct Input {
  Size size = {};
  std::int64_t batch = 1;
  std::span<const float> values = {};                 // batch x 3 x h x w
  std::span<const std::uint8_t> rgb = {};             // batch x h x w x 3
  engine::Session::Normalisation normalisation = {};  // applied to `rgb`
};

struct Features {
  std::vector<float> logits;
  Chw shape;
  std::vector<float> values;  // the feature map, c x h x w: the input of the head's global pool
};

// Computes logits and feature maps. Keeps the engine session or reference network of the last call, and uses it again
// if size, batch and kind of result are the same. One thread at a time may use it.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::vector<float> logits(const Input& input) = 0;  // batch x classes
  // For one image. Throws Error(usage) if the head does not support class activation maps.
  virtual Features features(const Input& input) = 0;
  // The outputs of these nodes of ModelHandle::graph(input.size), in this order: batch x C x H x W each.
  virtual std::vector<std::vector<float>> outputs(const Input& input, const std::vector<graph::NodeId>& nodes) = 0;
};

std::vector<std::string> executor_names();
// `name` is "engine", or "reference" for the slow reference executor. Keeps references to `model` and `pool`. The
// engine loads packed weights from the cache or packs them; the reference executor loads the weights. Throws
// Error(usage) for another name.
std::unique_ptr<Executor> make_executor(std::string_view name, ModelHandle& model, ThreadPool& pool);

}  // namespace effnet::model

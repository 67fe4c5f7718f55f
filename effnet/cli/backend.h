// The seam between commands that need answers and what computes them: the engine, or the reference executor.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"
#include "effnet/cli/load.h"
#include "effnet/engine/packed_weights.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {

class Backend {
 public:
  virtual ~Backend() = default;

  // input: batch x 3 x h x w, row-major; returns batch x classes.
  virtual std::vector<float> logits(std::span<const float> input, Size size, std::int64_t batch) = 0;

  struct Answer {
    std::vector<float> logits;
    std::vector<float> features;  // c x h x w of the feature map that the head pools
    Chw features_shape;
  };
  // Of one picture. Throws Error(usage) if the network's head has no class activation map.
  virtual Answer answer_with_features(std::span<const float> input, Size size) = 0;
};

// Both keep the network of the last size, batch and kind of answer. `model` and `pool` outlive them.
std::unique_ptr<Backend> engine_backend(LoadedModel& model, ThreadPool& pool);
std::unique_ptr<Backend> reference_backend(LoadedModel& model, ThreadPool& pool);
// By the name that --backend gives. Throws Error(usage) for an unknown one.
std::unique_ptr<Backend> make_backend(const std::string& name, LoadedModel& model, ThreadPool& pool);
void check_backend_name(const std::string& name);

// --precision: fp32. Throws Error(environment) for a planned one and Error(usage) for an unknown one.
void check_precision(const std::string& precision);

// From the cache under home_folder(), where only the file is read; else packed from the model's weights, which are
// freed afterwards, and stored. A cache that cannot be written is no fault.
std::shared_ptr<const engine::PackedWeights> packed_weights(LoadedModel& model, kernels::Isa isa, ThreadPool& pool);

}  // namespace effnet::cli

// A loaded model and the backend that answers for it: labels, and class activation maps over photographs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "effnet/base/preprocessing.h"
#include "effnet/cli/backend.h"
#include "effnet/engine/classify.h"
#include "effnet/formats/model_file.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"

namespace effnet::cli {

// `model` outlives the runner.
class Runner {
 public:
  Runner(LoadedModel& model, std::unique_ptr<Backend> backend) : model_(model), backend_(std::move(backend)) {}

  // As Backend's.
  std::vector<float> logits(std::span<const float> input, Size size, std::int64_t batch = 1) {
    return backend_->logits(input, size, batch);
  }
  using Answer = Backend::Answer;
  Answer answer_with_features(std::span<const float> input, Size size) {
    return backend_->answer_with_features(input, size);
  }

  const formats::Model& model() const { return model_.info(); }
  std::string label(std::size_t class_index) const;  // "class 7" where the model has none
  // The classifier's weights of a class, one a channel of the feature map. Random weights are computed for it.
  std::vector<float> classifier_row(std::size_t class_index);

 private:
  LoadedModel& model_;
  std::unique_ptr<Backend> backend_;
};

// Standard normal values, for checks.
std::vector<float> seeded_input(Size size, std::uint64_t seed);

// The photograph with the class's activation map over it.
vision::Image draw_cam(Runner& runner, const vision::Image& photo, const vision::Prepared& prepared,
                       const Runner::Answer& answer, std::size_t class_index);

}  // namespace effnet::cli

// A loaded model that answers: lowers the graph for each input size it meets and keeps the last one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/classify.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/graph.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"

namespace effnet::cli {

// `model` and `pool` outlive the runner.
class Runner {
 public:
  Runner(const formats::Model& model, ThreadPool& pool);

  // input: batch x 3 x h x w, row-major; logits: batch x classes.
  std::vector<float> logits(std::span<const float> input, Size size, std::int64_t batch = 1);

  struct Answer {
    std::vector<float> logits;
    std::vector<float> features;  // c x h x w of the feature map that the head pools
    Chw features_shape;
  };
  Answer answer_with_features(std::span<const float> input, Size size);

  const formats::Model& model() const { return model_; }
  std::string label(std::size_t class_index) const;  // "class 7" where the model has none
  std::span<const float> classifier_row(std::size_t class_index) const;

 private:
  void prepare(Size size);

  const formats::Model& model_;
  ThreadPool& pool_;
  engine::Parameters parameters_;
  Size size_;
  graph::Graph graph_;
  std::unique_ptr<engine::Reference> network_;
};

// Standard normal values, for checks.
std::vector<float> seeded_input(Size size, std::uint64_t seed);

// The photograph with the class's activation map over it.
vision::Image draw_cam(Runner& runner, const vision::Image& photo, const vision::Prepared& prepared,
                       const Runner::Answer& answer, std::size_t class_index);

}  // namespace effnet::cli

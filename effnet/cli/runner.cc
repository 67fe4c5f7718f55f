#include "effnet/cli/runner.h"

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/engine/cam.h"
#include "effnet/graph/lower.h"
#include "effnet/vision/draw.h"

namespace effnet::cli {

Runner::Runner(const formats::Model& model, ThreadPool& pool)
    : model_(model), pool_(pool), parameters_(model.weights) {}

void Runner::prepare(Size size) {
  if (network_ && size == size_) return;
  network_.reset();
  graph_ = graph::lower(model_.arch, {.resolution = size});
  network_ = std::make_unique<engine::Reference>(graph_, parameters_, pool_);
  size_ = size;
}

std::vector<float> Runner::logits(std::span<const float> input, Size size, std::int64_t batch) {
  prepare(size);
  return network_->run(input, batch);
}

Runner::Answer Runner::answer_with_features(std::span<const float> input, Size size) {
  prepare(size);
  const graph::Node& features = *engine::cam_head(graph_).features;
  engine::Reference::Tapped tapped = network_->run(input, 1, std::vector{features.name});
  return {std::move(tapped.logits), std::move(tapped.activations.at(features.name)), features.out};
}

std::string Runner::label(std::size_t class_index) const {
  return class_index < model_.labels.size() ? model_.labels[class_index] : fmt::format("class {}", class_index);
}

std::span<const float> Runner::classifier_row(std::size_t class_index) const {
  const engine::CamHead head = engine::cam_head(graph_);
  const std::span<const float> weight = parameters_.find(head.classifier->name + ".weight").value();
  const auto width = static_cast<std::size_t>(head.features->out.c);
  return weight.subspan(class_index * width, width);
}

std::vector<float> seeded_input(Size size, std::uint64_t seed) {
  std::vector<float> input(static_cast<std::size_t>(3 * size.h * size.w));
  Philox(seed, stream_of("seeded input")).fill_normal(input, 0, 1.0F);
  return input;
}

vision::Image draw_cam(Runner& runner, const vision::Image& photo, const vision::Prepared& prepared,
                       const Runner::Answer& answer, std::size_t class_index) {
  const Chw shape = answer.features_shape;
  const std::vector<float> map =
      engine::class_activation_map(answer.features, shape, runner.classifier_row(class_index));
  return vision::overlay_heat(photo, prepared.crop, map, {shape.h, shape.w}, {});
}

}  // namespace effnet::cli

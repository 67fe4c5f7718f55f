#include "effnet/cli/runner.h"

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/engine/cam.h"
#include "effnet/graph/lower.h"
#include "effnet/vision/draw.h"

namespace effnet::cli {

Runner::Runner(const formats::Model& model, ThreadPool& pool) : model_(model), pool_(pool), parameters_(model.weights) {}

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
  const graph::NodeId taps[] = {graph_.features, graph_.logits};
  auto outputs = network_->run(input, 1, taps);
  return {std::move(outputs[1]), std::move(outputs[0]), graph_.at(graph_.features).out};
}

std::string Runner::label(std::int64_t class_index) const {
  const auto i = static_cast<std::size_t>(class_index);
  return i < model_.labels.size() ? model_.labels[i] : fmt::format("class {}", class_index);
}

std::span<const float> Runner::classifier_row(std::int64_t class_index) const {
  const std::span<const float> weight = parameters_.at(graph_.at(graph_.logits).name + ".weight");
  const auto width = static_cast<std::size_t>(graph_.at(graph_.features).out.c);
  return weight.subspan(static_cast<std::size_t>(class_index) * width, width);
}

std::vector<float> seeded_input(Size size, std::uint64_t seed) {
  const Philox random(seed, 0);
  std::vector<float> input(static_cast<std::size_t>(3 * size.h * size.w));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = random.normal(i);
  return input;
}

vision::Image draw_cam(Runner& runner, const vision::Image& photo, const vision::Prepared& prepared, const Runner::Answer& answer,
                       std::int64_t class_index) {
  const Chw shape = answer.features_shape;
  const std::vector<float> map = engine::class_activation_map(answer.features, shape, runner.classifier_row(class_index));
  return vision::overlay_heat(photo, prepared.crop, map, {shape.h, shape.w}, {});
}

}  // namespace effnet::cli

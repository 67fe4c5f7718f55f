#include "effnet/cli/runner.h"

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/engine/cam.h"
#include "effnet/graph/lower.h"
#include "effnet/vision/draw.h"

namespace effnet::cli {

std::string Runner::label(std::size_t class_index) const {
  const std::vector<std::string>& labels = model_.info().labels;
  return class_index < labels.size() ? labels[class_index] : fmt::format("class {}", class_index);
}

std::vector<float> Runner::classifier_row(std::size_t class_index) {
  const graph::Graph graph = graph::lower(model_.arch());
  const engine::CamHead head = engine::cam_head(graph);
  const std::vector<float> weight = formats::to_floats(model_.whole().weights.at(head.classifier->name + ".weight"));
  const auto width = static_cast<std::size_t>(head.features->out.c);
  const std::span<const float> row = std::span(weight).subspan(class_index * width, width);
  return {row.begin(), row.end()};
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

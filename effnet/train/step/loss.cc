#include "effnet/train/step/loss.h"

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

void check_label(std::int64_t label, std::int64_t classes) {
  if (label < 0 || label >= classes) {
    throw input_error("label out of range (got {}, expected 0 to {})", label, classes - 1)
        .with_hint("set model.classes=0: the model then has as many classes as the data");
  }
}

}  // namespace

torch::Tensor soft_targets(const data::Batch& batch, std::int64_t first, std::int64_t n, std::int64_t classes,
                           double smoothing, std::span<const float> class_weights) {
  const float rest = static_cast<float>(smoothing / static_cast<double>(classes));
  torch::Tensor targets = torch::full({n, classes}, rest, torch::kFloat);
  float* row = targets.data_ptr<float>();
  const auto weight = [&](std::int64_t label) { return class_weights.empty() ? 1.0F : class_weights[at(label)]; };
  for (std::int64_t i = first; i < first + n; ++i, row += classes) {
    const std::int64_t label = batch.labels[at(i)];
    check_label(label, classes);
    const double lambda = batch.lambda.empty() ? 1 : static_cast<double>(batch.lambda[at(i)]);
    row[label] += static_cast<float>(lambda * (1 - smoothing));
    float factor = weight(label);
    if (!batch.labels_b.empty()) {
      const std::int64_t other = batch.labels_b[at(i)];
      check_label(other, classes);
      row[other] += static_cast<float>((1 - lambda) * (1 - smoothing));
      factor = static_cast<float>(lambda * factor + (1 - lambda) * weight(other));
    }
    if (factor != 1) std::transform(row, row + classes, row, [factor](float value) { return factor * value; });
  }
  return targets;
}

std::vector<float> balanced_weights(const data::Dataset& set, std::int64_t classes) {
  std::vector<std::int64_t> images(at(classes));
  for (std::int64_t i = 0; i < set.size(); ++i) {
    check_label(set.label(i), classes);
    ++images[at(set.label(i))];
  }
  const auto present = static_cast<double>(images.size() - static_cast<std::size_t>(std::ranges::count(images, 0)));
  std::vector<float> weights;
  for (const std::int64_t count : images) {
    const double share = present * static_cast<double>(count) / static_cast<double>(set.size());
    weights.push_back(count == 0 ? 0 : static_cast<float>(1 / share));
  }
  return weights;
}

torch::Tensor cross_entropy_sum(const torch::Tensor& logits, const torch::Tensor& targets) {
  return -(targets * torch::log_softmax(logits.to(targets.scalar_type()), 1)).sum();
}

std::int64_t main_label(const data::Batch& batch, std::int64_t i) {
  if (batch.lambda.empty() || batch.lambda[at(i)] >= 0.5F) return batch.labels[at(i)];
  return batch.labels_b[at(i)];
}

}  // namespace effnet::train

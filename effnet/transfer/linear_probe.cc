#include "effnet/transfer/linear_probe.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/layers/chunked_gemm.h"
#include "effnet/layers/layout.h"
#include "effnet/layers/linear.h"
#include "effnet/layers/matrix.h"

namespace effnet::transfer {
namespace {

// The mean of each column, and 1 / the root mean square of all columns' standard deviations; 0 if all rows are equal.
struct Scaling {
  std::vector<double> mean;
  double factor = 0;
};

Scaling scaling_of(const LabelledRows& data, std::span<const std::int64_t> rows) {
  const auto width = static_cast<std::size_t>(data.width);
  Scaling result{std::vector<double>(width), 0};
  for (const std::int64_t i : rows) {
    const float* const row = data.values.data() + i * data.width;
    for (std::size_t c = 0; c < width; ++c) result.mean[c] += row[c];
  }
  for (double& mean : result.mean) mean /= static_cast<double>(rows.size());
  double squares = 0;
  for (const std::int64_t i : rows) {
    const float* const row = data.values.data() + i * data.width;
    for (std::size_t c = 0; c < width; ++c) squares += (row[c] - result.mean[c]) * (row[c] - result.mean[c]);
  }
  const double deviation = std::sqrt(squares / static_cast<double>(rows.size() * width));
  // The mean of equal values is rounded, so a tiny deviation counts as none.
  const double largest =
      std::abs(*std::ranges::max_element(result.mean, {}, [](double mean) { return std::abs(mean); }));
  if (deviation > 1e-12 * largest) result.factor = 1 / deviation;
  return result;
}

}  // namespace

std::vector<float> LinearProbe::logits(const layers::Context& context, std::span<const float> values) const {
  const auto rows = static_cast<std::int64_t>(values.size()) / width;
  std::vector<float> result(static_cast<std::size_t>(rows * classes));
  if (rows > 0)
    layers::linear_forward(context, {rows, width, classes}, values.data(), weight.data(), bias.data(), result.data());
  return result;
}

struct ProbeTraining::Impl {
  Impl(const layers::Context& with, const LabelledRows& data, std::span<const std::int64_t> rows)
      : context(with),
        n(static_cast<std::int64_t>(rows.size())),
        width(data.width),
        classes(data.classes),
        scaling(scaling_of(data, rows)),
        parts(layers::partition(context.kernels.base, 1, n, layers::padded(width))),
        inputs(context.workspace.floats(layers::padded(width) * n)),
        blocked(context.workspace.floats(layers::padded(classes) * n)),
        logits(static_cast<std::size_t>(n * classes)),
        losses(static_cast<std::size_t>(n)),
        solution(static_cast<std::size_t>(classes * (width + 1))) {
    std::vector<float> scaled(static_cast<std::size_t>(n * width));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      labels.push_back(data.labels[static_cast<std::size_t>(rows[i])]);
      for (std::size_t c = 0; c < static_cast<std::size_t>(width); ++c) {
        const double value = data.values[static_cast<std::size_t>(rows[i] * width) + c];
        scaled[i * static_cast<std::size_t>(width) + c] =
            static_cast<float>((value - scaling.mean[c]) * scaling.factor);
      }
    }
    layers::to_blocks(context, scaled.data(), width, n, inputs.get());
  }

  // x: classes x width weights, then the biases.
  double loss(std::span<const float> x, std::span<float> gradient, double l2) {
    const float* const bias = x.data() + classes * width;
    layers::gemm_forward(context, parts, layers::LoopOrder::forward, layers::pack(context, x.data(), classes, width),
                         layers::stored_operand(parts, inputs.get()), blocked.get(), nullptr);
    layers::to_rows(context, blocked.get(), classes, n, logits.data());
    context.loops.parallel(n, [&](std::int64_t first, std::int64_t last) {
      std::vector<double> exps(static_cast<std::size_t>(classes));
      for (std::int64_t i = first; i < last; ++i) losses[static_cast<std::size_t>(i)] = to_residual(i, bias, exps);
    });
    layers::to_blocks(context, logits.data(), classes, n, blocked.get());
    layers::gemm_backward(context, parts,
                          {.in_channels = width,
                           .out_channels = classes,
                           .dy = layers::stored_operand(parts, blocked.get()),
                           .x = layers::stored_operand(parts, inputs.get())},
                          gradient.data());
    std::vector<double> bias_gradient(static_cast<std::size_t>(classes));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < bias_gradient.size(); ++k)
        bias_gradient[k] += logits[static_cast<std::size_t>(i * classes) + k];
    }
    std::copy(bias_gradient.begin(), bias_gradient.end(), gradient.begin() + classes * width);
    double total = 0, squares = 0;
    for (const double one : losses) total += one;
    for (std::size_t i = 0; i < static_cast<std::size_t>(classes * width); ++i) {
      squares += double{x[i]} * x[i];
      gradient[i] += static_cast<float>(l2 * x[i]);
    }
    return total / static_cast<double>(n) + l2 / 2 * squares;
  }

  // Replaces the logits of a row, which have no bias yet, by the gradient with respect to them. Returns the row's loss.
  // `exps`: memory for one number for each class.
  double to_residual(std::int64_t row, const float* bias, std::vector<double>& exps) {
    float* const z = logits.data() + row * classes;
    const std::int64_t label = labels[static_cast<std::size_t>(row)];
    double largest = -INFINITY;
    for (std::int64_t k = 0; k < classes; ++k) largest = std::max(largest, double{z[k]} + bias[k]);
    double sum = 0;
    for (std::int64_t k = 0; k < classes; ++k) {
      exps[static_cast<std::size_t>(k)] = std::exp(double{z[k]} + bias[k] - largest);
      sum += exps[static_cast<std::size_t>(k)];
    }
    const double of_label = double{z[label]} + bias[label];
    for (std::int64_t k = 0; k < classes; ++k) {
      const double probability = exps[static_cast<std::size_t>(k)] / sum;
      z[k] = static_cast<float>((probability - (k == label ? 1 : 0)) / static_cast<double>(n));
    }
    return largest + std::log(sum) - of_label;
  }

  const layers::Context& context;
  std::int64_t n, width, classes;
  Scaling scaling;
  layers::Partition parts;
  std::shared_ptr<float> inputs, blocked;  // blocked: the scaled features; logits, then their gradient
  std::vector<float> logits;               // n x classes: logits, then their gradient
  std::vector<double> losses;
  std::vector<float> solution;
  std::vector<std::int64_t> labels;
  double norm_at_zero = -1;  // of the gradient; negative: not computed yet
};

ProbeTraining::ProbeTraining(const layers::Context& context, const LabelledRows& data,
                             std::span<const std::int64_t> rows) {
  if (rows.empty() || data.width < 1 || data.classes < 1)
    throw usage_error("a linear probe needs training images (got {} images, {} features and {} classes)", rows.size(),
                      data.width, data.classes);
  impl_ = std::make_unique<Impl>(context, data, rows);
}
ProbeTraining::~ProbeTraining() = default;

LbfgsResult ProbeTraining::fit(double l2, double tolerance) {
  if (!(l2 > 0 && std::isfinite(l2)))
    throw usage_error("strength of the regularisation out of range (got {}, expected above 0)", l2);
  Impl& self = *impl_;
  if (self.norm_at_zero < 0) {
    std::vector<float> zeros(self.solution.size()), gradient(self.solution.size());
    self.loss(zeros, gradient, l2);
    double squares = 0;
    for (const float value : gradient) squares += double{value} * value;
    self.norm_at_zero = std::sqrt(squares);
  }
  return minimise([&](std::span<const float> x, std::span<float> gradient) { return self.loss(x, gradient, l2); },
                  self.solution, {.tolerance = tolerance * self.norm_at_zero});
}

LinearProbe ProbeTraining::probe() const {
  const Impl& self = *impl_;
  LinearProbe probe{self.width, self.classes, {}, {}};
  for (std::int64_t k = 0; k < self.classes; ++k) {
    double bias = self.solution[static_cast<std::size_t>(self.classes * self.width + k)];
    for (std::int64_t c = 0; c < self.width; ++c) {
      const double weight = self.solution[static_cast<std::size_t>(k * self.width + c)] * self.scaling.factor;
      bias -= weight * self.scaling.mean[static_cast<std::size_t>(c)];
      probe.weight.push_back(static_cast<float>(weight));
    }
    probe.bias.push_back(static_cast<float>(bias));
  }
  return probe;
}

}  // namespace effnet::transfer

#include "effnet/search/control/lstm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::search {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// out[j] += sum over the rows k of x[k * stride] * w[k][j]; w has `rows` rows with `columns` elements. Four rows in one
// pass: a quarter of the loads and stores of `out`.
void add_product(double* __restrict out, std::size_t columns, const double* x, std::size_t stride, std::size_t rows,
                 const double* __restrict w) {
  std::size_t k = 0;
  for (; k + 4 <= rows; k += 4) {
    const double x0 = x[k * stride], x1 = x[(k + 1) * stride], x2 = x[(k + 2) * stride], x3 = x[(k + 3) * stride];
    const double *w0 = w + k * columns, *w1 = w0 + columns, *w2 = w1 + columns, *w3 = w2 + columns;
    for (std::size_t j = 0; j < columns; ++j) out[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j];
  }
  for (; k < rows; ++k) {
    const double x0 = x[k * stride];
    for (std::size_t j = 0; j < columns; ++j) out[j] += x0 * w[k * columns + j];
  }
}

std::vector<double> transposed(const double* matrix, std::size_t rows, std::size_t columns) {
  std::vector<double> out(rows * columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) out[j * rows + i] = matrix[i * columns + j];
  }
  return out;
}

// One LSTM unit of one sample: from the gradients of its output and cell to those of its gates before their activations
// (`gate_gradient`) and of the cell before (in place of `cell_gradient`).
void gate_backward(std::size_t hidden, const double* gates, const double* tanh_cell, const double* cell_before,
                   const double* output_gradient, double* cell_gradient, double* gate_gradient) {
  for (std::size_t j = 0; j < hidden; ++j) {
    const double i = gates[j], f = gates[hidden + j], g = gates[2 * hidden + j], o = gates[3 * hidden + j];
    const double from_output = output_gradient[j] * o * (1 - tanh_cell[j] * tanh_cell[j]);
    const double cell = cell_gradient[j] + from_output;
    gate_gradient[j] = cell * g * i * (1 - i);
    gate_gradient[hidden + j] = cell_before == nullptr ? 0 : cell * cell_before[j] * f * (1 - f);
    gate_gradient[2 * hidden + j] = cell * i * (1 - g * g);
    gate_gradient[3 * hidden + j] = output_gradient[j] * tanh_cell[j] * o * (1 - o);
    cell_gradient[j] = cell * f;
  }
}

}  // namespace

LstmPolicy::LstmPolicy(std::vector<std::size_t> options, std::size_t hidden)
    : options_(std::move(options)), hidden_(hidden) {
  EFFNET_CHECK(!options_.empty() && hidden_ > 0);
  const auto take = [&](std::size_t count) { return std::exchange(layout_.size, layout_.size + count); };
  layout_.recurrent = take(hidden_ * 4 * hidden_);
  layout_.input = take(kInput * 4 * hidden_);
  layout_.bias = take(4 * hidden_);
  layout_.start = take(kInput);
  for (std::size_t choice = 0; choice < options_.size(); ++choice) {
    if (choice + 1 < options_.size()) layout_.vectors.push_back(take(options_[choice] * kInput));
    layout_.softmax.push_back(take(hidden_ * options_[choice]));
    layout_.offset.push_back(take(options_[choice]));
  }
}

std::vector<double> LstmPolicy::initial_weights(Draws& draws) const {
  std::vector<double> weights(layout_.size);
  for (double& weight : weights) weight = draws.uniform(-0.1, 0.1);
  return weights;
}

void LstmPolicy::step(const double* weights, const double* input, const Unit* before, const Unit& unit) const {
  const std::size_t n = hidden_;
  std::copy_n(weights + layout_.bias, 4 * n, unit.gates);
  add_product(unit.gates, 4 * n, input, 1, kInput, weights + layout_.input);
  if (before != nullptr) add_product(unit.gates, 4 * n, before->output, 1, n, weights + layout_.recurrent);
  for (std::size_t j = 0; j < n; ++j) {
    double &i = unit.gates[j], &f = unit.gates[n + j], &g = unit.gates[2 * n + j], &o = unit.gates[3 * n + j];
    i = sigmoid(i);
    f = sigmoid(f);
    g = std::tanh(g);
    o = sigmoid(o);
    unit.cell[j] = i * g + (before == nullptr ? 0 : f * before->cell[j]);
    unit.tanh_cell[j] = std::tanh(unit.cell[j]);
    unit.output[j] = o * unit.tanh_cell[j];
  }
}

void LstmPolicy::softmax(const double* weights, std::size_t choice, const double* output, double* probabilities) const {
  const std::size_t count = options_[choice];
  std::copy_n(weights + layout_.offset[choice], count, probabilities);
  add_product(probabilities, count, output, 1, hidden_, weights + layout_.softmax[choice]);
  const double largest = *std::max_element(probabilities, probabilities + count);
  double sum = 0;
  for (std::size_t o = 0; o < count; ++o) {
    probabilities[o] = std::exp(probabilities[o] - largest);
    sum += probabilities[o];
  }
  for (std::size_t o = 0; o < count; ++o) probabilities[o] /= sum;
}

std::size_t LstmPolicy::input_at(const Point& point, std::size_t choice) const {
  if (choice == 0) return layout_.start;
  return layout_.vectors[choice - 1] + static_cast<std::size_t>(point[choice - 1]) * kInput;
}

Point LstmPolicy::sample(std::span<const double> weights, Draws& draws) const {
  std::vector<double> gates(4 * hidden_), cell(hidden_), tanh_cell(hidden_), output(hidden_), probabilities;
  const Unit unit{gates.data(), cell.data(), tanh_cell.data(), output.data()};
  Point point;
  point.reserve(options_.size());
  for (std::size_t choice = 0; choice < options_.size(); ++choice) {
    step(weights.data(), weights.data() + input_at(point, choice), choice == 0 ? nullptr : &unit, unit);
    probabilities.resize(options_[choice]);
    softmax(weights.data(), choice, output.data(), probabilities.data());
    double rest = draws.uniform();
    std::size_t option = 0;
    while (option < probabilities.size() && rest >= probabilities[option]) rest -= probabilities[option++];
    // Rounding can leave the sum of the probabilities below the number drawn.
    if (option == probabilities.size())
      option = static_cast<std::size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
    point.push_back(static_cast<int>(option));
  }
  return point;
}

LstmPolicy::Unit LstmPolicy::unit_of(Trace& trace, std::size_t index) const {
  return {&trace.gates[index * 4 * hidden_], &trace.cell[index * hidden_], &trace.tanh_cell[index * hidden_],
          &trace.output[index * hidden_]};
}

LstmPolicy::Trace LstmPolicy::forward(std::span<const double> weights, std::span<const Point> points) const {
  const std::size_t samples = points.size(), units = options_.size() * samples * hidden_;
  Trace trace{std::vector<double>(4 * units), std::vector<double>(units), std::vector<double>(units),
              std::vector<double>(units), Probabilities(options_.size())};
  for (std::size_t choice = 0; choice < options_.size(); ++choice) {
    trace.probabilities[choice].resize(samples * options_[choice]);
    for (std::size_t s = 0; s < samples; ++s) {
      const Unit unit = unit_of(trace, choice * samples + s);
      const Unit before = choice == 0 ? unit : unit_of(trace, (choice - 1) * samples + s);
      step(weights.data(), weights.data() + input_at(points[s], choice), choice == 0 ? nullptr : &before, unit);
      softmax(weights.data(), choice, unit.output, &trace.probabilities[choice][s * options_[choice]]);
    }
  }
  return trace;
}

void LstmPolicy::softmax_backward(const double* weights, std::size_t choice, const double* outputs,
                                  const std::vector<double>& logit_gradients, std::span<double> output_gradients,
                                  std::span<double> gradient) const {
  const std::size_t count = options_[choice], samples = logit_gradients.size() / count;
  for (std::size_t s = 0; s < samples; ++s) {
    const double* logits = &logit_gradients[s * count];
    for (std::size_t o = 0; o < count; ++o) gradient[layout_.offset[choice] + o] += logits[o];
    for (std::size_t k = 0; k < hidden_; ++k) {
      const std::size_t row = layout_.softmax[choice] + k * count;
      for (std::size_t o = 0; o < count; ++o) {
        gradient[row + o] += outputs[s * hidden_ + k] * logits[o];
        output_gradients[s * hidden_ + k] += weights[row + o] * logits[o];
      }
    }
  }
}

std::vector<double> LstmPolicy::backward(std::span<const double> weights, std::span<const Point> points,
                                         const Trace& trace, const Probabilities& logit_gradients) const {
  const std::size_t n = hidden_, samples = points.size();
  // add_product() runs over the columns of a matrix, and the gradients of inputs need sums over its columns.
  const std::vector<double> recurrent = transposed(&weights[layout_.recurrent], n, 4 * n);
  const std::vector<double> input = transposed(&weights[layout_.input], kInput, 4 * n);
  std::vector<double> gradient(layout_.size);
  std::vector<double> outputs(samples * n), cells(samples * n), gates(samples * 4 * n);  // gradients at one choice
  std::vector<double> inputs(samples * kInput);                                          // values
  for (std::size_t choice = options_.size(); choice-- > 0;) {
    const std::size_t first = choice * samples, first_before = choice == 0 ? 0 : first - samples;
    softmax_backward(weights.data(), choice, &trace.output[first * n], logit_gradients[choice], outputs, gradient);
    for (std::size_t s = 0; s < samples; ++s) {
      double* gate = &gates[s * 4 * n];
      gate_backward(n, &trace.gates[(first + s) * 4 * n], &trace.tanh_cell[(first + s) * n],
                    choice == 0 ? nullptr : &trace.cell[(first_before + s) * n], &outputs[s * n], &cells[s * n], gate);
      const std::size_t at = input_at(points[s], choice);
      std::copy_n(&weights[at], kInput, &inputs[s * kInput]);
      add_product(&gradient[at], kInput, gate, 1, 4 * n, input.data());
      for (std::size_t j = 0; j < 4 * n; ++j) gradient[layout_.bias + j] += gate[j];
    }
    for (std::size_t k = 0; k < kInput; ++k)
      add_product(&gradient[layout_.input + k * 4 * n], 4 * n, &inputs[k], kInput, samples, gates.data());
    if (choice == 0) break;
    for (std::size_t k = 0; k < n; ++k) {
      add_product(&gradient[layout_.recurrent + k * 4 * n], 4 * n, &trace.output[first_before * n + k], n, samples,
                  gates.data());
    }
    std::ranges::fill(outputs, 0);
    for (std::size_t s = 0; s < samples; ++s)
      add_product(&outputs[s * n], n, &gates[s * 4 * n], 1, 4 * n, recurrent.data());
  }
  return gradient;
}

}  // namespace effnet::search

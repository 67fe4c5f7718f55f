// A policy over the points of a space: an LSTM that chooses the options one after the other (Zoph & Le, ICLR 2017,
// section 3.1). Its input at a choice is a learned vector for the option of the choice before. Each choice has its own
// softmax layer. Forward and backward run over a batch of points, in double precision.
//
// std::exp and std::tanh can differ in the last bit between machines. So the same search can propose other networks on
// a machine with another C library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "effnet/base/random_key.h"
#include "effnet/search/space/space.h"

namespace effnet::search {

// One table for each choice: [sample][option].
using Probabilities = std::vector<std::vector<double>>;

class LstmPolicy {
 public:
  static constexpr std::size_t kInput = 16;  // length of the vector of an option; spaces have 2 to 10 options a choice

  // `options`: the number of options of each choice.
  LstmPolicy(std::vector<std::size_t> options, std::size_t hidden);

  // Where the weights are in the array of all weights. Matrices are in row order. The four gates are i, f, g, o.
  struct Layout {
    std::size_t recurrent = 0;         // [hidden][4 hidden]
    std::size_t input = 0;             // [kInput][4 hidden]
    std::size_t bias = 0;              // [4 hidden]
    std::size_t start = 0;             // [kInput]: the input at the first choice
    std::vector<std::size_t> vectors;  // of each choice but the last: [option][kInput], the input at the next choice
    std::vector<std::size_t> softmax;  // of each choice: [hidden][option]
    std::vector<std::size_t> offset;   // of each choice: [option], the bias of the softmax
    std::size_t size = 0;              // number of weights
  };
  const Layout& layout() const { return layout_; }

  std::vector<double> initial_weights(Draws& draws) const;  // uniform from -0.1 to 0.1, as in NASNet
  // Draws a point, choice by choice.
  Point sample(std::span<const double> weights, Draws& draws) const;

  // What backward() needs of forward(). All arrays are [choice][sample][unit].
  struct Trace {
    std::vector<double> gates;  // i, f, g, o after their activations: 4 hidden units
    std::vector<double> cell, tanh_cell, output;
    Probabilities probabilities;  // of the options, given the options of the choices before
  };
  // Requires at least one point.
  Trace forward(std::span<const double> weights, std::span<const Point> points) const;

  // The gradient of a loss with respect to all weights, from its gradient with respect to the logits of each softmax.
  std::vector<double> backward(std::span<const double> weights, std::span<const Point> points, const Trace& trace,
                               const Probabilities& logit_gradients) const;

 private:
  struct Unit {  // of one sample at one choice, as in Trace
    double *gates, *cell, *tanh_cell, *output;
  };
  // `before`: of the same sample at the choice before, or null at the first choice. It may be equal to `unit`.
  void step(const double* weights, const double* input, const Unit* before, const Unit& unit) const;
  void softmax(const double* weights, std::size_t choice, const double* output, double* probabilities) const;
  // Where the input at `choice` is in the weights, after the options of `point` before it.
  std::size_t input_at(const Point& point, std::size_t choice) const;
  Unit unit_of(Trace& trace, std::size_t index) const;  // index: choice * samples + sample
  // The part of backward() for one softmax layer. Adds to `gradient`, and to the gradients of the outputs.
  void softmax_backward(const double* weights, std::size_t choice, const double* outputs,
                        const std::vector<double>& logit_gradients, std::span<double> output_gradients,
                        std::span<double> gradient) const;

  std::vector<std::size_t> options_;
  std::size_t hidden_;
  Layout layout_;
};

}  // namespace effnet::search

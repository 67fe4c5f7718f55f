// Squeeze-and-excitation: two linear layers map the channel means of an image to one factor per channel (the gate).
// Tensors are blocked, with one pixel per image.
#pragma once

#include <vector>

#include "effnet/layers/layout.h"
#include "effnet/primitives/activation.h"

namespace effnet::layers {

struct SqueezeShape {
  std::int64_t images, channels, squeezed;
  primitives::EpilogueParams activation;
};
struct SqueezeWeights {
  const float *reduce, *reduce_bias;  // weight [squeezed][channels], bias [squeezed]
  const float *excite, *excite_bias;  // weight [channels][squeezed], bias [channels]
};
struct SqueezeState {
  std::vector<float> mean;             // input: padded(channels) * images
  std::vector<float> reduced, active;  // first linear layer's output, before and after the activation
  std::vector<float> gate;             // output: sigmoid of the second linear layer; empty without SE
  // Returns the 16 factors of a channel block of an image; null without SE.
  const float* gate_of(std::int64_t block, std::int64_t image, std::int64_t images) const {
    return gate.empty() ? nullptr : gate.data() + (block * images + image) * kBlock;
  }
};
// Computes the other members of `state` from state.mean.
void squeeze_forward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                     SqueezeState& state);

struct SqueezeGradients {
  float *reduce, *reduce_bias, *excite, *excite_bias;
};
// dgate: the gradient of the gate, in the layout of state.gate. Writes the gradients of the weights and biases, and
// returns the gradient of state.mean.
std::vector<float> squeeze_backward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                                    const SqueezeState& state, const std::vector<double>& dgate,
                                    const SqueezeGradients& gradients);

}  // namespace effnet::layers

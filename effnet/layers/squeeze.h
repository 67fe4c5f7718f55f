// Squeeze and excitation: from the mean of each channel of an image, by two linear layers, a factor for each channel.
// Values are blocked over images.
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
  const float *reduce, *reduce_bias;  // [squeezed][channels]
  const float *excite, *excite_bias;  // [channels][squeezed]
};
struct SqueezeState {
  std::vector<float> mean;             // padded(channels) * images
  std::vector<float> reduced, active;  // before and behind the activation
  std::vector<float> gate;
  // The 16 factors of a channel block of an image; null where there is no gate.
  const float* gate_of(std::int64_t block, std::int64_t image, std::int64_t images) const {
    return gate.empty() ? nullptr : gate.data() + (block * images + image) * kBlock;
  }
};
// From state.mean.
void squeeze_forward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                     SqueezeState& state);

struct SqueezeGradients {
  float *reduce, *reduce_bias, *excite, *excite_bias;
};
// Returns the gradient of the mean from that of the gate.
std::vector<float> squeeze_backward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                                    const SqueezeState& state, const std::vector<double>& dgate,
                                    const SqueezeGradients& gradients);

}  // namespace effnet::layers

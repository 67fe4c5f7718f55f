// Proximal policy optimisation (Schulman et al. 2017, equation 7) for a policy that makes a list of choices: the loss
// and its gradient.
#pragma once

#include <span>

#include "effnet/search/control/lstm.h"

namespace effnet::search {

struct PpoBatch {
  std::span<const Point> points;       // as the policy drew them
  std::span<const double> advantages;  // of each point: its reward minus the baseline
  const Probabilities& old;            // when the points were drawn
};

struct PpoLoss {
  double value = 0;
  Probabilities logit_gradients;  // with respect to the inputs of each softmax
};

// With r = probability of the chosen option now / when it was drawn, and the advantage A of the point:
// minus the mean over the points of the sum over their choices of min(r A, clip(r, 0.8, 1.2) A) + entropy_weight * H.
// H is the entropy of the choice's probabilities, in nats. Each choice has its own r, as each step of an episode in the
// paper. Requires at least one point.
PpoLoss ppo_loss(const PpoBatch& batch, const Probabilities& now, double entropy_weight);

}  // namespace effnet::search

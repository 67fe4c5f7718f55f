// One step of training, and the state that steps change: weights, optimiser, moving average, counters. Knows nothing of
// epochs, files or terminals; train/run/run.h drives it.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/data/loader.h"
#include "effnet/graph/graph.h"
#include "effnet/nn/network.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/step/optimizer.h"

namespace effnet::train {

struct StepResult {
  double loss = 0;         // mean over the batch before the update, with smoothing, this rank's part
  std::int64_t right = 0;  // of the batch, top-1 against the label (mixed images: the larger share)
  std::int64_t images = 0;
  double gradient_norm = 0;  // before clipping
  bool skipped = false;      // fp16: the loss scale was too high, nothing was updated; the loss and counts above are 0
};

// What may help, and what --resume takes (train/run/identity.h).
inline constexpr const char* kDivergedHint =
    "a lower optimizer.lr, a longer schedule.warmup_epochs or train.clip_norm may help; --resume takes them by --set "
    "and "
    "goes on from the last checkpoint";

// Thrown out of step() when loss or gradient is not finite. The trainer is then as it was before the step.
class NotFinite : public Error {
 public:
  NotFinite(const std::string& what, std::string hint) : Error(ErrorCode::input, what, std::move(hint)) {}
};

class Trainer {
 public:
  // `recipe` gives optimiser, precision, accumulation, clipping, smoothing and seed; `graph` is lowered with its
  // classes and resolution. Throws Error(environment) for a precision that the device lacks.
  Trainer(graph::Graph graph, std::shared_ptr<nn::ParameterStore> store, const Recipe& recipe, torch::Device device,
          Group& group);
  ~Trainer();

  // Forward, backward, update with `lr`. The batch (this rank's part of it, of equal size on all ranks) goes through in
  // recipe.train.accumulate parts; where the device runs out of memory a part is halved and the step begun again (the
  // result is that of the larger accumulation; batch norm sees the smaller parts), as all later steps are. With several
  // processes that is Error(environment), since the others are in the middle of the step; so it is where one image is
  // too much. Throws NotFinite, and Error(input) for a label that is no class, before anything is changed.
  //
  // With several processes and without sync_bn each normalises by its own images, and the moving statistics become
  // the mean of all ranks' after each step: every rank holds the same state at any time.
  StepResult step(const data::Batch& batch, double lr);

  // Logits (n, classes), float32 on the CPU, of an evaluation batch; `averaged`: with the moving average's weights.
  // Computed in float32 whatever the training's precision, so that they are those of the model file.
  torch::Tensor evaluate(const data::Batch& batch, bool averaged);

  // Called before each part's forward pass with its number of images. What it throws counts as thrown by the pass:
  // tests make memory run out with it.
  void on_micro_batch(std::function<void(std::int64_t images)> hook);

  std::int64_t steps() const;
  bool has_average() const;
  std::string isa() const;  // the instruction set of effnet's own kernels; empty where every step is LibTorch's
  std::shared_ptr<nn::ParameterStore> weights() const;
  tensor::Weights averaged_weights() const;  // float32 on the CPU; the plain ones without EMA

  // Everything that step() changes, by name, as tensors to read or to write into: "model/<parameter>",
  // "ema/<parameter>", "optimizer/<slot>/<parameter>"; and the scalars (steps, loss scale, parts) as numbers.
  std::vector<std::pair<std::string, torch::Tensor>> state();
  std::vector<std::pair<std::string, double>> scalars() const;
  void set_scalar(const std::string& name, double value);  // Error(input) for an unknown name or an impossible value

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::train

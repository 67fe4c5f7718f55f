// One training step, and the state that steps change: weights, optimiser, moving average, counters. It does not handle
// epochs, files or output; train/run/run.h calls it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
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
  double loss = 0;           // mean over this rank's part of the batch, before the update, with label smoothing
  std::int64_t right = 0;    // images of this rank whose top-1 class is main_label() (loss.h)
  std::int64_t images = 0;   // of this rank; each image counts once for each network of the step
  double gradient_norm = 0;  // before clipping
  bool skipped = false;      // fp16: gradients overflowed, nothing was updated; loss, right and images are 0
};

// The settings that this hint names can be changed with --resume (train/run/identity.h).
inline constexpr const char* kDivergedHint =
    "a lower optimizer.lr, a longer schedule.warmup_epochs or train.clip_norm may help: change them with --set and "
    "--resume, which continues from the last checkpoint";

// Thrown by step() if the loss or the gradient is not finite. The weights, the statistics and the optimiser then have
// the same values as before the step.
class NotFinite : public Error {
 public:
  NotFinite(const std::string& what, std::string hint) : Error(ErrorCode::input, what, std::move(hint)) {}
};

using Networks = std::span<const std::shared_ptr<nn::Network>>;

class Trainer {
 public:
  // Reads optimiser, frozen blocks, precision, accumulation, clipping, label smoothing and seed from `recipe`. `graph`
  // must be lowered with the recipe's classes and resolution. `class_weights`: factors of the loss of an image by its
  // class, with the mean 1 over the images; empty: all are 1. Throws Error(environment) if the device does not support
  // the precision, Error(input) if model.freeze is not a block of the network.
  Trainer(graph::Graph graph, std::shared_ptr<nn::ParameterStore> store, const Recipe& recipe, torch::Device device,
          Group& group, std::vector<float> class_weights = {});
  ~Trainer();

  // Forward, backward and update with learning rate `lr`. `batch` is this rank's part of the global batch; the number
  // of images may differ between ranks, and gradients are weighted accordingly.
  //
  // The batch is processed in recipe.train.accumulate micro-batches. If memory runs out, their number is doubled and
  // the step is repeated; later steps keep that number. The result equals that of a run with this larger
  // train.accumulate: batch norm uses the statistics of the smaller micro-batches. Throws Error(environment) if memory
  // runs out and the step cannot be repeated: with several ranks, because the other ranks do not repeat it, and with
  // micro-batches of one image.
  //
  // Throws NotFinite for a loss or gradient that is not finite, and Error(input) for a label out of range. After any of
  // these exceptions, only the number of micro-batches and, in fp16, the loss scale may have changed.
  //
  // With several ranks and without sync_bn, each rank normalises by its own images. After each step the moving
  // statistics are averaged over the ranks, so that all ranks have the same state after every step.
  //
  // `networks`: networks that read the tensors of weights(), or slices of them, such as the children of a supernet. The
  // loss is the mean of their losses. A tensor that none of them reads does not change. They need a group of one
  // process. Empty: the network of `graph`.
  StepResult step(const data::Batch& batch, double lr, Networks networks = {});

  // Returns the logits of an evaluation batch: (n, classes), float32 on the CPU. `averaged`: computes them with the
  // moving average of the weights, if there is one. Always computed in float32, so that the logits equal those of the
  // model file.
  torch::Tensor evaluate(const data::Batch& batch, bool averaged);

  // For tests: sets a function that is called before each micro-batch with its number of images. An exception from it
  // is handled like an exception from the forward pass, so that tests can simulate out-of-memory errors.
  void on_micro_batch(std::function<void(std::int64_t images)> hook);

  std::int64_t steps() const;
  bool has_average() const;
  std::string isa() const;                            // of the network: nn::Network::isa()
  const nn::NetworkOptions& network_options() const;  // for the networks that a caller makes for step()
  std::shared_ptr<nn::ParameterStore> weights() const;
  tensor::Weights averaged_weights() const;  // float32 on the CPU; without EMA: the current weights

  // Everything that step() changes, by name. state(): tensors that share the trainer's memory, to read or to write:
  // "model/<parameter>", "ema/<parameter>", "optimizer/<slot>/<parameter>". scalars(): the numbers "steps", "parts"
  // (micro-batches per step), "loss_scale" and "good_steps".
  std::vector<std::pair<std::string, torch::Tensor>> state();
  std::vector<std::pair<std::string, double>> scalars() const;
  void set_scalar(const std::string& name, double value);  // Error(input) for an unknown name or an invalid value

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::train

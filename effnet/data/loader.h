// Loaders make batches of network inputs ahead of time on their own threads. A loader is used by one thread. A batch is
// a function of (seed, epoch, batch number) alone: it does not depend on the number of threads or on where a run was
// resumed. The batches of all ranks together are the global batch, for any number of ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/data/dataset.h"
#include "effnet/vision/training_view.h"

namespace effnet::data {

// The order of the images in an epoch: a permutation of 0 .. n - 1 drawn from (seed, epoch), or 0 .. n - 1 in order
// without `shuffle`.
std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle);

struct Batch {
  std::uint64_t epoch = 0;
  std::int64_t number = 0;            // batch number within the epoch, from 0
  std::vector<std::int64_t> indices;  // of the images in the dataset; (seed, epoch, index) is the key of random numbers
  std::vector<float> images;          // (n, h, w, 3), normalised: the memory of a channels-last tensor
  std::vector<std::int64_t> labels;   // n
  // With mixup or CutMix, label `labels[i]` of image i has the weight `lambda[i]`, and `labels_b[i]` the rest.
  // Otherwise both are empty.
  std::vector<std::int64_t> labels_b;
  std::vector<float> lambda;
  std::int64_t n() const { return static_cast<std::int64_t>(labels.size()); }
};

struct LoaderOptions {
  // Size of the global batch. This rank has its rows [rank * batch / world, (rank + 1) * batch / world).
  std::int64_t batch = 32;
  std::int64_t rank = 0, world = 1;
  std::uint64_t seed = 0;
  bool shuffle = true;
  int workers = 1;         // threads; 0: batches are made in next()
  std::int64_t ahead = 4;  // number of batches made ahead of time
  double mixup = 0;        // alpha of the Beta distribution; 0: off
  double cutmix = 0;       // the same for CutMix; if both are on, each batch draws one of them
  // Fraction of the dataset's images that may be corrupt before Error(input). At least 3 images may be, unless it is 0.
  double broken_limit = 0.01;
};

struct CorruptImage {
  std::string name, why;
};

// The loader for training. It returns full batches only, floor(size / batch) per epoch; a dataset smaller than a batch
// is one batch. A corrupt image is replaced by the next good image of the dataset, index included, and is recorded
// once. Mixing is between neighbours: rows 2k and 2k + 1 of the global batch are mixed with each other, so the result
// does not depend on the number of ranks. An odd last row is not mixed.
class TrainingLoader {
 public:
  // Throws Error(usage) for a batch or a dataset smaller than `world`, and for options out of range.
  TrainingLoader(std::shared_ptr<const Dataset> set, const vision::TrainingView& view, LoaderOptions options);
  ~TrainingLoader();

  std::int64_t batches_per_epoch() const;
  // Continues at this batch. Batches made ahead are dropped.
  void seek(std::uint64_t epoch, std::int64_t batch);
  // Returns the next batch; after the last one of an epoch the first one of the next epoch. Throws what a worker threw,
  // and throws it again until seek() is called.
  Batch next();
  std::vector<CorruptImage> broken() const;  // the corrupt images of this rank's returned batches, sorted by name

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The loader for evaluation. Every image is in exactly one batch of one rank: rank r has the indices r, r + world, ...
// in order. A batch has max(batch / world, 1) images, the last one fewer. Corrupt images are left out and recorded.
class EvaluationLoader {
 public:
  EvaluationLoader(std::shared_ptr<const Dataset> set, Preprocessing rule, LoaderOptions options);
  ~EvaluationLoader();
  std::optional<Batch> next();  // nothing after the last batch
  std::vector<CorruptImage> broken() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data

// Loaders make batches of network inputs ahead of time on their own threads. Only one thread may call a loader. For one
// dataset and one set of options, a training batch depends only on (seed, epoch, batch number): it does not depend on
// the number of threads or on where a run was resumed. The batches of all ranks, joined in the order of the ranks, are
// the global batch, which is the same for every number of ranks.
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

// Returns the order of the images in an epoch: with `shuffle` a permutation of 0 .. n - 1 that is drawn from (seed,
// epoch), otherwise 0 .. n - 1 in order.
std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle);

struct Batch {
  std::uint64_t epoch = 0;
  std::int64_t number = 0;  // batch number within the epoch, from 0
  // Indices of the images in the dataset. (seed, epoch, index) is the key of all random numbers for an image.
  std::vector<std::int64_t> indices;
  std::vector<float> images;         // (n, h, w, 3), normalised: the memory of a channels-last tensor
  std::vector<std::int64_t> labels;  // n
  // With mixup or CutMix, image i has two labels: `labels[i]` with the weight `lambda[i]`, and `labels_b[i]` with the
  // weight 1 - `lambda[i]`. Without mixing, `labels_b` and `lambda` are empty.
  std::vector<std::int64_t> labels_b;
  std::vector<float> lambda;
  std::int64_t n() const { return static_cast<std::int64_t>(labels.size()); }
};

struct LoaderOptions {
  // Size of the global batch. This rank makes its rows [rank * batch / world, (rank + 1) * batch / world).
  std::int64_t batch = 32;
  std::int64_t rank = 0, world = 1;
  std::uint64_t seed = 0;
  bool shuffle = true;
  int workers = 1;         // number of threads; 0: next() makes the batches itself
  std::int64_t ahead = 4;  // number of batches made ahead of time
  double mixup = 0;        // alpha of the Beta distribution; 0: off
  double cutmix = 0;       // the same for CutMix; if both are on, each batch draws one of them
  // The largest fraction of the dataset's images that may be corrupt. With more corrupt images, next() throws
  // Error(input). Unless the limit is 0, 3 corrupt images are always allowed.
  double broken_limit = 0.01;
};

struct CorruptImage {
  std::string name, why;
};

// The loader for training. It returns full batches only, floor(size / batch) per epoch; if the dataset is smaller than
// a batch, the whole dataset is one batch. A corrupt image is replaced by the next good image of the dataset; the batch
// then has the index and label of the replacement. Each corrupt image is recorded once. Rows 2k and 2k + 1 of the
// global batch are mixed with each other, so the result does not depend on the number of ranks. If the number of rows
// is odd, the last row is not mixed.
class TrainingLoader {
 public:
  // Throws Error(usage) if the batch or the dataset is smaller than `world`, or if an option is out of range.
  TrainingLoader(std::shared_ptr<const Dataset> set, const vision::TrainingView& view, LoaderOptions options);
  ~TrainingLoader();

  std::int64_t batches_per_epoch() const;
  // The next call of next() returns this batch. Batches that were made ahead of time are dropped.
  void seek(std::uint64_t epoch, std::int64_t batch);
  // Returns the next batch. The last batch of an epoch is followed by the first batch of the next epoch. If a batch
  // cannot be made, throws the exception that occurred; further calls throw it again until seek() is called.
  Batch next();
  std::vector<CorruptImage> broken() const;  // the corrupt images of this rank's returned batches, sorted by name

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The loader for evaluation. Every image is in exactly one batch of one rank: rank r has the images with the indices r,
// r + world, ..., in this order. A batch has max(batch / world, 1) images; the last batch may have fewer. Corrupt
// images are left out and recorded.
class EvaluationLoader {
 public:
  EvaluationLoader(std::shared_ptr<const Dataset> set, Preprocessing rule, LoaderOptions options);
  ~EvaluationLoader();
  std::optional<Batch> next();  // empty after the last batch
  std::vector<CorruptImage> broken() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data

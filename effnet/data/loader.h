// Batches of inputs, made ahead of time on threads of their own. A loader is used by one thread. What a batch holds is
// a function of (seed, epoch, its number) alone: not of the threads, not of where a run was taken up again; and the
// ranks' batches are the parts of the global one, whatever their number.
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

// The order of an epoch: a permutation of 0 .. n - 1 drawn from (seed, epoch); without shuffle the identity.
std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle);

struct Batch {
  std::uint64_t epoch = 0;
  std::int64_t number = 0;            // in the epoch, from 0
  std::vector<std::int64_t> indices;  // in the data set: with seed and epoch the key of every sample's randomness
  std::vector<float> images;          // (n, h, w, 3), normalised: a channels-last tensor's memory
  std::vector<std::int64_t> labels;   // n
  // Mixup or cutmix: image i holds `lambda[i]` of its label and the rest of `labels_b[i]`. Empty without.
  std::vector<std::int64_t> labels_b;
  std::vector<float> lambda;
  std::int64_t n() const { return static_cast<std::int64_t>(labels.size()); }
};

struct LoaderOptions {
  // The global batch; this rank's part is rows [rank * batch / world, (rank + 1) * batch / world).
  std::int64_t batch = 32;
  std::int64_t rank = 0, world = 1;
  std::uint64_t seed = 0;
  bool shuffle = true;
  int workers = 1;         // threads; 0: make batches in next()
  std::int64_t ahead = 4;  // batches made before they are asked for
  double mixup = 0;        // alpha of the Beta distribution; 0: off
  double cutmix = 0;       // the same; with both on, each batch draws one of them
  double broken_limit =
      0.01;  // share of the set's images that may be broken before Error(input); at least 3 may unless it is 0
};

struct CorruptImage {
  std::string name, why;
};

// Training: whole batches only, floor(size / batch) an epoch; a set smaller than a batch is one batch. A broken image
// is replaced by the next good one of the set (its index too) and noted once. Mixing is by neighbours: rows 2k and 2k +
// 1 of the global batch are mixed with each other, so that it does not depend on how many ranks share the batch; an odd
// last row stays as it is.
class TrainingLoader {
 public:
  // Throws Error(usage) for a batch or a set smaller than world, and for options out of range.
  TrainingLoader(std::shared_ptr<const Dataset> set, const vision::TrainingView& view, LoaderOptions options);
  ~TrainingLoader();

  std::int64_t batches_an_epoch() const;
  // From this place on; whatever was made ahead is dropped.
  void seek(std::uint64_t epoch, std::int64_t batch);
  // The next batch; after the last one of an epoch the first one of the next. Throws what a worker threw, and then
  // again until seek().
  Batch next();
  std::vector<CorruptImage> broken() const;  // in the batches given out so far, by this rank, sorted by name

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Evaluation: every image once over all ranks (rank r has the indices r, r + world, ...), in order, batch / world at
// a time (at least one), the last batch short; broken images are left out and noted.
class EvaluationLoader {
 public:
  EvaluationLoader(std::shared_ptr<const Dataset> set, Preprocessing rule, LoaderOptions options);
  ~EvaluationLoader();
  std::optional<Batch> next();  // nothing after the last
  std::vector<CorruptImage> broken() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data

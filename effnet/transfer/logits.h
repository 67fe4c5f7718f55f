// The logits of a dataset's images, computed by the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/data/dataset.h"
#include "effnet/data/loader.h"
#include "effnet/model/model_handle.h"
#include "effnet/transfer/embed.h"

namespace effnet::transfer {

struct SetLogits {
  std::int64_t classes = 0;
  std::vector<std::int64_t> indices;  // into the dataset, ascending: the images that could be read
  std::vector<std::int64_t> labels;   // of these images
  std::vector<float> logits;          // indices.size() x classes
  std::vector<data::CorruptImage> corrupt;

  std::int64_t images() const { return static_cast<std::int64_t>(indices.size()); }
  std::int64_t predicted(std::int64_t row) const;  // the class with the largest logit; of equal ones the first
};

// Preprocesses the images as the model file says. The network runs one image at a time on all threads (embed.h gives
// the reason). Throws the errors of embed().
SetLogits classify(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool, const Done& progress = {});

}  // namespace effnet::transfer

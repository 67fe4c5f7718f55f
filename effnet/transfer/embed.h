// The embeddings of a dataset's images: for each image the input of the network's classifier (model/classifier.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/data/dataset.h"
#include "effnet/data/loader.h"
#include "effnet/model/model_handle.h"

namespace effnet::transfer {

struct Embeddings {
  std::int64_t width = 0;             // values of each image
  std::vector<std::int64_t> indices;  // into the dataset, ascending: the images that could be read
  std::vector<float> values;          // indices.size() x width
  std::vector<data::CorruptImage> corrupt;
  std::int64_t cached = 0;  // how many of the images came from the cache
  std::int64_t images() const { return static_cast<std::int64_t>(indices.size()); }
  std::span<const float> row(std::int64_t i) const {
    return std::span(values).subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
  }
};

// Feature maps of one reduction: the output of the last block at 1/2, 1/4, ... of the input size.
struct FeatureMaps {
  Chw shape;
  std::vector<float> values;  // images x C x H x W
};

// Receives the number of images that are done.
using Done = std::function<void(std::int64_t done, std::int64_t total)>;

struct EmbedOptions {
  std::optional<Preprocessing> preprocessing = {};  // overrides the model's preprocessing
  bool flip = false;                                // the mean of the embeddings of the image and its mirror image
  // Read and write EFFNET_HOME/features (feature_cache.h). Weights without an identity (ModelHandle::identity) are not
  // cached. The values are the same bits with and without the cache.
  bool cache = true;
  Done progress = {};
  model::Note note = {};  // receives a message if the cache cannot be written
};

// Computes the embeddings of all images with the engine. The network runs one image at a time on all threads, because
// the order of sums depends on the batch (docs/engine.md): so the embedding of an image does not depend on the other
// images. A batch of 16 would not be faster (Lite0, two cores: 12 ms per image in both cases). Images are read, decoded
// and resized in parallel. Corrupt images are left out and listed.
//
// Throws Error(usage) if the network does not end with a linear classifier, Error(input) if no image can be read or an
// output is not finite, Error(interrupted) after Ctrl-C; what was computed before is then in the cache.
Embeddings embed(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool,
                 const EmbedOptions& options = {});

// As embed(), without the cache, and also returns the maps of Graph::reductions, of the same run of the network. Throws
// Error(usage) if maps and embeddings would need more than kMaxMapsBytes.
inline constexpr std::int64_t kMaxMapsBytes = std::int64_t{4} << 30;
struct EmbeddingsWithMaps {
  Embeddings embeddings;
  std::vector<FeatureMaps> maps;  // in the order of Graph::reductions
};
EmbeddingsWithMaps embed_with_maps(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool,
                                   const EmbedOptions& options = {});

}  // namespace effnet::transfer

#include "effnet/transfer/embed.h"

#include <algorithm>
#include <optional>

#include "effnet/base/digest.h"
#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/engine/packed_weights.h"
#include "effnet/formats/find_model.h"
#include "effnet/kernels/isa.h"
#include "effnet/model/classifier.h"
#include "effnet/transfer/feature_cache.h"
#include "effnet/vision/decode.h"

namespace effnet::transfer {
namespace {

// To be raised when embeddings change for another reason than those in cache_key().
constexpr int kFeaturesVersion = 1;
// So many new embeddings are computed before they are stored.
constexpr std::size_t kStoredTogether = 256;

// Everything that an embedding depends on, except the image. Doubles are printed so that they read back to the same
// bits.
std::string cache_key(const model::ModelHandle& model, const Preprocessing& rule, bool flip) {
  std::string numbers;
  for (const double value : rule.mean) numbers += fmt::format(" {}", value);
  for (const double value : rule.std) numbers += fmt::format(" {}", value);
  const std::string arch = arch::print(model.arch());
  return fmt::format(
      "features {} effnet {} layout {} isa {} weights {}:{} arch {}:{} crop {}x{} resize {}x{} {} {} {} "
      "numbers{} flip {}",
      kFeaturesVersion, EFFNET_VERSION, engine::PackedWeights::kLayoutVersion, kernels::name(kernels::chosen_isa()),
      model.identity().size(), model.identity(), arch.size(), arch, rule.crop.h, rule.crop.w, rule.resize.h,
      rule.resize.w, name(rule.order), rule.fixed_margin, name(rule.filter), numbers, flip);
}

std::string content_digest(const data::ImageData& content) {
  Digest digest;
  if (const auto* image = std::get_if<vision::Image>(&content)) {
    digest.add(fmt::format("pixels {} {}", image->h, image->w));
    digest.add(std::as_bytes(std::span(image->rgb)));
  } else {
    digest.add("file");
    digest.add(std::get<std::vector<std::byte>>(content));
  }
  return digest.hex();
}

// Returns std::nullopt if the embeddings cannot be cached: no identity of the weights, or no home folder.
std::optional<FeatureCache> find_cache(const model::ModelHandle& model, const Preprocessing& rule,
                                       const EmbedOptions& options, std::int64_t width) {
  if (!options.cache || model.identity().empty()) return {};
  try {
    return FeatureCache(formats::home_folder() / "features", cache_key(model, rule, options.flip), width);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::environment) throw;
    return {};
  }
}

// An image of the dataset on its way through the network.
struct Loaded {
  std::string why;                     // why the image cannot be read; empty: it can
  std::string digest;                  // of its content; empty without a cache
  std::vector<vision::Sampled> views;  // the network's input, and the mirrored one; empty if `values` are known
  std::vector<float> values;           // from the cache
};

class Embedder {
 public:
  Embedder(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool, const EmbedOptions& options,
           bool maps)
      : set_(set),
        pool_(pool),
        options_(options),
        rule_(options.preprocessing.value_or(model.preprocessing())),
        classifier_(model, {.preprocessing = rule_}, pool) {
    const std::shared_ptr<const graph::Graph> graph = model.graph(rule_.crop);
    nodes_ = {model::embedding_node(*graph)};
    result_.embeddings.width = graph->at(nodes_[0]).out.c;
    if (maps) {
      for (const graph::NodeId node : graph->reductions) add_maps(*graph, node);
      check_memory();
    } else {
      cache_ = find_cache(model, rule_, options, result_.embeddings.width);
    }
  }

  EmbeddingsWithMaps run() {
    try {
      for (std::int64_t first = 0; first < set_.size(); first += group()) {
        check_interrupt();
        run_group(first, std::min(group(), set_.size() - first));
      }
    } catch (const Error&) {
      const DeferInterrupts defer;
      store();
      throw;
    }
    store();
    const Embeddings& all = result_.embeddings;
    if (all.images() == 0 && all.corrupt.size() == 1)
      throw input_error("{}: {}", all.corrupt.front().name, all.corrupt.front().why);
    if (all.images() == 0) {
      throw input_error("no image could be read (got {} corrupt images; first error: {})", all.corrupt.size(),
                        all.corrupt.empty() ? "the dataset is empty" : all.corrupt.front().why);
    }
    return std::move(result_);
  }

 private:
  void add_maps(const graph::Graph& graph, graph::NodeId node) {
    nodes_.push_back(node);
    result_.maps.push_back({graph.at(node).out, {}});
  }

  void check_memory() const {
    std::int64_t each = result_.embeddings.width;
    for (const FeatureMaps& map : result_.maps) each += map.shape.numel();
    const std::int64_t fitting = kMaxMapsBytes / (each * static_cast<std::int64_t>(sizeof(float)));
    if (set_.size() <= fitting) return;
    throw usage_error("the feature maps do not fit in memory (got {} images, expected at most {} images of {} values)",
                      set_.size(), fitting, each)
        .with_hint("give fewer images at once, or a smaller --resolution");
  }

  // The number of images that are decoded together: their inputs have at most 64 MB.
  std::int64_t group() const {
    const std::int64_t bytes = std::int64_t{3} * rule_.crop.h * rule_.crop.w * static_cast<std::int64_t>(sizeof(float));
    return std::clamp<std::int64_t>((std::int64_t{64} << 20) / bytes, 1, 64);
  }

  // Thread-safe.
  Loaded load(std::int64_t index) const {
    Loaded loaded;
    try {
      data::ImageData content = set_.read(index);
      if (cache_) {
        loaded.digest = content_digest(content);
        loaded.values.resize(static_cast<std::size_t>(result_.embeddings.width));
        if (cache_->find(loaded.digest, loaded.values)) return loaded;
        loaded.values.clear();
      }
      const vision::Image image = data::decoded(std::move(content));
      loaded.views.push_back(classifier_.view(image));
      constexpr int kMirrored = 2;  // the EXIF orientation that swaps left and right
      if (options_.flip) loaded.views.push_back(classifier_.view(vision::oriented(image, kMirrored)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw error.in(set_.name(index));
      loaded.why = error.what();
    }
    return loaded;
  }

  void run_group(std::int64_t first, std::int64_t count) {
    std::vector<Loaded> loaded(static_cast<std::size_t>(count));
    pool_.parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) loaded[static_cast<std::size_t>(i)] = load(first + i);
    });
    for (std::int64_t i = 0; i < count; ++i) {
      Loaded& one = loaded[static_cast<std::size_t>(i)];
      if (one.why.empty()) {
        add(first + i, one);
      } else {
        result_.embeddings.corrupt.push_back({set_.name(first + i), std::move(one.why)});
      }
      if (options_.progress) options_.progress(first + i + 1, set_.size());
    }
  }

  void add(std::int64_t index, Loaded& one) {
    Embeddings& all = result_.embeddings;
    if (one.values.empty()) {
      check_interrupt();
      compute(one);
      if (cache_) new_.push_back(all.images());
    } else {
      ++all.cached;
    }
    all.indices.push_back(index);
    all.values.insert(all.values.end(), one.values.begin(), one.values.end());
    if (cache_) digests_.push_back(std::move(one.digest));
    if (new_.size() >= kStoredTogether) store();
  }

  // Sets the embedding and appends the maps.
  void compute(Loaded& one) {
    std::vector<std::vector<float>> outputs = classifier_.outputs(std::span(one.views).first(1), nodes_);
    if (options_.flip) {
      const std::vector<std::vector<float>> mirrored = classifier_.outputs(std::span(one.views).subspan(1), nodes_);
      for (std::size_t i = 0; i < outputs[0].size(); ++i) outputs[0][i] = (outputs[0][i] + mirrored[0][i]) / 2;
    }
    one.values = std::move(outputs[0]);
    for (std::size_t i = 1; i < outputs.size(); ++i) {
      std::vector<float>& values = result_.maps[i - 1].values;
      values.insert(values.end(), outputs[i].begin(), outputs[i].end());
    }
    one.views.clear();
  }

  // Stores the new embeddings. If that fails, the cache is not used any more.
  void store() {
    if (!cache_ || new_.empty()) return;
    std::vector<FeatureCache::Entry> entries;
    for (const std::int64_t row : new_)
      entries.push_back({digests_[static_cast<std::size_t>(row)], result_.embeddings.row(row)});
    new_.clear();
    std::string why;
    if (cache_->store(entries, why)) return;
    if (options_.note) options_.note(fmt::format("the embeddings were not cached: {}", why));
    cache_.reset();
  }

  const data::Dataset& set_;
  ThreadPool& pool_;
  const EmbedOptions& options_;
  Preprocessing rule_;
  model::Classifier classifier_;
  std::vector<graph::NodeId> nodes_;  // the embedding, then the maps
  std::optional<FeatureCache> cache_;
  EmbeddingsWithMaps result_;
  std::vector<std::string> digests_;  // of the rows of the result; empty without a cache
  std::vector<std::int64_t> new_;     // rows that are not stored yet
};

}  // namespace

Embeddings embed(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool, const EmbedOptions& options) {
  return Embedder(set, model, pool, options, false).run().embeddings;
}

EmbeddingsWithMaps embed_with_maps(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool,
                                   const EmbedOptions& options) {
  return Embedder(set, model, pool, options, true).run();
}

}  // namespace effnet::transfer

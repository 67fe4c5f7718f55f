#include "effnet/model/model_handle.h"

#include <malloc.h>

#include "effnet/base/error.h"
#include "effnet/engine/file_identity.h"
#include "effnet/engine/random_weights.h"
#include "effnet/engine/weights_cache.h"
#include "effnet/formats/find_model.h"
#include "effnet/formats/labels.h"
#include "effnet/graph/lower.h"

namespace effnet::model {
namespace {

// Returns std::nullopt if there is no home folder; packed weights are then not cached.
std::optional<engine::WeightsCache> find_cache() {
  try {
    return engine::WeightsCache(formats::home_folder() / "packed");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::environment) throw;
    return {};
  }
}

}  // namespace

ModelHandle::ModelHandle(const std::string& model, const HandleOptions& options, ThreadPool& pool)
    : pool_(pool), note_(options.note) {
  using formats::Pulled;
  formats::FoundModel found = formats::find_model(model, options.random ? Pulled::ignore : Pulled::find);
  family_name_ = found.name;
  if (!options.random && found.weights != formats::WeightsFrom::random) {
    file_ = std::move(found.file);
    pulled_ = found.weights == formats::WeightsFrom::pulled;
    identity_ = engine::read_identified(file_, [this] { model_ = formats::read_model(file_); });
    return;
  }
  formats::ModelDescription network = formats::describe(found);
  seed_ = options.seed;
  identity_ = fmt::format("random {} seed {}", engine::kRandomWeightsVersion, options.seed);
  model_.arch = std::move(network.arch);
  model_.preprocessing = network.preprocessing;
  if (model_.arch.classes == static_cast<std::int64_t>(formats::imagenet1k().labels.size())) {
    model_.labels = formats::imagenet1k().labels;
    model_.class_ids = formats::imagenet1k().class_ids;
  }
}

ModelHandle::ModelHandle(formats::Model model, ThreadPool& pool) : pool_(pool), model_(std::move(model)) {}

std::string ModelHandle::label(std::size_t class_index) const {
  const std::vector<std::string>& labels = model_.labels;
  return class_index < labels.size() ? labels[class_index] : fmt::format("class {}", class_index);
}

std::shared_ptr<const graph::Graph> ModelHandle::graph(std::optional<Size> size) {
  const Size wanted = size.value_or(Size{arch().resolution, arch().resolution});
  if (!graph_ || Size{graph_->input().h, graph_->input().w} != wanted)
    graph_ = std::make_shared<graph::Graph>(graph::lower(arch(), {.resolution = wanted}));
  return graph_;
}

const formats::Model& ModelHandle::load_weights() {
  if (!model_.weights.tensors.empty()) return model_;
  if (!file_.empty()) {
    // Throws if the file has changed, because the weights must belong to the architecture that was read first.
    formats::Model again;
    engine::read_identified(
        file_, [&] { again = formats::read_model(file_); }, identity_);
    model_.weights = std::move(again.weights);
  } else if (seed_) {
    model_.weights = engine::random_weights(model_.arch, model_.arch.classes, *seed_, pool_);
  }
  return model_;
}

void ModelHandle::release_weights() {
  if (file_.empty() && !seed_) return;  // cannot be loaded again
  model_.weights = {};
  ::malloc_trim(0);
}

std::shared_ptr<const engine::PackedWeights> ModelHandle::packed(kernels::Isa isa) {
  const std::shared_ptr<const graph::Graph> network = graph();
  const engine::CacheKey key{arch::print(arch()), identity_, {isa}};
  const std::optional<engine::WeightsCache> cache = identity_.empty() ? std::nullopt : find_cache();
  if (cache) {
    if (auto found = cache->find(*network, key)) return found;
  }
  if (note_) note_(fmt::format("packing the weights of {}", arch().name));
  auto packed = engine::PackedWeights::pack(*network, engine::Parameters(load_weights().weights), {isa}, pool_);
  release_weights();
  std::string why;
  if (cache && !cache->store(*packed, key, why) && note_)
    note_(fmt::format("the packed weights were not cached: {}", why));
  return packed;
}

std::string_view ModelHandle::weights_from() const {
  using formats::WeightsFrom;
  return formats::name(seed_ ? WeightsFrom::random : pulled_ ? WeightsFrom::pulled : WeightsFrom::file);
}

std::string ModelHandle::warning() const {
  if (!seed_) return {};
  return fmt::format("{} has random weights (seed {}): its predictions are meaningless", arch().name, *seed_);
}

}  // namespace effnet::model

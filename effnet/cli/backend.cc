#include "effnet/cli/backend.h"

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/engine/weights_cache.h"
#include "effnet/graph/lower.h"

namespace effnet::cli {
namespace {

class EngineBackend : public Backend {
 public:
  EngineBackend(LoadedModel& model, ThreadPool& pool)
      : model_(model), threads_(pool.threads()), weights_(packed_weights(model, kernels::chosen_isa(), pool)) {}

  std::vector<float> logits(std::span<const float> input, Size size, std::int64_t batch) override {
    prepare(size, batch, false);
    return run(input);
  }

  Answer answer_with_features(std::span<const float> input, Size size) override {
    prepare(size, 1, true);
    std::vector<float> logits = run(input);
    return {std::move(logits), session_->output(graph_.features), graph_.at(graph_.features).out};
  }

 private:
  void prepare(Size size, std::int64_t batch, bool features) {
    if (session_ && size == size_ && batch == session_->batch() && features == features_) return;
    session_.reset();
    graph_ = graph::lower(model_.arch(), {.resolution = size});
    options_ = {.batch = batch, .threads = threads_};
    if (features) {
      engine::cam_head(graph_);  // says so if there is none
      options_.keep = {graph_.features};
    }
    session_.emplace(graph_, weights_, options_);
    size_ = size;
    features_ = features;
  }

  void settle() {
    session_.reset();
    weights_ = weights_->in_huge_pages();
    session_.emplace(graph_, weights_, options_);
  }

  // What has run this often will run on: 5 ms for 20 MB of weights, and 3 % less time from then on.
  static constexpr int kRunsToSettle = 16;

  std::vector<float> run(std::span<const float> input) {
    if (++runs_ == kRunsToSettle) settle();
    std::vector<float> logits(static_cast<std::size_t>(session_->batch() * session_->classes()));
    session_->run(input, logits);
    return logits;
  }

  LoadedModel& model_;
  int threads_;
  std::shared_ptr<const engine::PackedWeights> weights_;
  graph::Graph graph_;
  engine::SessionOptions options_;
  std::optional<engine::Session> session_;
  Size size_;
  bool features_ = false;
  int runs_ = 0;
};

class ReferenceBackend : public Backend {
 public:
  ReferenceBackend(LoadedModel& model, ThreadPool& pool)
      : model_(model), pool_(pool), parameters_(model.whole().weights) {}

  std::vector<float> logits(std::span<const float> input, Size size, std::int64_t batch) override {
    prepare(size);
    return network_->run(input, batch);
  }

  Answer answer_with_features(std::span<const float> input, Size size) override {
    prepare(size);
    const graph::Node& features = *engine::cam_head(graph_).features;
    engine::Reference::Tapped tapped = network_->run(input, 1, std::vector{features.name});
    return {std::move(tapped.logits), std::move(tapped.activations.at(features.name)), features.out};
  }

 private:
  void prepare(Size size) {
    if (network_ && size == size_) return;
    network_.reset();
    graph_ = graph::lower(model_.arch(), {.resolution = size});
    network_.emplace(graph_, parameters_, pool_);
    size_ = size;
  }

  LoadedModel& model_;
  ThreadPool& pool_;
  engine::Parameters parameters_;
  graph::Graph graph_;
  std::optional<engine::Reference> network_;
  Size size_;
};

}  // namespace

std::unique_ptr<Backend> engine_backend(LoadedModel& model, ThreadPool& pool) {
  return std::make_unique<EngineBackend>(model, pool);
}

std::unique_ptr<Backend> reference_backend(LoadedModel& model, ThreadPool& pool) {
  return std::make_unique<ReferenceBackend>(model, pool);
}

void check_backend_name(const std::string& name) {
  if (name != "engine" && name != "reference")
    throw usage_error("--backend: unknown backend (got {}, expected engine or reference)", in_quotes(name));
}

std::unique_ptr<Backend> make_backend(const std::string& name, LoadedModel& model, ThreadPool& pool) {
  check_backend_name(name);
  return name == "engine" ? engine_backend(model, pool) : reference_backend(model, pool);
}

void check_precision(const std::string& precision) {
  if (precision == "fp32") return;
  if (precision == "bf16" || precision == "int8")
    throw environment_error("--precision {} is not built yet (expected fp32)", precision);
  throw usage_error("--precision: unknown precision (got {}, expected fp32, bf16 or int8)", in_quotes(precision));
}

std::shared_ptr<const engine::PackedWeights> packed_weights(LoadedModel& model, kernels::Isa isa, ThreadPool& pool) {
  const graph::Graph graph = graph::lower(model.arch());
  const engine::CacheKey key{arch::print(model.arch()), model.identity(), isa};
  std::optional<engine::WeightsCache> cache;
  if (!key.weights.empty()) {
    try {
      cache.emplace(home_folder() / "packed");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::environment) throw;  // no home: nothing is kept
    }
  }
  if (cache) {
    if (auto found = cache->find(graph, key)) return found;
  }
  model.out().note(fmt::format("packing the weights of {}", model.arch().name));
  auto packed = engine::PackedWeights::pack(graph, engine::Parameters(model.whole().weights), isa, pool);
  model.forget_weights();
  std::string why;
  if (cache && !cache->store(*packed, key, why)) model.out().note(fmt::format("packed weights are not kept: {}", why));
  return packed;
}

}  // namespace effnet::cli

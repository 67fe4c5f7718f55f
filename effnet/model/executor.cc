#include "effnet/model/executor.h"

#include <array>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/vision/preprocess.h"

namespace effnet::model {
namespace {

class EngineExecutor : public Executor {
 public:
  EngineExecutor(ModelHandle& model, ThreadPool& pool)
      : model_(model), threads_(pool.threads()), weights_(model.packed(kernels::chosen_isa())) {}

  std::vector<float> logits(const Input& input) override {
    prepare(input.size, input.batch, {});
    return run(input);
  }

  Features features(const Input& input) override {
    const std::shared_ptr<const graph::Graph> graph = model_.graph(input.size);
    engine::cam_head(*graph);  // throws if the head does not support maps
    prepare(input.size, 1, {graph->features});
    std::vector<float> logits = run(input);
    return {std::move(logits), graph->at(graph->features).out, session_->output(graph->features)};
  }

  std::vector<std::vector<float>> outputs(const Input& input, const std::vector<graph::NodeId>& nodes) override {
    prepare(input.size, input.batch, nodes);
    run(input);
    std::vector<std::vector<float>> kept;
    kept.reserve(nodes.size());
    for (const graph::NodeId node : nodes) kept.push_back(session_->output(node));
    return kept;
  }

 private:
  void prepare(Size size, std::int64_t batch, const std::vector<graph::NodeId>& keep) {
    if (session_ && size == size_ && batch == options_.batch && keep == options_.keep) return;
    session_.reset();
    graph_ = model_.graph(size);
    options_ = {.batch = batch, .threads = threads_, .keep = keep};
    session_.emplace(*graph_, weights_, options_);
    size_ = size;
  }

  // An executor that has run 16 times will probably run many more times, so it copies the weights to huge pages. The
  // copy takes 5 ms for 20 MB of weights; each run is then 3 % faster.
  static constexpr int kRunsBeforeCopy = 16;
  void copy_to_huge_pages() {
    session_.reset();
    weights_ = weights_->in_huge_pages();
    session_.emplace(*graph_, weights_, options_);
  }

  std::vector<float> run(const Input& input) {
    if (++runs_ == kRunsBeforeCopy) copy_to_huge_pages();
    std::vector<float> logits(static_cast<std::size_t>(session_->batch() * session_->classes()));
    if (input.values.empty()) {
      session_->run(input.rgb, input.normalisation, logits);
    } else {
      session_->run(input.values, logits);
    }
    return logits;
  }

  ModelHandle& model_;
  int threads_;
  std::shared_ptr<const engine::PackedWeights> weights_;
  std::shared_ptr<const graph::Graph> graph_;
  engine::SessionOptions options_;
  std::optional<engine::Session> session_;
  Size size_;
  int runs_ = 0;
};

class ReferenceExecutor : public Executor {
 public:
  ReferenceExecutor(ModelHandle& model, ThreadPool& pool)
      : model_(model), pool_(pool), parameters_(model.load_weights().weights) {}

  std::vector<float> logits(const Input& input) override {
    prepare(input.size);
    return network_->run(values(input), input.batch);
  }

  Features features(const Input& input) override {
    prepare(input.size);
    const graph::Node& node = *engine::cam_head(*graph_).features;
    engine::Reference::Tapped tapped = network_->run(values(input), 1, std::vector{node.name});
    return {std::move(tapped.logits), node.out, std::move(tapped.activations.at(node.name))};
  }

  std::vector<std::vector<float>> outputs(const Input& input, const std::vector<graph::NodeId>& nodes) override {
    prepare(input.size);
    std::vector<std::string> names;
    names.reserve(nodes.size());
    for (const graph::NodeId node : nodes) names.push_back(graph_->at(node).name);
    const engine::Reference::Tapped tapped = network_->run(values(input), input.batch, names);
    std::vector<std::vector<float>> kept;
    kept.reserve(nodes.size());
    for (const std::string& name : names) kept.push_back(tapped.activations.at(name));
    return kept;
  }

 private:
  void prepare(Size size) {
    if (network_ && size == size_) return;
    network_.reset();
    graph_ = model_.graph(size);
    network_.emplace(*graph_, parameters_, pool_);
    size_ = size;
  }

  std::span<const float> values(const Input& input) {
    if (!input.values.empty()) return input.values;
    const auto& [mean, std] = input.normalisation;
    values_.clear();
    const auto bytes = static_cast<std::ptrdiff_t>(3 * input.size.h * input.size.w);
    for (auto from = input.rgb.begin(); from != input.rgb.end(); from += bytes) {
      const std::vector<float> one = vision::normalise(vision::Image{input.size.h, input.size.w, {from, from + bytes}},
                                                       std::to_array(mean), std::to_array(std));
      values_.insert(values_.end(), one.begin(), one.end());
    }
    return values_;
  }

  ModelHandle& model_;
  ThreadPool& pool_;
  engine::Parameters parameters_;
  std::shared_ptr<const graph::Graph> graph_;
  std::optional<engine::Reference> network_;
  std::vector<float> values_;
  Size size_;
};

struct Kind {
  std::string_view name;
  std::unique_ptr<Executor> (*make)(ModelHandle& model, ThreadPool& pool);
};
template <class T>
std::unique_ptr<Executor> make(ModelHandle& model, ThreadPool& pool) {
  return std::make_unique<T>(model, pool);
}
constexpr std::array kKinds{Kind{"engine", make<EngineExecutor>}, Kind{"reference", make<ReferenceExecutor>}};

}  // namespace

std::vector<std::string> executor_names() {
  std::vector<std::string> names;
  names.reserve(kKinds.size());
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

std::unique_ptr<Executor> make_executor(std::string_view name, ModelHandle& model, ThreadPool& pool) {
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return kind.make(model, pool);
  }
  throw usage_error("unknown executor (got {}, expected {})", in_quotes(name), one_of(executor_names()));
}

}  // namespace effnet::model

#include "effnet/cli/compare.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/engine/classify.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/model/measure.h"
#include "effnet/report/table.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"
#include "effnet/vision/preprocess.h"

namespace effnet::cli {
namespace {

// Runs the network on one backend and passes the outputs of nodes to a visitor.
class Trace {
 public:
  using Visitor = std::function<void(graph::NodeId node, std::span<const float> values)>;
  virtual ~Trace() = default;
  virtual std::vector<graph::NodeId> visited() const = 0;  // nodes that the visitor gets, ascending
  virtual std::vector<float> run(std::span<const float> input, const Visitor& visit) = 0;
};

// Visits the outputs of the engine's steps. Logits come from the default plan. Layer outputs come from a second plan
// that stores the output of every step, so operations of different steps are not fused.
class EngineTrace : public Trace {
 public:
  EngineTrace(const graph::Graph& graph, const std::shared_ptr<const engine::PackedWeights>& weights, int threads)
      : plain_(graph, weights, {.batch = 1, .threads = threads}) {
    std::map<std::string_view, graph::NodeId> ids;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      ids.emplace(graph.nodes[i].name, static_cast<graph::NodeId>(i));
    for (const engine::StepInfo& step : plain_.steps()) {
      const auto found = ids.find(step.name);
      if (found != ids.end() && found->second != 0 && found->second != graph.logits) visited_.push_back(found->second);
    }
    std::sort(visited_.begin(), visited_.end());
    visited_.erase(std::unique(visited_.begin(), visited_.end()), visited_.end());
    detailed_.emplace(graph, weights, engine::SessionOptions{.batch = 1, .threads = threads, .keep = visited_});
  }

  std::vector<graph::NodeId> visited() const override { return visited_; }

  std::vector<float> run(std::span<const float> input, const Visitor& visit) override {
    std::vector<float> logits(static_cast<std::size_t>(plain_.classes()));
    detailed_->run(input, logits);
    for (const graph::NodeId node : visited_) visit(node, detailed_->output(node));
    plain_.run(input, logits);
    return logits;
  }

 private:
  engine::Session plain_;
  std::optional<engine::Session> detailed_;
  std::vector<graph::NodeId> visited_;
};

class ReferenceTrace : public Trace {
 public:
  ReferenceTrace(const graph::Graph& graph, const tensor::Weights& weights, bool in_double, ThreadPool& pool)
      : graph_(graph), parameters_(weights), network_(graph, parameters_, pool, {.double_accumulation = in_double}) {}

  std::vector<graph::NodeId> visited() const override {
    std::vector<graph::NodeId> all;
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
      if (static_cast<graph::NodeId>(i) != graph_.logits) all.push_back(static_cast<graph::NodeId>(i));
    }
    return all;
  }

  std::vector<float> run(std::span<const float> input, const Visitor& visit) override {
    return network_.run(input, 1, [&](const graph::Node& node, std::span<const float> values) {
      visit(static_cast<graph::NodeId>(&node - graph_.nodes.data()), values);
    });
  }

 private:
  const graph::Graph& graph_;
  engine::Parameters parameters_;
  engine::Reference network_;
};

bool is_reference(const std::string& name) { return name == "reference" || name == "reference_double"; }

std::vector<std::string> parse_backends(const std::string& text) {
  std::vector<std::string> names = split_list(text);
  if (names.size() != 2)
    throw usage_error("--backends: wrong number of backends (got {}, expected two: A,B)", names.size());
  for (const std::string& name : names) {
    if (is_reference(name) || name == "engine" || name.starts_with("engine:")) continue;
    throw usage_error(
        "--backends: unknown backend (got {}, expected engine, engine:NAME of an instruction set, reference or "
        "reference_double)",
        in_quotes(name));
  }
  return names;
}

std::unique_ptr<Trace> make_trace(const std::string& name, const graph::Graph& graph, model::ModelHandle& model,
                                  ThreadPool& pool) {
  if (is_reference(name))
    return std::make_unique<ReferenceTrace>(graph, model.load_weights().weights, name == "reference_double", pool);
  const std::size_t colon = name.find(':');
  const kernels::Isa isa = kernels::isa_of(colon == std::string::npos ? "" : name.substr(colon + 1));
  return std::make_unique<EngineTrace>(graph, model.packed(isa), pool.threads());
}

// Fills in layers, logits and top1_agree.
void compare(const graph::Graph& graph, std::span<const float> input, Trace& a, Trace& b, CompareResult& result) {
  std::vector<graph::NodeId> both;
  std::ranges::set_intersection(a.visited(), b.visited(), std::back_inserter(both));
  std::map<graph::NodeId, std::vector<float>> kept;
  const auto wanted = [&](graph::NodeId node) { return std::binary_search(both.begin(), both.end(), node); };
  const std::vector<float> logits_a = a.run(input, [&](graph::NodeId node, std::span<const float> values) {
    if (wanted(node)) kept[node].assign(values.begin(), values.end());
  });
  const std::vector<float> logits_b = b.run(input, [&](graph::NodeId node, std::span<const float> values) {
    if (!wanted(node)) return;
    result.layers.push_back({graph.at(node).name, model::difference(kept.at(node), values)});
    kept.erase(node);
  });
  result.logits = model::difference(logits_a, logits_b);
  result.top1_agree = engine::top_k(logits_a, 1).front().index == engine::top_k(logits_b, 1).front().index;
}

Json difference_json(const model::Difference& difference) {
  return {{"max_abs", difference.max_abs}, {"max_rel", difference.max_rel}};
}

}  // namespace

void declare_options(CLI::App& command, CompareOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command
      .add_option(
          "--backends", options.backends,
          "Compare these two: engine, engine:NAME (an instruction set), reference, reference_double (sums in double)")
      ->type_name("A,B")
      ->required();
  command.add_option("--image", options.image, "Use this image: " + vision::image_formats() + " [a synthetic image]")
      ->type_name("FILE");
  command.add_option("--resolution", options.resolution, "Use this input size: pixels, or HxW [the model's]")
      ->type_name("R");
  options.load.declare(command);
}

CompareResult run_compare(const CompareOptions& o, const Globals& globals, Output& out) {
  CompareResult result;
  result.backends = parse_backends(o.backends);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  result.model = model.arch().name;
  result.weights = model.weights_from();
  Size size{model.arch().resolution, model.arch().resolution};
  if (!o.resolution.empty()) size = parse_resolution(o.resolution);
  const std::shared_ptr<const graph::Graph> graph = model.graph(size);
  const std::vector<float> input =
      o.image.empty() ? model::photo_like(graph->input(), 1, pool)
                      : vision::prepare(vision::read_image(o.image), model.preprocessing().at(size)).input;
  // Traces of reference backends are made first: they load the weights into `model`, and packing for the engine then
  // need not load them again.
  std::array<std::unique_ptr<Trace>, 2> traces;
  for (const bool reference : {true, false}) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (is_reference(result.backends[i]) == reference)
        traces[i] = make_trace(result.backends[i], *graph, model, pool);
    }
  }
  compare(*graph, input, *traces[0], *traces[1], result);
  return result;
}

Json to_json(const CompareResult& result) {
  Json layers = Json::array();
  for (const auto& [name, difference] : result.layers)
    layers.push_back({{"name", name}, {"max_abs", difference.max_abs}, {"max_rel", difference.max_rel}});
  const CompareResult::Layer* first = result.first_departure();
  return {{"model", result.model},
          {"weights", result.weights},
          {"backends", result.backends},
          {"layers", std::move(layers)},
          {"logits", difference_json(result.logits)},
          {"top1_agree", result.top1_agree},
          {"first_departure", first != nullptr ? Json(first->name) : Json()}};
}

std::string to_text(const CompareResult& result) {
  report::Table table({{"layer", report::Align::left}, {"max |a-b|"}, {"/ max |b|"}});
  for (const auto& [name, difference] : result.layers)
    table.row({name, fmt::format("{:.2e}", difference.max_abs), fmt::format("{:.2e}", difference.max_rel)});
  const CompareResult::Layer* first = result.first_departure();
  return fmt::format(
      "{}: {} and {}\n\n{}\nlogits: largest difference {:.2e} ({:.2e} of the largest logit); top-1 {}\n{}\n",
      result.model, result.backends[0], result.backends[1], table.text(), result.logits.max_abs, result.logits.max_rel,
      result.top1_agree ? "agrees" : "differs",
      first != nullptr ? fmt::format("the first layer with a relative difference above {:g}: {}",
                                     CompareResult::kMaxDifference, first->name)
                       : fmt::format("no layer has a relative difference above {:g}", CompareResult::kMaxDifference));
}

Body declare_compare(CLI::App& command, const Globals& globals) { return bind(command, globals, run_compare); }

}  // namespace effnet::cli

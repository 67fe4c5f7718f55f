#include "effnet/nn/network.h"

#include <algorithm>
#include <map>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/nn/layout.h"
#include "effnet/nn/resources.h"
#include "effnet/nn/step.h"

namespace effnet::nn {
namespace {

// One level of the dotted names. torch does not allow a dot in a name, so "stem.conv.weight" is registered as the
// parameter "weight" of the module "conv" of the module "stem". named_parameters() then returns effnet's names.
class Scope : public torch::nn::Module {
 public:
  // Registers `tensor` under a dotted name and creates the modules in between if they do not exist.
  void add(std::string_view name, const torch::Tensor& tensor, bool statistic) {
    const std::size_t dot = name.find('.');
    const std::string head(name.substr(0, dot));
    if (dot == std::string_view::npos) {
      // register_parameter() would set requires_grad, which is allowed for leaf tensors only; a slice is not a leaf.
      statistic ? static_cast<void>(register_buffer(head, tensor))
                : static_cast<void>(parameters_.insert(head, tensor));
      return;
    }
    std::shared_ptr<Scope>& child = scopes_[head];
    if (!child) child = register_module(head, std::make_shared<Scope>());
    child->add(name.substr(dot + 1), tensor, statistic);
  }

 private:
  std::map<std::string, std::shared_ptr<Scope>> scopes_;
};

// Returns the parts of two dotted names that are the same at the beginning: "stages.2.1" for "stages.2.1.expand.conv"
// and "stages.2.1.add".
std::string common_scope(const std::string& a, const std::string& b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (end == a.end() && other == b.end()) return a;
  const std::string shared(a.begin(), end);
  const std::size_t dot = shared.rfind('.');
  return dot == std::string::npos ? shared : shared.substr(0, dot);
}

}  // namespace

struct Network::Impl {
  graph::Graph graph;
  std::shared_ptr<ParameterSource> source;  // the tensors may be slices of memory that the source owns
  std::vector<Step> steps;
  std::vector<std::vector<graph::NodeId>> released_after;  // for each step: the values that no later step reads
  std::size_t frozen_steps = 0;                            // the first steps, which run as in evaluation
};

Network::Network(graph::Graph graph, std::shared_ptr<ParameterSource> source, const NetworkOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->graph = std::move(graph);
  impl_->source = std::move(source);
  const graph::Graph& g = impl_->graph;

  std::map<std::string, torch::Tensor, std::less<>> bound;
  std::map<std::string, std::shared_ptr<Scope>> roots;
  for (const graph::Parameter& parameter : graph::parameters(g)) {
    const torch::Tensor tensor = impl_->source->at(parameter);
    if (!tensor.defined() || tensor.sizes().vec() != parameter.dims) {
      throw internal_error("the parameter source returned a wrong tensor for {} (got {}, expected {})", parameter.name,
                           tensor.defined() ? tensor::to_string(tensor.sizes().vec()) : "no tensor",
                           tensor::to_string(parameter.dims));
    }
    bound.emplace(parameter.name, tensor);
    const std::size_t dot = parameter.name.find('.');
    EFFNET_CHECK(dot != std::string::npos);  // "<node>.<role>"
    const std::string head = parameter.name.substr(0, dot);
    std::shared_ptr<Scope>& root = roots[head];
    if (!root) root = register_module(head, std::make_shared<Scope>());
    root->add(std::string_view(parameter.name).substr(dot + 1), tensor, parameter.statistic());
  }

  const Bind bind = [&](const std::string& name) { return bound.at(name); };
  const auto count = static_cast<graph::NodeId>(g.nodes.size());
  for (graph::NodeId id = 1; id < count;) {
    std::optional<Step> step = options.fused ? fused_step(g, id, bind, options) : std::nullopt;
    if (!step) step = plain_step(g, id, bind, options);
    EFFNET_CHECK(step->first == id && step->last >= id);
    id = step->last + 1;
    if (step->last < options.first_trained) ++impl_->frozen_steps;
    impl_->steps.push_back(std::move(*step));
  }

  // A value is released after the last step that reads it, or after the step that computes it if no step reads it. The
  // logits are kept.
  std::vector<std::size_t> last_reader(g.nodes.size(), 0);
  for (std::size_t s = 0; s < impl_->steps.size(); ++s) {
    last_reader[static_cast<std::size_t>(impl_->steps[s].last)] = s;
    for (const graph::NodeId input : impl_->steps[s].inputs) last_reader[static_cast<std::size_t>(input)] = s;
  }
  impl_->released_after.resize(impl_->steps.size());
  for (std::size_t id = 0; id < g.nodes.size(); ++id) {
    if (id != static_cast<std::size_t>(g.logits)) {
      impl_->released_after[last_reader[id]].push_back(static_cast<graph::NodeId>(id));
    }
  }
}

Network::~Network() = default;

torch::Tensor Network::forward(const torch::Tensor& images, const ForwardContext& pass) {
  const Chw& shape = impl_->graph.input();
  if (images.dim() != 4 || images.size(1) != shape.c || images.size(2) != shape.h || images.size(3) != shape.w) {
    throw usage_error("wrong image size for {} (got {}, expected a batch of {}x{}x{} images)", impl_->graph.name,
                      tensor::to_string(images.sizes().vec()), shape.c, shape.h, shape.w);
  }
  std::vector<torch::Tensor> values(impl_->graph.nodes.size());
  values[0] = images.contiguous(torch::MemoryFormat::ChannelsLast);
  std::vector<torch::Tensor> inputs;
  ForwardContext as_evaluated = pass;
  as_evaluated.training = false;
  for (std::size_t s = 0; s < impl_->steps.size(); ++s) {
    const bool frozen = s < impl_->frozen_steps;
    const torch::AutoGradMode gradients(!frozen && torch::GradMode::is_enabled());
    const Step& step = impl_->steps[s];
    for (const graph::NodeId input : step.inputs) {
      const torch::Tensor& value = values[static_cast<std::size_t>(input)];
      inputs.push_back(step.accepts_blocked ? value : to_channels_last(value, impl_->graph.at(input).out.c));
    }
    values[static_cast<std::size_t>(step.last)] = step.run(inputs, frozen ? as_evaluated : pass);
    inputs.clear();
    for (const graph::NodeId id : impl_->released_after[s]) values[static_cast<std::size_t>(id)].reset();
  }
  const graph::NodeId logits = impl_->graph.logits;
  return to_channels_last(values[static_cast<std::size_t>(logits)], impl_->graph.at(logits).out.c).flatten(1);
}

const graph::Graph& Network::graph() const { return impl_->graph; }

std::vector<std::string> Network::fused_patterns() const {
  std::vector<std::string> patterns;
  for (const Step& step : impl_->steps) {
    if (step.first == step.last) continue;
    const std::string scope = common_scope(impl_->graph.at(step.first).name, impl_->graph.at(step.last).name);
    patterns.push_back(fmt::format("{}: {}", scope, step.pattern));
  }
  return patterns;
}

std::string Network::isa() const {
  return fused_patterns().empty() ? "" : std::string(kernels::name(shared_kernels().base.target.isa));
}

}  // namespace effnet::nn

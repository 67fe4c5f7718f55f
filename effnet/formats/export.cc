#include "effnet/formats/export.h"

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/names.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

// Returns the scope with which a model's TensorFlow names begin: "efficientnet_b0" -> "efficientnet-b0".
std::string scope_of(const Model& model) {
  std::string scope = model.arch.name;
  std::replace(scope.begin(), scope.end(), '_', '-');
  return scope;
}

std::optional<NameMap> map_from(const Model& model, const graph::Graph& graph, std::string_view source) {
  for (const NameScheme& scheme : name_schemes()) {
    if (scheme.source != source) continue;
    if (auto map = map_names(scheme, graph, scope_of(model))) return map;
  }
  return std::nullopt;
}

tensor::Tensor counter() {
  auto zero = std::make_shared<const std::int64_t>(0);
  return {tensor::Dtype::i64, {}, std::as_bytes(std::span(zero.get(), 1)), zero};
}

std::string default_names(const Model& model, const graph::Graph& graph) {
  constexpr std::string_view kPyTorchSources[] = {"torchvision", "timm", "lukemelas"};
  const std::string& from = model.provenance.names;
  const bool pytorch =
      std::find(std::begin(kPyTorchSources), std::end(kPyTorchSources), from) != std::end(kPyTorchSources);
  if (pytorch && map_from(model, graph, from)) return from;
  return map_from(model, graph, "torchvision") ? "torchvision" : "effnet";
}

}  // namespace

std::string default_names(const Model& model) { return default_names(model, graph::lower(model.arch)); }

std::vector<std::pair<std::string, tensor::Tensor>> named_tensors(const Model& model, std::string_view names) {
  const graph::Graph graph = graph::lower(model.arch);
  const std::string source = names.empty() ? default_names(model, graph) : std::string(names);
  const std::optional<NameMap> map = map_from(model, graph, source);
  if (!map) {
    std::vector<std::string> possible;
    bool known = false;
    for (const NameScheme& scheme : name_schemes()) {
      known = known || scheme.source == source;
      const bool listed = std::find(possible.begin(), possible.end(), scheme.source) != possible.end();
      if (!listed && map_from(model, graph, scheme.source)) possible.emplace_back(scheme.source);
    }
    if (!known)
      throw usage_error("--names: unknown naming scheme (got {}, expected {})", in_quotes(source), one_of(possible));
    throw usage_error("{} has no network such as {} (got --names {}, expected {})", source, in_quotes(model.arch.name),
                      source, one_of(possible));
  }
  std::vector<std::pair<std::string, tensor::Tensor>> tensors;
  for (const ForeignName& name : map->tensors) {
    tensors.emplace_back(name.foreign, to_foreign(model.weights.at(name.ours), name));
  }
  for (const std::string& name : map->counters) tensors.emplace_back(name, counter());
  return tensors;
}

}  // namespace effnet::formats

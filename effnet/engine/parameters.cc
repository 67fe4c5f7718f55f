#include "effnet/engine/parameters.h"

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::engine {
namespace {

constexpr int kMaxListedFaults = 3;

}  // namespace

Parameters::Parameters(const tensor::Weights& weights) {
  for (const auto& [name, tensor] : weights.tensors) {
    const auto count = static_cast<std::size_t>(tensor::numel(tensor.dims));
    if (tensor.bytes.size() != count * tensor::size_bytes(tensor.dtype)) {
      throw input_error("tensor {} does not match its shape (got {} bytes, expected {} of {})", in_quotes(name),
                        tensor.bytes.size(), tensor::to_string(tensor.dims), tensor::name(tensor.dtype));
    }
    entries_.emplace(name, Entry{tensor.dims, tensor::float_values(tensor)});
  }
}

std::optional<std::span<const float>> Parameters::find(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::nullopt;
  return found->second.floats.values;
}

std::string Parameters::fault(const graph::Parameter& parameter) const {
  const auto found = entries_.find(parameter.name);
  const std::string expected = tensor::to_string(parameter.dims);
  if (found == entries_.end()) return fmt::format("{}: missing, expected {}", parameter.name, expected);
  if (found->second.dims == parameter.dims) return {};
  return fmt::format("{}: got {}, expected {}", parameter.name, tensor::to_string(found->second.dims), expected);
}

std::span<const float> Parameters::at(const graph::Parameter& parameter) const {
  if (const std::string wrong = fault(parameter); !wrong.empty())
    throw input_error("a tensor does not fit the network ({})", wrong);
  return entries_.find(parameter.name)->second.floats.values;
}

void Parameters::check(const graph::Graph& graph) const {
  graph::check(graph);
  std::string named;
  int faults = 0;
  const std::vector<graph::Parameter> all = graph::parameters(graph);
  for (const graph::Parameter& parameter : all) {
    const std::string wrong = fault(parameter);
    if (wrong.empty()) continue;
    if (++faults <= kMaxListedFaults) named += (faults == 1 ? "" : "; ") + wrong;
  }
  if (faults == 0) return;
  throw input_error("the weights do not fit {}: {} of {} tensors are missing or have another shape ({}{})", graph.name,
                    faults, all.size(), named, faults > kMaxListedFaults ? "; ..." : "");
}

}  // namespace effnet::engine

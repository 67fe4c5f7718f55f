#include "effnet/formats/fit.h"

#include <algorithm>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::formats {
namespace {

constexpr std::string_view kAverage = "/ExponentialMovingAverage";
constexpr std::size_t kShown = 3;

// Training state, which no network needs (docs/reference/checkpoints.md, sections 1, 2.1 and 6). A tensor belongs to it
// if its name contains one of kLeftoverParts or begins with one of kLeftoverStarts. TensorFlow names the slots of an
// optimiser after their variable: ".../kernel/RMSProp", ".../kernel/RMSProp_1", ".../kernel/Momentum".
constexpr std::string_view kLeftoverParts[] = {"num_batches_tracked", kAverage,         "/RMS", "/Momentum", "/Adam",
                                               "/global_step",        "/normalization/"};
constexpr std::string_view kLeftoverStarts[] = {"global_step", "normalization/"};

bool is_leftover(std::string_view name) {
  return std::any_of(std::begin(kLeftoverParts), std::end(kLeftoverParts),
                     [&](std::string_view part) { return name.find(part) != std::string_view::npos; }) ||
         std::any_of(std::begin(kLeftoverStarts), std::end(kLeftoverStarts),
                     [&](std::string_view start) { return name.starts_with(start); });
}

// A tensor is taken for a layer's parameter or statistic if the last word of its name contains one of these texts. If
// the network has no parameter for such a tensor, that is an error: without it the network may compute something else.
constexpr std::string_view kLayerParts[] = {"weight",   "bias",    "kernel", "gamma", "beta",
                                            "running_", "moving_", "scale",  "embed", "token"};
// Names of objects that belong to a training program, not to the network. A tensor inside such an object is never taken
// for a layer's parameter, even if its last word is "weight" (the class weights of a loss).
constexpr std::string_view kNotLayers[] = {"criterion", "criterions", "loss",      "losses",    "loss_fn", "loss_func",
                                           "metric",    "metrics",    "optimizer", "scheduler", "scaler"};

bool is_layer_name(std::string_view name) {
  for (std::string_view rest = name; rest.find('.') != std::string_view::npos;) {
    const std::size_t dot = rest.find('.');
    if (std::find(std::begin(kNotLayers), std::end(kNotLayers), rest.substr(0, dot)) != std::end(kNotLayers))
      return false;
    rest.remove_prefix(dot + 1);
  }
  const std::string_view last = name.substr(name.find_last_of("./") + 1);
  return std::any_of(std::begin(kLayerParts), std::end(kLayerParts),
                     [&](std::string_view part) { return last.find(part) != std::string_view::npos; });
}

void append(std::string& out, const std::vector<std::string>& items, std::string_view what) {
  if (items.empty()) return;
  if (!out.empty()) out += "; ";
  out += fmt::format("{} {}: ", items.size(), what);
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i) out += (i > 0 ? ", " : "") + items[i];
  if (items.size() > kShown) out += ", ...";
}

}  // namespace

const tensor::Tensor* find_foreign(const tensor::Weights& weights, std::string_view foreign) {
  if (foreign.find('/') != std::string_view::npos) {
    if (const tensor::Tensor* average = weights.find(std::string(foreign) + std::string(kAverage))) return average;
  }
  return weights.find(foreign);
}

Fit fit(const NameMap& map, const tensor::Weights& weights) {
  Fit result;
  std::set<std::string_view> known;
  for (const ForeignName& name : map.tensors) {
    known.insert(name.foreign);
    const tensor::Tensor* tensor = find_foreign(weights, name.foreign);
    if (const auto why = weights.unreadable.find(name.foreign); !tensor && why != weights.unreadable.end()) {
      result.wrong.push_back(fmt::format("{} ({})", name.foreign, why->second));
    } else if (!tensor) {
      result.missing.push_back(name.foreign);
    } else if (const tensor::Dims expected = foreign_dims(name); tensor->dims != expected) {
      result.wrong.push_back(fmt::format("{} (got {}, expected {})", name.foreign, tensor::to_string(tensor->dims),
                                         tensor::to_string(expected)));
    } else if (!tensor::info(tensor->dtype).floating) {
      result.wrong.push_back(
          fmt::format("{} (got {}, expected a floating type)", name.foreign, tensor::name(tensor->dtype)));
    }
  }
  for (const auto& [tensor_name, tensor] : weights.tensors) {
    std::string_view base = tensor_name;
    if (base.ends_with(kAverage)) base.remove_suffix(kAverage.size());
    const bool needed = known.contains(base);
    if (needed && find_foreign(weights, base) == &tensor) continue;
    auto& list = needed || is_leftover(tensor_name) ? result.skipped
                 : is_layer_name(tensor_name)       ? result.unused
                                                    : result.surplus;
    list.push_back(tensor_name);
  }
  for (const auto& [tensor_name, why] : weights.unreadable) {
    if (!known.contains(tensor_name))
      (is_layer_name(tensor_name) ? result.unused : result.surplus).push_back(tensor_name);
  }
  return result;
}

std::string describe(const Fit& fit) {
  std::string out;
  append(out, fit.wrong, "with a wrong shape or type");
  append(out, fit.missing, "missing");
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < fit.unused.size(); ++i) unused.push_back(in_quotes(fit.unused[i]));
  append(out, unused, "unused");
  return out;
}

}  // namespace effnet::formats

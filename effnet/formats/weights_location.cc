#include "effnet/formats/weights_location.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/fit.h"

namespace effnet::formats {
namespace {

enum class Kind { average, plain, wrapper };
struct Word {
  std::string_view text;
  Kind kind;
};
// The known words, in order of preference. `average` and `plain` words are keys of checkpoints; the weights at an
// `average` word ("ema", "swa") are averaged over training steps. `wrapper` words are attributes of modules. All words
// may occur at any position of a path.
constexpr std::array kWords{
    Word{"state_dict_ema", Kind::average},
    Word{"model_ema", Kind::average},
    Word{"ema_state_dict", Kind::average},
    Word{"model_ema_state_dict", Kind::average},
    Word{"ema_model_state_dict", Kind::average},
    Word{"ema_model", Kind::average},
    Word{"ema_weights", Kind::average},
    Word{"ema_params", Kind::average},
    Word{"params_ema", Kind::average},
    Word{"ema", Kind::average},
    Word{"swa_model", Kind::average},
    Word{"averaged_model", Kind::average},
    Word{"state_dict", Kind::plain},
    Word{"model", Kind::plain},
    Word{"model_state_dict", Kind::plain},
    Word{"model_state", Kind::plain},
    Word{"model_weights", Kind::plain},
    Word{"net", Kind::plain},
    Word{"net_state_dict", Kind::plain},
    Word{"network", Kind::plain},
    Word{"weights", Kind::plain},
    Word{"params", Kind::plain},
    Word{"parameters", Kind::plain},
    Word{"module", Kind::wrapper},
    Word{"_orig_mod", Kind::wrapper},
    Word{"_fsdp_wrapped_module", Kind::wrapper},
    Word{"_checkpoint_wrapped_module", Kind::wrapper},
    Word{"backbone", Kind::wrapper},
    Word{"encoder", Kind::wrapper},
    Word{"base_model", Kind::wrapper},
    Word{"base", Kind::wrapper},
    Word{"feature_extractor", Kind::wrapper},
    Word{"extractor", Kind::wrapper},
    Word{"trunk", Kind::wrapper},
    Word{"visual", Kind::wrapper},
    Word{"cnn", Kind::wrapper},
};
constexpr std::size_t kMaxLocations = 32;                           // each tensor is compared with each location
constexpr std::string_view kModule = "module.";                     // written by DataParallel and AveragedModel
constexpr std::string_view kAverage = "/ExponentialMovingAverage";  // end of the names of TensorFlow's averages

std::size_t word_index(std::string_view word) {
  return static_cast<std::size_t>(
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& known) { return known.text == word; }) -
      kWords.begin());
}

// Returns the words of a prefix: "model.module." -> "model", "module".
std::vector<std::string_view> words_of(std::string_view prefix) {
  std::vector<std::string_view> words;
  while (!prefix.empty()) {
    const std::size_t dot = prefix.find('.');
    words.push_back(prefix.substr(0, dot));
    prefix.remove_prefix(dot + 1);
  }
  return words;
}

// Returns true if the prefix is that of a torch.optim.swa_utils.AveragedModel, which has "n_averaged" beside "module.".
bool is_averaged_model(const tensor::Weights& weights, std::string_view prefix) {
  if (!prefix.ends_with(kModule)) return false;
  prefix.remove_suffix(kModule.size());
  return weights.find(std::string(prefix) + "n_averaged") != nullptr;
}

WeightsLocation location_at(const tensor::Weights& weights, const std::string& prefix) {
  WeightsLocation location{prefix, is_averaged_model(weights, prefix), true};
  for (const std::string_view word : words_of(prefix)) {
    const std::size_t index = word_index(word);
    if (index == kWords.size())
      location.known = false;
    else if (kWords[index].kind == Kind::average)
      location.averaged = true;
  }
  return location;
}

auto preference(const WeightsLocation& location) {
  std::vector<std::size_t> indices;
  for (const std::string_view word : words_of(location.prefix)) indices.push_back(word_index(word));
  return std::tuple(!location.averaged, indices.size(), indices);
}

// Returns the location that encloses all others, or null.
const WeightsLocation* outermost(const std::vector<WeightsLocation>& locations) {
  if (locations.empty()) return nullptr;
  const auto shortest = std::min_element(
      locations.begin(), locations.end(),
      [](const WeightsLocation& a, const WeightsLocation& b) { return a.prefix.size() < b.prefix.size(); });
  const bool all = std::all_of(locations.begin(), locations.end(), [&](const WeightsLocation& location) {
    return location.prefix.starts_with(shortest->prefix);
  });
  return all ? &*shortest : nullptr;
}

std::string location_name(const WeightsLocation& location) {
  return location.prefix.empty() ? "the top level"
                                 : in_quotes(std::string_view(location.prefix).substr(0, location.prefix.size() - 1));
}

// Returns the prefix of all tensors that belong to a location. For "model_ema.module." it is "model_ema.", so that
// "model_ema.n_averaged" belongs to it.
std::string_view region(const WeightsLocation& location) {
  const std::string_view prefix = location.prefix;
  const bool inner = prefix.ends_with(kModule) && prefix.size() > kModule.size();
  return inner ? prefix.substr(0, prefix.size() - kModule.size()) : prefix;
}

// Returns two groups of values: those at the location, whose names lose its prefix, and those that belong to no
// location, whose names do not change. If a name occurs in both groups, the name in the second group gets a slash in
// front.
template <class Value>
std::map<std::string, Value, std::less<>> values_at(const std::map<std::string, Value, std::less<>>& all,
                                                    const WeightsLocation& location,
                                                    const std::vector<WeightsLocation>& locations) {
  const auto location_of = [&](std::string_view name) {  // the innermost location of the name
    const WeightsLocation* found = nullptr;
    for (const WeightsLocation& one : locations) {
      const bool deeper = found == nullptr || region(one).size() > region(*found).size();
      if (name.starts_with(region(one)) && deeper) found = &one;
    }
    return found;
  };
  std::map<std::string, Value, std::less<>> result;
  std::vector<std::pair<const std::string, Value>> others;
  for (const auto& [name, value] : all) {
    const WeightsLocation* found = location_of(name);
    if (found != nullptr && found->prefix != location.prefix) continue;
    if (found != nullptr && name.starts_with(location.prefix)) {
      result.emplace(name.substr(location.prefix.size()), value);
    } else {
      others.emplace_back(name, value);
    }
  }
  for (const auto& [name, value] : others) {
    if (!result.emplace(name, value).second) result.emplace("/" + name, value);
  }
  return result;
}

// TensorFlow stores averages beside the variables: "x" and "x/ExponentialMovingAverage".
bool has_tensorflow_averages(const tensor::Weights& weights) {
  return std::any_of(weights.tensors.begin(), weights.tensors.end(),
                     [](const auto& entry) { return entry.first.ends_with(kAverage); });
}

void drop_tensorflow_averages(tensor::Weights& weights) {
  std::erase_if(weights.tensors, [](const auto& entry) { return entry.first.ends_with(kAverage); });
}

}  // namespace

bool is_prefix_word(std::string_view word) { return word_index(word) != kWords.size(); }

std::vector<WeightsLocation> weights_locations(const tensor::Weights& weights, std::span<const NameScheme> schemes) {
  std::set<std::string_view> probes;
  bool scoped = false;  // the file matches a scheme whose names begin with {model}
  for (const NameScheme& scheme : schemes) {
    if (!scheme.probe.starts_with('{'))
      probes.insert(scheme.probe);
    else
      scoped = scoped || find_probe(scheme, weights).has_value();
  }
  std::set<std::string> prefixes;
  if (scoped) prefixes.insert("");
  const auto add_prefix = [&](const std::string& name) {
    for (const std::string_view probe : probes) {
      if (!name.ends_with(probe)) continue;
      const std::string prefix = name.substr(0, name.size() - probe.size());
      if (prefix.empty() || prefix.ends_with('.')) prefixes.insert(prefix);
    }
  };
  for (const auto& [name, tensor] : weights.tensors) add_prefix(name);
  for (const auto& [name, why] : weights.unreadable) add_prefix(name);
  std::vector<WeightsLocation> known, others;
  for (const std::string& prefix : prefixes) {
    WeightsLocation location = location_at(weights, prefix);
    (location.known ? known : others).push_back(std::move(location));
  }
  if (known.empty()) {
    if (const WeightsLocation* one = outermost(others)) return {*one};
  }
  if (known.size() > kMaxLocations) {
    throw input_error("the file has too many sets of weights (got {} keys with weights, expected at most {})",
                      known.size(), kMaxLocations);
  }
  std::sort(known.begin(), known.end(),
            [](const WeightsLocation& a, const WeightsLocation& b) { return preference(a) < preference(b); });
  return known;
}

LocatedWeights locate_weights(const tensor::Weights& weights, std::span<const NameScheme> schemes,
                              std::optional<bool> averaged) {
  LocatedWeights chosen;
  const std::vector<WeightsLocation> locations = weights_locations(weights, schemes);
  if (locations.empty()) {  // no error here: the caller searches for a probe tensor next and reports its absence
    chosen.weights = weights;
    return chosen;
  }
  const bool tensorflow_averages = has_tensorflow_averages(weights);
  const auto taken = std::find_if(locations.begin(), locations.end(), [&](const WeightsLocation& location) {
    return !averaged || tensorflow_averages || location.averaged == *averaged;
  });
  if (taken == locations.end()) {
    throw input_error("the file has {} (got weights at {})",
                      *averaged ? "no averaged weights" : "only averaged weights", location_name(locations.front()))
        .with_hint(fmt::format("--weights {} uses the weights that the file has", *averaged ? "model" : "ema"));
  }
  chosen.location = *taken;
  chosen.weights.metadata = weights.metadata;
  chosen.weights.tensors = values_at(weights.tensors, *taken, locations);
  chosen.weights.unreadable = values_at(weights.unreadable, *taken, locations);
  if (tensorflow_averages) chosen.location.averaged = averaged.value_or(true);
  if (tensorflow_averages && !chosen.location.averaged) drop_tensorflow_averages(chosen.weights);

  const std::string place = location_name(*taken);
  if (!taken->known) {
    chosen.warnings.push_back(fmt::format("using the weights at {}, the only location with weights", place));
  }
  if (locations.size() == 1) return chosen;
  std::string others;
  bool other_kind = false;
  for (const WeightsLocation& location : locations) {
    if (&location == &*taken) continue;
    others += (others.empty() ? "" : ", ") + location_name(location);
    other_kind = other_kind || location.averaged != taken->averaged;
  }
  const bool choice = other_kind && !averaged;
  chosen.warnings.push_back(fmt::format("using {} at {}; other weights are at {}{}",
                                        taken->averaged ? "the averaged weights" : "the weights", place, others,
                                        choice ? "; --weights model uses weights that are not averaged" : ""));
  return chosen;
}

}  // namespace effnet::formats

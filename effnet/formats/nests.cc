#include "effnet/formats/nests.h"

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
// In the order of preference. "ema", "swa": averages over training steps. Wrappers are attributes of modules, the
// others keys of checkpoints; either may stand where the other does.
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
constexpr std::size_t kMostNests = 32;                              // each tensor is compared with each of them
constexpr std::string_view kModule = "module.";                     // of DataParallel and AveragedModel
constexpr std::string_view kAverage = "/ExponentialMovingAverage";  // TensorFlow's

std::size_t rank_of(std::string_view word) {
  return static_cast<std::size_t>(
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& known) { return known.text == word; }) -
      kWords.begin());
}

// "model.module." -> "model", "module".
std::vector<std::string_view> words_of(std::string_view prefix) {
  std::vector<std::string_view> words;
  while (!prefix.empty()) {
    const std::size_t dot = prefix.find('.');
    words.push_back(prefix.substr(0, dot));
    prefix.remove_prefix(dot + 1);
  }
  return words;
}

// torch.optim.swa_utils.AveragedModel: "n_averaged" beside "module.".
bool counts_averages(const tensor::Weights& weights, std::string_view prefix) {
  if (!prefix.ends_with(kModule)) return false;
  prefix.remove_suffix(kModule.size());
  return weights.find(std::string(prefix) + "n_averaged") != nullptr;
}

Nest nest_at(const tensor::Weights& weights, const std::string& prefix) {
  Nest nest{prefix, counts_averages(weights, prefix), true};
  for (const std::string_view word : words_of(prefix)) {
    const std::size_t rank = rank_of(word);
    if (rank == kWords.size())
      nest.known = false;
    else if (kWords[rank].kind == Kind::average)
      nest.averaged = true;
  }
  return nest;
}

auto preference(const Nest& nest) {
  std::vector<std::size_t> ranks;
  for (const std::string_view word : words_of(nest.prefix)) ranks.push_back(rank_of(word));
  return std::tuple(!nest.averaged, ranks.size(), ranks);
}

// The one that all others lie in; null if there is none.
const Nest* outermost(const std::vector<Nest>& nests) {
  if (nests.empty()) return nullptr;
  const auto shortest = std::min_element(
      nests.begin(), nests.end(), [](const Nest& a, const Nest& b) { return a.prefix.size() < b.prefix.size(); });
  const bool all = std::all_of(nests.begin(), nests.end(),
                               [&](const Nest& nest) { return nest.prefix.starts_with(shortest->prefix); });
  return all ? &*shortest : nullptr;
}

std::string place_name(const Nest& nest) {
  return nest.prefix.empty() ? "the top" : in_quotes(std::string_view(nest.prefix).substr(0, nest.prefix.size() - 1));
}

// What belongs to a nest: "model_ema.n_averaged" to "model_ema.module.", too.
std::string_view region(const Nest& nest) {
  const std::string_view prefix = nest.prefix;
  const bool inner = prefix.ends_with(kModule) && prefix.size() > kModule.size();
  return inner ? prefix.substr(0, prefix.size() - kModule.size()) : prefix;
}

// What lies in the nest, without the prefix, and what belongs to none. A name of the latter that is then taken gets a
// slash.
template <class Value>
std::map<std::string, Value, std::less<>> only(const std::map<std::string, Value, std::less<>>& all, const Nest& nest,
                                               const std::vector<Nest>& nests) {
  const auto home = [&](std::string_view name) {  // the nest that the name lies deepest in
    const Nest* found = nullptr;
    for (const Nest& one : nests) {
      const bool deeper = found == nullptr || region(one).size() > region(*found).size();
      if (name.starts_with(region(one)) && deeper) found = &one;
    }
    return found;
  };
  std::map<std::string, Value, std::less<>> result;
  std::vector<std::pair<const std::string, Value>> beside;
  for (const auto& [name, value] : all) {
    const Nest* found = home(name);
    if (found != nullptr && found->prefix != nest.prefix) continue;
    if (found != nullptr && name.starts_with(nest.prefix)) {
      result.emplace(name.substr(nest.prefix.size()), value);
    } else {
      beside.emplace_back(name, value);
    }
  }
  for (const auto& [name, value] : beside) {
    if (!result.emplace(name, value).second) result.emplace("/" + name, value);
  }
  return result;
}

// TensorFlow keeps averages beside the variables: "x" and "x/ExponentialMovingAverage".
bool has_slash_averages(const tensor::Weights& weights) {
  return std::any_of(weights.tensors.begin(), weights.tensors.end(),
                     [](const auto& entry) { return entry.first.ends_with(kAverage); });
}

void drop_slash_averages(tensor::Weights& weights) {
  std::erase_if(weights.tensors, [](const auto& entry) { return entry.first.ends_with(kAverage); });
}

}  // namespace

bool is_nest_word(std::string_view word) { return rank_of(word) != kWords.size(); }

std::vector<Nest> find_nests(const tensor::Weights& weights, std::span<const NameScheme> schemes) {
  std::set<std::string_view> probes;
  bool scoped = false;  // a scheme whose names begin with a word of the file's own choice
  for (const NameScheme& scheme : schemes) {
    if (!scheme.probe.starts_with('{'))
      probes.insert(scheme.probe);
    else
      scoped = scoped || find_probe(scheme, weights).has_value();
  }
  std::set<std::string> prefixes;
  if (scoped) prefixes.insert("");
  const auto look = [&](const std::string& name) {
    for (const std::string_view probe : probes) {
      if (!name.ends_with(probe)) continue;
      const std::string prefix = name.substr(0, name.size() - probe.size());
      if (prefix.empty() || prefix.ends_with('.')) prefixes.insert(prefix);
    }
  };
  for (const auto& [name, tensor] : weights.tensors) look(name);
  for (const auto& [name, why] : weights.unreadable) look(name);
  std::vector<Nest> known, others;
  for (const std::string& prefix : prefixes) {
    Nest nest = nest_at(weights, prefix);
    (nest.known ? known : others).push_back(std::move(nest));
  }
  if (known.empty()) {
    if (const Nest* one = outermost(others)) return {*one};
  }
  if (known.size() > kMostNests) {
    throw input_error("weights at too many places (got {}, expected at most {})", known.size(), kMostNests);
  }
  std::sort(known.begin(), known.end(), [](const Nest& a, const Nest& b) { return preference(a) < preference(b); });
  return known;
}

Chosen choose_nest(const tensor::Weights& weights, std::span<const NameScheme> schemes, std::optional<bool> averaged) {
  Chosen chosen;
  const std::vector<Nest> nests = find_nests(weights, schemes);
  if (nests.empty()) {  // whoever looks for a probe tensor says what is wrong
    chosen.weights = weights;
    return chosen;
  }
  const bool beside = has_slash_averages(weights);
  const auto taken = std::find_if(nests.begin(), nests.end(),
                                  [&](const Nest& nest) { return !averaged || beside || nest.averaged == *averaged; });
  if (taken == nests.end()) {
    throw input_error("the file has no {} (got weights at {})", *averaged ? "average of the weights" : "plain weights",
                      place_name(nests.front()))
        .with_hint(fmt::format("--weights {} takes those that are there", *averaged ? "model" : "ema"));
  }
  chosen.nest = *taken;
  chosen.weights.metadata = weights.metadata;
  chosen.weights.tensors = only(weights.tensors, *taken, nests);
  chosen.weights.unreadable = only(weights.unreadable, *taken, nests);
  if (beside) chosen.nest.averaged = averaged.value_or(true);
  if (beside && !chosen.nest.averaged) drop_slash_averages(chosen.weights);

  const std::string place = place_name(*taken);
  if (!taken->known) {
    chosen.warnings.push_back(fmt::format("took the weights at {}, the one place that has them", place));
  }
  if (nests.size() == 1) return chosen;
  std::string others;
  bool other_kind = false;
  for (const Nest& nest : nests) {
    if (&nest == &*taken) continue;
    others += (others.empty() ? "" : ", ") + place_name(nest);
    other_kind = other_kind || nest.averaged != taken->averaged;
  }
  const bool choice = other_kind && !averaged;
  chosen.warnings.push_back(fmt::format("took {} at {}; others are at {}{}",
                                        taken->averaged ? "the average of the weights" : "the weights", place, others,
                                        choice ? ", and --weights model takes the plain ones" : ""));
  return chosen;
}

}  // namespace effnet::formats

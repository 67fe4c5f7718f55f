#include "effnet/formats/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "effnet/arch/family.h"
#include "effnet/arch/ranges.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/text.h"
#include "effnet/formats/fit.h"
#include "effnet/formats/labels.h"
#include "effnet/formats/names.h"
#include "effnet/formats/sources.h"
#include "effnet/formats/weights_location.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

// AdvProp weights need the input x*2/255 - 1 for a pixel value x from 0 to 255 (docs/reference/checkpoints.md, section
// 3). Only the file's name shows that weights are AdvProp weights.
constexpr std::string_view kAdvPropStart = "adv-";                      // names of lukemelas begin with it
constexpr std::string_view kAdvPropParts[] = {"_ap-", "_ap.", ".ap_"};  // names of timm contain one of them

struct Match {
  const NameScheme* scheme = nullptr;
  arch::ArchSpec spec;
  NameMap map;
  Fit fit;
};

std::vector<std::string> known_sources() {
  std::vector<std::string> known;
  for (const SourceRule& rule : source_rules()) {
    if (std::find(known.begin(), known.end(), rule.source) == known.end()) known.emplace_back(rule.source);
  }
  return known;
}

void check_options(const ImportOptions& options) {
  const std::vector<std::string> known = known_sources();
  if (!options.source.empty() && std::find(known.begin(), known.end(), options.source) == known.end()) {
    throw unknown_name(ErrorCode::usage, "--source: unknown source", options.source, known);
  }
  if (options.bn_epsilon && !(*options.bn_epsilon >= 1e-12 && *options.bn_epsilon <= 1)) {
    throw usage_error("--bn-epsilon is out of range (got {}, expected 1e-12 to 1)", *options.bn_epsilon);
  }
  if (options.classes && (*options.classes < 1 || *options.classes > arch::kClasses.high)) {
    throw usage_error("--classes is out of range (got {}, expected 1 to {})", *options.classes, arch::kClasses.high);
  }
}

// Returns the name of the probe tensor for a message: "stem.conv.weight"; "*/stem/conv2d/kernel" for a name with
// {model}.
std::string probe_pattern(const NameScheme& scheme) {
  constexpr std::string_view kModel = "{model}";
  if (!scheme.probe.starts_with(kModel)) return std::string(scheme.probe);
  return "*" + std::string(scheme.probe.substr(kModel.size()));
}

// Returns the naming schemes whose probe tensor is in the file, each with the value of its placeholder {model}
// (names.h). If `source` is not empty: only the schemes that this source uses.
std::vector<std::pair<const NameScheme*, std::string>> find_schemes(const tensor::Weights& weights,
                                                                    const std::string& source) {
  std::vector<std::pair<const NameScheme*, std::string>> found;
  std::vector<std::string> probes;
  std::vector<std::string> others;
  for (const NameScheme& scheme : name_schemes()) {
    const std::string probe = probe_pattern(scheme);
    if (std::find(probes.begin(), probes.end(), probe) == probes.end()) probes.push_back(probe);
    const std::optional<std::string> model = find_probe(scheme, weights);
    if (!model) continue;
    if (source.empty() || source_uses_names(source, scheme.source)) {
      found.emplace_back(&scheme, *model);
    } else if (std::find(others.begin(), others.end(), scheme.source) == others.end()) {
      others.emplace_back(scheme.source);
    }
  }
  if (found.empty() && !others.empty()) {
    throw input_error("the tensors do not have the names of {} (got the names of {})", source, one_of(others));
  }
  if (found.empty()) {
    const std::string first = weights.tensors.empty() ? "none" : in_quotes(weights.tensors.begin()->first);
    throw input_error(
        "not a known architecture: unknown tensor names (got {} tensors, the first is {}, expected a tensor named {})",
        weights.tensors.size(), first, one_of(probes));
  }
  return found;
}

std::int64_t classes_in(const tensor::Weights& weights, const NameScheme& scheme, std::string_view model,
                        const ImportOptions& options) {
  const std::string name = classifier_bias(scheme, model);
  const tensor::Tensor* bias = find_foreign(weights, name);
  if (!bias || bias->dims.size() != 1 || bias->dims[0] < 1 || bias->dims[0] > arch::kClasses.high) return 0;
  if (options.classes && *options.classes != bias->dims[0]) {
    throw input_error("the file's classifier has another number of classes than requested (got {}, expected {})",
                      bias->dims[0], *options.classes);
  }
  return bias->dims[0];
}

std::vector<arch::ArchSpec> specs_to_try(const ImportOptions& options) {
  if (options.spec) return {*options.spec};
  if (!options.arch.empty()) return {arch::variant(options.arch).spec};
  std::vector<arch::ArchSpec> specs;
  for (const arch::Variant& variant : arch::family()) specs.push_back(variant.spec);
  return specs;
}

// Returns the first network and scheme that match exactly. Otherwise throws Error(input) that describes the best match.
Match find_match(const tensor::Weights& weights, const ImportOptions& options) {
  const auto schemes = find_schemes(weights, options.source);
  const std::vector<arch::ArchSpec> specs = specs_to_try(options);
  std::optional<Match> best;
  for (const auto& [scheme, model] : schemes) {
    const std::int64_t classes = classes_in(weights, *scheme, model, options);
    for (const arch::ArchSpec& spec : specs) {
      Match match{scheme, spec, {}, {}};
      if (classes > 0) match.spec.classes = classes;
      std::optional<NameMap> map = map_names(*scheme, graph::lower(match.spec), model);
      if (!map) continue;
      match.map = std::move(*map);
      match.fit = fit(match.map, weights);
      if (match.fit.exact()) return match;
      if (!best || match.fit.problems() < best->fit.problems()) best = std::move(match);
    }
  }
  const std::string_view source = schemes.front().first->source;
  if (specs.size() == 1) {
    if (!best)
      throw input_error("the tensors have the names of {}, which has no network such as {}", source, specs[0].name);
    throw input_error("the weights do not fit {}: {}", best->spec.name, describe(best->fit));
  }
  const std::string nearest =
      best ? fmt::format("; the best match is {}: {}", best->spec.name, describe(best->fit)) : "";
  throw input_error("not a known architecture (got {} tensors with the names of {}{})", weights.tensors.size(), source,
                    nearest)
      .with_hint("--arch NAME shows what does not fit that network");
}

// Returns the source whose epsilon and padding apply. timm's own EfficientNets and its conversions of TensorFlow's
// weights have the same names and shapes, so only an option or the file's name can decide between them.
std::string decide_source(const Match& match, const std::string& file_name, const ImportOptions& options,
                          std::vector<std::string>& warnings) {
  if (!options.source.empty()) return options.source;
  const std::string_view names = match.scheme->source;
  const std::vector<std::string_view> sources = sources_using_names(names, match.spec);
  if (sources.size() == 1) return std::string(sources[0]);
  constexpr std::string_view kTfPrefix = "tf_";
  if (file_name.starts_with(kTfPrefix) && std::find(sources.begin(), sources.end(), "tf") != sources.end()) {
    warnings.push_back(
        fmt::format("{}: using TensorFlow's epsilon 1e-3 and SAME padding because of the file's name; "
                    "--source overrides this",
                    in_quotes(file_name)));
    return "tf";
  }
  std::string choices;
  for (const std::string_view source : sources) {
    const Numerics numerics = numerics_of(*find_source_rule(source, names, match.spec), match.spec);
    if (options.padding == numerics.padding && options.bn_epsilon == numerics.bn_epsilon) return std::string(source);
    choices += fmt::format("{}--source {} (epsilon {:g}, {} padding)", choices.empty() ? "" : " or ", source,
                           numerics.bn_epsilon, arch::name(numerics.padding));
  }
  if (options.padding && options.bn_epsilon) return std::string(names);
  throw usage_error(
      "ambiguous source: weights of {} with the names of {} exist with different epsilon and padding, and the file "
      "does not contain these values (got no --source, expected {})",
      match.spec.name, names, choices)
      .with_hint("use --source timm for weights that timm trained, --source tf for its tf_* models");
}

void check_finite(const tensor::Tensor& tensor, std::string_view name) {
  constexpr std::size_t kFloat = sizeof(float);
  for (std::size_t at = 0; at < tensor.bytes.size(); at += kFloat) {
    float value = 0;
    std::memcpy(&value, tensor.bytes.data() + at, kFloat);
    if (!std::isfinite(value)) {
      throw input_error("a weight is not finite (got {} in {}, element {})", value, name, at / kFloat);
    }
  }
}

bool is_adv_prop(std::string_view source, std::string_view file_name) {
  if (source == "lukemelas") return file_name.starts_with(kAdvPropStart);
  return source == "tf" && std::any_of(std::begin(kAdvPropParts), std::end(kAdvPropParts), [&](std::string_view part) {
           return file_name.find(part) != std::string_view::npos;
         });
}

ImportResult import_by_names(const tensor::Weights& file, const std::string& file_name, const ImportOptions& options) {
  LocatedWeights located = locate_weights(file, name_schemes(), options.averaged);
  const tensor::Weights& weights = located.weights;
  Match match = find_match(weights, options);
  ImportResult result;
  ImportReport& report = result.report;
  report.prefix = located.location.prefix;
  report.averaged = located.location.averaged;
  report.warnings = std::move(located.warnings);
  report.names = match.scheme->source;
  report.source = decide_source(match, file_name, options, report.warnings);
  for (std::string& name : match.fit.skipped) {
    if (!name.ends_with("num_batches_tracked")) report.unused.push_back(std::move(name));
  }
  const std::vector<std::string>& surplus = match.fit.surplus;
  report.unused.insert(report.unused.end(), surplus.begin(), surplus.end());
  if (options.strict && !report.unused.empty()) {
    throw input_error("{} of the file's tensors are not used by {}: {}", report.unused.size(), match.spec.name,
                      first_in_quotes(report.unused, 3))
        .with_hint("without --strict they are ignored");
  }
  if (!surplus.empty()) {
    report.warnings.push_back(
        fmt::format("{} of the file's tensors are not used: {}", surplus.size(), first_in_quotes(surplus, 3)));
  }

  const SourceRule* rule = find_source_rule(report.source, report.names, match.spec);
  EFFNET_CHECK(rule != nullptr);
  const Numerics numerics = numerics_of(*rule, match.spec);
  Model& model = result.model;
  model.arch = with_numerics(match.spec, options.bn_epsilon.value_or(numerics.bn_epsilon),
                             options.padding.value_or(numerics.padding));
  model.preprocessing = numerics.preprocessing;
  if (is_adv_prop(report.source, file_name)) {
    const Preprocessing adv = preprocessing_rule(numerics.preprocessing.rule, "inception", numerics.preprocessing.crop);
    model.preprocessing.mean = adv.mean;
    model.preprocessing.std = adv.std;
    report.warnings.push_back(
        fmt::format("{}: using mean and std 0.5, because the file's name says AdvProp", in_quotes(file_name)));
  }
  for (const ForeignName& name : match.map.tensors) {
    tensor::Tensor tensor = to_ours(*find_foreign(weights, name.foreign), name);
    check_finite(tensor, name.foreign);
    model.weights.tensors.emplace(name.ours, std::move(tensor));
  }
  if (model.arch.classes == static_cast<std::int64_t>(imagenet1k().labels.size())) {
    model.labels = imagenet1k().labels;
    model.class_ids = imagenet1k().class_ids;
  }
  return result;
}

ImportResult import_own(const tensor::Weights& weights, const ImportOptions& options) {
  ImportResult result;
  Model& model = result.model;
  const bool plain = !options.averaged.value_or(true);
  model = parse_model(weights, plain ? Averaged::never : Averaged::if_present);
  result.report.averaged = !plain && has_average(weights);
  if (options.averaged.value_or(false) && !result.report.averaged) {
    throw input_error("the file has no averaged weights")
        .with_hint("--weights model uses the weights that the file has");
  }
  if (options.classes && *options.classes != model.arch.classes) {
    throw input_error("the file's classifier has another number of classes than requested (got {}, expected {})",
                      model.arch.classes, *options.classes);
  }
  model.arch = with_numerics(model.arch, options.bn_epsilon.value_or(model.arch.bn_epsilon),
                             options.padding.value_or(model.arch.padding));
  for (const auto& [name, tensor] : model.weights.tensors) {
    if (tensor.dtype == tensor::Dtype::f32) check_finite(tensor, name);
  }
  result.report.source = model.provenance.source.empty() ? "effnet" : model.provenance.source;
  result.report.names = "effnet";
  return result;
}

}  // namespace

ImportResult import_weights(const std::filesystem::path& file, const ImportOptions& options) {
  check_options(options);
  return import_weights(open_weights(file), options);
}

ImportResult import_weights(const WeightsFile& opened, const ImportOptions& options) {
  check_options(options);
  const std::string file_name = opened.path.filename().string();
  const bool by_names = !options.arch.empty() || options.spec || !options.source.empty();
  const bool own = is_model_file(opened.weights) && !by_names;
  try {
    ImportResult result =
        own ? import_own(opened.weights, options) : import_by_names(opened.weights, file_name, options);
    ImportReport& report = result.report;
    report.format = opened.format;
    report.tensors = static_cast<std::int64_t>(result.model.weights.tensors.size());
    report.params = graph::costs(graph::lower(result.model.arch)).params;
    if (!own) {  // a published checkpoint; one of effnet's model files has a provenance already
      result.model.provenance = {.source = report.source,
                                 .format = report.format,
                                 .file = one_line(file_name),  // in JSON
                                 .sha256 = sha256(opened.file->bytes()),
                                 .names = report.names,
                                 .extra = {}};
    }
    return result;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage) throw;
    throw error.in(opened.path.string());
  }
}

}  // namespace effnet::formats

#include "effnet/formats/model_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/checkpoint_sum.h"
#include "effnet/formats/fit.h"
#include "effnet/formats/names.h"
#include "effnet/formats/read_weights.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/arch_file.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::string_view kReserved = "effnet.";
constexpr std::string_view kCheckpoint = kCheckpointState;
constexpr std::string_view kPlain = "model/";
constexpr std::string_view kAveraged = "ema/";
constexpr std::int64_t kMaxPixels = 65535;

// ---- metadata texts -------------------------------------------------------------------------------------------------

const std::string& metadata_text(const tensor::Weights& weights, std::string_view key) {
  const auto found = weights.metadata.find(key);
  if (found == weights.metadata.end()) throw input_error("the model file has no {} in its metadata", key);
  return found->second;
}

// Returns the metadata text of `key` as JSON. Valid texts have at most three levels of nesting. A text with more than
// kMaxDepth levels is rejected while it is parsed, so that memory stays close to the text's size.
Json parse_json(const tensor::Weights& weights, std::string_view key) {
  constexpr int kMaxDepth = 4;
  const auto bound = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw input_error("{}: nested too deeply (expected at most {} levels)", key, kMaxDepth);
    return true;
  };
  try {
    return Json::parse(metadata_text(weights, key), bound);
  } catch (const Json::exception&) {
    throw input_error("{} is not JSON (got {})", key, in_quotes(metadata_text(weights, key)));
  }
}

// Returns `one` as JSON text. Throws Error(input) if a string is not UTF-8.
std::string dump(const Json& one, std::string_view what) {
  try {
    return one.dump();
  } catch (const Json::exception&) {
    if (!one.is_string()) throw input_error("{}: a text in it is not UTF-8", what);
    throw input_error("{}: not UTF-8 (got {})", what, in_quotes(one.get_ref<const std::string&>()));
  }
}

// Returns `texts`, one per class, as JSON text. As dump(), but the message also gives the class of the invalid text.
std::string dump_list(const std::vector<std::string>& texts, std::string_view what) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    dump(texts[i], fmt::format("{} of class {}", what, i));
  }
  return Json(texts).dump();
}

const Json& member(const Json& json, std::string_view key) {
  const auto found = json.find(key);
  if (found == json.end()) throw input_error("effnet.preprocessing has no {}", key);
  return *found;
}

std::string text_of(const Json& json, std::string_view key) {
  if (!json.is_string()) throw input_error("{}: wrong type (got {}, expected a text)", key, json.type_name());
  return json.get<std::string>();
}

double number_of(const Json& json, std::string_view key) {
  if (!json.is_number()) throw input_error("{}: wrong type (got {}, expected a number)", key, json.type_name());
  return json.get<double>();
}

template <std::size_t kCount>
std::array<double, kCount> numbers_of(const Json& json, std::string_view key) {
  if (!json.is_array() || json.size() != kCount)
    throw input_error("{}: wrong value (expected a list of {} numbers)", key, kCount);
  std::array<double, kCount> numbers{};
  for (std::size_t i = 0; i < kCount; ++i) numbers[i] = number_of(json[i], key);
  return numbers;
}

Size size_of(const Json& json, std::string_view key) {
  const std::array<double, 2> numbers = numbers_of<2>(json, key);
  for (const double number : numbers) {
    if (!(number >= 1 && number <= kMaxPixels) || number != std::floor(number)) {
      throw input_error("{} is out of range (got {}, expected 1 to {} pixels)", key, number, kMaxPixels);
    }
  }
  return {static_cast<std::int64_t>(numbers[0]), static_cast<std::int64_t>(numbers[1])};
}

std::vector<std::string> texts_of(const tensor::Weights& weights, std::string_view key) {
  if (!weights.metadata.contains(key)) return {};
  const Json json = parse_json(weights, key);
  if (!json.is_array()) throw input_error("{}: wrong type (got {}, expected a list of texts)", key, json.type_name());
  std::vector<std::string> texts;
  for (const Json& item : json) texts.push_back(text_of(item, key));
  return texts;
}

// ---- parts of a model -----------------------------------------------------------------------------------------------

Json to_json(const Preprocessing& preprocessing) {
  return {{"rule", preprocessing.rule},
          {"crop", {preprocessing.crop.h, preprocessing.crop.w}},
          {"resize", {preprocessing.resize.h, preprocessing.resize.w}},
          {"order", name(preprocessing.order)},
          {"fixed_margin", preprocessing.fixed_margin},
          {"filter", name(preprocessing.filter)},
          {"mean", preprocessing.mean},
          {"std", preprocessing.std}};
}

Preprocessing parse_preprocessing(const tensor::Weights& weights) {
  const Json json = parse_json(weights, "effnet.preprocessing");
  if (!json.is_object())
    throw input_error("effnet.preprocessing: wrong type (got {}, expected an object)", json.type_name());
  Preprocessing result;
  result.rule = text_of(member(json, "rule"), "rule");
  result.crop = size_of(member(json, "crop"), "crop");
  result.resize = size_of(member(json, "resize"), "resize");
  result.order = crop_order_named(text_of(member(json, "order"), "order"));
  if (!member(json, "fixed_margin").is_boolean())
    throw input_error("fixed_margin: wrong type (expected true or false)");
  result.fixed_margin = member(json, "fixed_margin").get<bool>();
  result.filter = filter_named(text_of(member(json, "filter"), "filter"));
  result.mean = numbers_of<3>(member(json, "mean"), "mean");
  result.std = numbers_of<3>(member(json, "std"), "std");
  return result;
}

void check_preprocessing(const Preprocessing& preprocessing) {
  const auto pixels = [](std::int64_t value, std::string_view key) {
    if (value < 1 || value > kMaxPixels) {
      throw input_error("{} is out of range (got {}, expected 1 to {} pixels)", key, value, kMaxPixels);
    }
  };
  pixels(preprocessing.crop.h, "crop");
  pixels(preprocessing.crop.w, "crop");
  pixels(preprocessing.resize.h, "resize");
  pixels(preprocessing.resize.w, "resize");
  if (preprocessing.resize.h < preprocessing.crop.h || preprocessing.resize.w < preprocessing.crop.w) {
    throw input_error("resize is smaller than crop (got {}, expected at least {})", to_string(preprocessing.resize),
                      to_string(preprocessing.crop));
  }
  for (const double mean : preprocessing.mean) {
    if (!std::isfinite(mean)) throw input_error("mean is not finite (got {})", mean);
  }
  for (const double std : preprocessing.std) {
    if (!std::isfinite(std) || !(std > 0)) throw input_error("std is out of range (got {}, expected above 0)", std);
  }
}

Json to_json(const Provenance& provenance) {
  Json json = provenance.extra;
  json["source"] = provenance.source;
  json["format"] = provenance.format;
  json["file"] = provenance.file;
  json["sha256"] = provenance.sha256;
  json["names"] = provenance.names;
  return json;
}

Provenance parse_provenance(const tensor::Weights& weights) {
  constexpr std::string_view kKey = "effnet.provenance";
  Provenance provenance;
  if (!weights.metadata.contains(kKey)) return provenance;
  const Json json = parse_json(weights, kKey);
  if (!json.is_object()) throw input_error("{}: wrong type (got {}, expected an object)", kKey, json.type_name());
  const std::map<std::string_view, std::string*> members{{"source", &provenance.source},
                                                         {"format", &provenance.format},
                                                         {"file", &provenance.file},
                                                         {"sha256", &provenance.sha256},
                                                         {"names", &provenance.names}};
  for (const auto& [key, value] : json.items()) {
    const auto member = members.find(key);
    (member == members.end() ? provenance.extra[key] : *member->second) = text_of(value, kKey);
  }
  return provenance;
}

Json to_json(const Calibration& calibration) {
  return {{"temperature", calibration.temperature}, {"min_score", calibration.min_score}};
}

std::optional<Calibration> parse_calibration(const tensor::Weights& weights) {
  constexpr std::string_view kKey = "effnet.calibration";
  if (!weights.metadata.contains(kKey)) return {};
  const Json json = parse_json(weights, kKey);
  if (!json.is_object()) throw input_error("{}: wrong type (got {}, expected an object)", kKey, json.type_name());
  const auto number = [&](std::string_view key) {
    const auto found = json.find(key);
    if (found == json.end()) throw input_error("{} has no {}", kKey, key);
    return number_of(*found, key);
  };
  return Calibration{.temperature = number("temperature"), .min_score = number("min_score")};
}

void check_calibration(const Calibration& calibration) {
  constexpr double kLow = 0.01, kHigh = 100;
  if (!(calibration.temperature >= kLow && calibration.temperature <= kHigh)) {
    throw input_error("the calibration's temperature is out of range (got {}, expected {} to {})",
                      calibration.temperature, kLow, kHigh);
  }
  if (!(calibration.min_score >= 0 && calibration.min_score <= 1)) {
    throw input_error("the calibration's min_score is out of range (got {}, expected 0 to 1)", calibration.min_score);
  }
}

void check_format(const tensor::Weights& weights) {
  const std::string& text = metadata_text(weights, "effnet.format");
  if (text == std::to_string(kFormat)) return;
  const bool number = !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string::npos;
  if (number && std::stoi(text) > kFormat) {
    throw input_error("the model file's format is newer than this effnet supports (got {}, expected {})", text, kFormat)
        .with_hint("read it with a newer effnet");
  }
  throw input_error("unknown model file format (got {}, expected {})", in_quotes(text), kFormat);
}

void check_labels(const std::vector<std::string>& texts, std::int64_t classes, std::string_view what) {
  if (texts.empty() || static_cast<std::int64_t>(texts.size()) == classes) return;
  throw input_error("{} do not match the number of classes (got {}, expected {} or none)", what, texts.size(), classes);
}

// Returns the graph of a spec. Throws Error(input) if the spec has more blocks than the file has tensors: every block
// has at least one parameter, so such a file is invalid. The check bounds the memory that an arch text can request.
graph::Graph lower_bounded(const arch::ArchSpec& spec, const tensor::Weights& weights) {
  const std::int64_t blocks =
      std::accumulate(spec.stages.begin(), spec.stages.end(), std::int64_t{0},
                      [](std::int64_t sum, const arch::StageSpec& stage) { return sum + stage.repeats; });
  if (blocks > static_cast<std::int64_t>(weights.tensors.size())) {
    throw input_error("the arch does not fit the tensors (got {} tensors, expected at least one for each of {} blocks)",
                      weights.tensors.size(), blocks);
  }
  return graph::lower(spec);
}

void check_description(const Model& model) {
  arch::check(model.arch);
  check_preprocessing(model.preprocessing);
  check_labels(model.labels, model.arch.classes, "the labels");
  check_labels(model.class_ids, model.arch.classes, "the class ids");
  if (model.calibration) check_calibration(*model.calibration);
}

// Makes the checks that read_model and write_model share. Returns the name map of all parameters.
NameMap check(const Model& model, const tensor::Weights& weights) {
  check_description(model);
  const NameScheme own{.source = "effnet", .network = {}, .probe = {}, .rows = {}};
  NameMap map = *map_names(own, lower_bounded(model.arch, weights));
  Fit result = fit(map, weights);
  for (const auto* list : {&result.skipped, &result.surplus}) {
    result.unused.insert(result.unused.end(), list->begin(), list->end());
  }
  std::erase_if(result.unused, [](const std::string& name) { return name.starts_with(kReserved); });
  if (!result.exact()) {
    throw input_error("the weights do not fit {} (errors in {}): {}", in_quotes(model.arch.name),
                      count_of(static_cast<std::int64_t>(result.problems()), "tensor"), describe(result));
  }
  return map;
}

// Returns the weights of a training checkpoint under the names of a model file.
tensor::Weights checkpoint_weights(const tensor::Weights& checkpoint, Averaged averaged) {
  if (!checkpoint.metadata.contains("effnet.arch")) {
    throw input_error("a checkpoint of an older effnet, without its network (got no effnet.arch)")
        .with_hint("use the run's model.safetensors; effnet train with --resume writes new checkpoints");
  }
  const auto sum = checkpoint.metadata.find(kCheckpointSum);
  if (sum != checkpoint.metadata.end() && sum->second != checkpoint_sum(checkpoint)) {
    throw input_error("a corrupt checkpoint (its checksum does not match its bytes)")
        .with_hint("try checkpoints/previous, the checkpoint of another epoch, or the run's model.safetensors");
  }
  tensor::Weights weights;
  weights.metadata = checkpoint.metadata;
  for (const std::string_view prefix : {kPlain, kAveraged}) {
    if (prefix == kAveraged && averaged == Averaged::never) continue;
    for (auto at = checkpoint.tensors.lower_bound(prefix);
         at != checkpoint.tensors.end() && at->first.starts_with(prefix); ++at) {
      weights.tensors[at->first.substr(prefix.size())] = at->second;
    }
  }
  return weights;
}

}  // namespace

bool is_model_file(const tensor::Weights& weights) {
  return weights.metadata.contains("effnet.format") || weights.metadata.contains("effnet.arch") ||
         weights.metadata.contains(kCheckpoint);
}

bool has_average(const tensor::Weights& weights) {
  const auto at = weights.tensors.lower_bound(kAveraged);
  return weights.metadata.contains(kCheckpoint) && at != weights.tensors.end() && at->first.starts_with(kAveraged);
}

Model parse_model(const tensor::Weights& file, Averaged averaged) {
  if (!is_model_file(file)) {
    throw input_error("weights without a network: no effnet metadata in the file")
        .with_hint("effnet import FILE -o MODEL.safetensors converts published weights to a model file");
  }
  tensor::Weights from_checkpoint;
  if (file.metadata.contains(kCheckpoint)) from_checkpoint = checkpoint_weights(file, averaged);
  const tensor::Weights& weights = file.metadata.contains(kCheckpoint) ? from_checkpoint : file;
  check_format(weights);
  Model model;
  model.arch = graph::parse_arch(metadata_text(weights, "effnet.arch"), "effnet.arch");
  model.preprocessing = parse_preprocessing(weights);
  model.labels = texts_of(weights, "effnet.labels");
  model.class_ids = texts_of(weights, "effnet.class_ids");
  model.provenance = parse_provenance(weights);
  model.calibration = parse_calibration(weights);
  const NameMap map = check(model, weights);
  for (const ForeignName& name : map.tensors) {
    model.weights.tensors.emplace(name.ours, to_ours(weights.at(name.ours), name));
  }
  for (const auto& [tensor_name, tensor] : weights.tensors) {
    if (tensor_name.starts_with(kReserved)) model.weights.tensors.emplace(tensor_name, tensor);
  }
  return model;
}

Model read_model(const std::filesystem::path& path) {
  const WeightsFile opened = open_weights(path);
  if (!is_model_file(opened.weights)) {
    std::filesystem::path out = path.filename();
    out.replace_extension(opened.format == "safetensors" ? ".model.safetensors" : ".safetensors");
    throw input_error("{}: weights without a network (got {} without effnet's metadata, expected a model file)",
                      path.string(), opened.format)
        .with_hint(fmt::format("effnet import {} -o {} converts published weights to a model file",
                               path_in_shell(path.string()), path_in_shell(out.string())));
  }
  try {
    return parse_model(opened.weights);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

std::map<std::string, std::string> model_metadata(const Model& model) {
  check_description(model);
  std::map<std::string, std::string> metadata;
  metadata["effnet.format"] = std::to_string(kFormat);
  metadata["effnet.arch"] = arch::print(model.arch);
  dump(metadata["effnet.arch"], "effnet.arch");
  metadata["effnet.preprocessing"] = dump(to_json(model.preprocessing), "effnet.preprocessing");
  if (!model.labels.empty()) metadata["effnet.labels"] = dump_list(model.labels, "the label");
  if (!model.class_ids.empty()) metadata["effnet.class_ids"] = dump_list(model.class_ids, "the id");
  if (model.calibration) metadata["effnet.calibration"] = dump(to_json(*model.calibration), "effnet.calibration");
  metadata["effnet.provenance"] = dump(to_json(model.provenance), "effnet.provenance");
  return metadata;
}

void write_model(const std::filesystem::path& path, const Model& model) {
  check(model, model.weights);
  tensor::Weights out;
  out.tensors = model.weights.tensors;
  for (auto& [key, text] : model_metadata(model)) out.metadata[key] = text;
  write_safetensors(path, out);
}

}  // namespace effnet::formats

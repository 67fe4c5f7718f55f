#include "effnet/train/run/model.h"

#include "effnet/base/error.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/text.h"
#include "effnet/formats/find_model.h"
#include "effnet/formats/import.h"
#include "effnet/formats/labels.h"
#include "effnet/formats/read_weights.h"
#include "effnet/formats/sources.h"
#include "effnet/train/recipe/training_view.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// The file with the weights of model.init.
fs::path init_file(const std::string& model) {
  const formats::FoundModel found = formats::find_model(model);
  if (!found.file.empty()) return found.file;
  if (found.name.empty())
    throw input_error("model.init: no weights (got the arch file {}, expected a model with weights)", model)
        .with_hint("use model.name for an arch file");
  throw input_error("model.init: no weights (got {}, whose weights were not pulled)", model)
      .with_hint(fmt::format("effnet pull {} downloads weights; or use a file with weights", model));
}

formats::Model read_init(const std::string& file, const arch::ArchSpec& arch, std::vector<std::string>& warnings) {
  const formats::WeightsFile opened = formats::open_weights(file);
  try {
    if (formats::is_model_file(opened.weights)) return formats::parse_model(opened.weights);
  } catch (const Error& error) {
    throw error.in(file);
  }
  try {
    formats::ImportResult imported = formats::import_weights(opened, {.spec = arch});
    warnings.insert(warnings.end(), imported.report.warnings.begin(), imported.report.warnings.end());
    return std::move(imported.model);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    // A usage error: the file fits two sources, and only `effnet import --source` can decide.
    throw input_error("{}: {}", file, error.what())
        .with_hint(
            fmt::format("run effnet import {} --source ... -o init.safetensors, then use model.init=init.safetensors",
                        path_in_shell(file)));
  }
}

// The file with the weights of model.name; empty if it has none. If model.name is the name of a network, pulled weights
// are ignored, so that a recipe gives the same result on every machine.
fs::path weights_of_name(const std::string& model) {
  if (model.ends_with(".toml")) return {};  // may be a built-in arch file
  return formats::find_model(model, formats::Pulled::ignore).file;
}

// Applies the settings bn.momentum and data.* to the model. `rule`: the preprocessing of its weights, if it has any.
void apply_settings(const Recipe& recipe, std::optional<Preprocessing> rule, RunModel& model) {
  if (recipe.bn_momentum >= 0) model.arch.bn_momentum = recipe.bn_momentum;
  if (recipe.data.resolution > 0) model.arch.resolution = recipe.data.resolution;
  const Size size{model.arch.resolution, model.arch.resolution};
  if (!rule) rule = preprocessing_rule(model.arch.preprocessing, model.arch.normalisation, size);
  model.evaluation = validation_rule(*rule, model.arch, size, recipe.data.shift > 0);
}

}  // namespace

RunModel open_run_model(const Recipe& recipe) {
  RunModel model;
  model.arch = load_arch(recipe.model);
  std::optional<Preprocessing> rule;
  if (const fs::path weights = weights_of_name(recipe.model.name); !weights.empty()) {
    formats::Model file = formats::read_model(weights);
    rule = file.preprocessing;
    if (recipe.model.init.empty()) {
      model.init = std::move(file);
      model.init_file = weights.string();
    }
  }
  if (!recipe.model.init.empty()) {
    model.init_file = init_file(recipe.model.init).string();
    model.init = read_init(model.init_file, model.arch, model.warnings);
    model.arch = formats::with_numerics(model.arch, model.init->arch.bn_epsilon, model.init->arch.padding);
    rule = model.init->preprocessing;
  }
  apply_settings(recipe, rule, model);
  return model;
}

RunModel run_model_of(arch::ArchSpec arch, const Recipe& recipe) {
  RunModel model;
  model.arch = with_drop_rates(std::move(arch), recipe.model);
  apply_settings(recipe, std::nullopt, model);
  return model;
}

Preprocessing validation_rule(const Preprocessing& own, const arch::ArchSpec& arch, Size size, bool whole_images) {
  if (!whole_images) return own.at(size);
  Preprocessing rule = preprocessing_rule("whole", arch.normalisation, size);
  rule.mean = own.mean;
  rule.std = own.std;
  return rule;
}

std::shared_ptr<nn::ParameterStore> initial_weights(const RunModel& model, const graph::Graph& graph,
                                                    std::uint64_t seed) {
  if (!model.init) return nn::ParameterStore::initialised(graph, seed);
  try {
    return nn::ParameterStore::from_weights(graph, model.init->weights, /*skip_classifier=*/true, seed);
  } catch (const Error& error) {
    if (model.init->arch.name == model.arch.name) throw;
    throw Error(error.code(), error.what(),
                fmt::format("{} has the weights of {}; set model.name={} too", model.init_file, model.init->arch.name,
                            model.init->arch.name));
  }
}

std::string describe_initial_weights(const RunModel& model) {
  if (!model.init) return "initial weights: random (the paper's initialisation)";
  const std::int64_t theirs = model.init->arch.classes, own = model.arch.classes;
  return fmt::format(
      "initial weights: {}{}", model.init_file,
      theirs == own ? "" : fmt::format("; random classifier (for {} classes instead of {})", own, theirs));
}

vision::TrainingView training_view(const Recipe& recipe, const RunModel& model) {
  return training_view(recipe, model.evaluation);
}

formats::Model finished_model(const RunModel& model, tensor::Weights weights, const std::vector<std::string>& classes,
                              const Recipe& recipe) {
  formats::Model result;
  result.arch = model.arch;
  result.weights = std::move(weights);
  result.preprocessing = model.evaluation;
  // model.classes may be above the number of classes in the dataset. A model file has one label per class or no labels.
  if (static_cast<std::int64_t>(classes.size()) == model.arch.classes) result.labels = classes;
  if (classes == formats::imagenet1k().class_ids) {
    result.labels = formats::imagenet1k().labels;
    result.class_ids = classes;
  }
  result.provenance.source = "effnet";
  result.provenance.extra = {{"seed", std::to_string(recipe.seed)}, {"trained_by", "effnet train"}};
  if (!recipe.model.init.empty()) result.provenance.extra["init"] = recipe.model.init;
  return result;
}

}  // namespace effnet::train

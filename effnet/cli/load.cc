#include "effnet/cli/load.h"

#include <malloc.h>

#include <cstdlib>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/text.h"
#include "effnet/cli/output.h"
#include "effnet/engine/file_identity.h"
#include "effnet/engine/random_weights.h"
#include "effnet/formats/labels.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

bool is_model_path(const std::string& model) { return model.ends_with(".safetensors"); }
bool is_arch_path(const std::string& model) { return model.ends_with(".toml"); }

Described described(arch::ArchSpec spec) {
  const Size size{spec.resolution, spec.resolution};
  Preprocessing preprocessing = preprocessing_rule(spec.preprocessing, spec.normalisation, size);
  return {std::move(spec), preprocessing};
}

// A name or an arch file.
arch::ArchSpec arch_of(const std::string& model) {
  return is_arch_path(model) ? arch::parse(read_text(model), model) : arch::variant(model).spec;
}

// Empty if it was not pulled, or if there is no place for pulled models.
fs::path find_pulled(const std::string& name) {
  try {
    std::error_code ignored;
    fs::path path = pulled_path(name);
    return fs::exists(path, ignored) ? path : fs::path();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::environment) throw;
    return {};
  }
}

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

}  // namespace

Described describe(const std::string& model) {
  if (is_model_path(model)) {
    formats::Model read = formats::read_model(model);
    return {std::move(read.arch), read.preprocessing};
  }
  return described(arch_of(model));
}

void LoadOptions::declare(CLI::App& command) {
  command.add_flag("--random", random, "Random weights, even where pulled ones exist");
  add_seed(command, seed, "Seed of random weights [0]");
}

LoadedModel::LoadedModel(const std::string& model, const LoadOptions& options, ThreadPool& pool) : pool_(pool) {
  if (!options.random) {
    if (is_model_path(model)) {
      file_ = model;
    } else if (!is_arch_path(model)) {
      arch::variant(model);  // an unknown name fails here, not as a missing file
      file_ = find_pulled(model);
    }
  }
  if (!file_.empty()) {
    identity_ = engine::read_identified(file_, [this] { model_ = formats::read_model(file_); });
    return;
  }
  Described network = describe(model);
  warn(fmt::format("{} has random weights (seed {}): its answers mean nothing", network.arch.name, options.seed));
  seed_ = options.seed;
  identity_ = fmt::format("random {} seed {}", engine::kRandomWeightsVersion, options.seed);
  model_.arch = std::move(network.arch);
  model_.preprocessing = network.preprocessing;
  if (model_.arch.classes == static_cast<std::int64_t>(formats::imagenet1k().labels.size())) {
    model_.labels = formats::imagenet1k().labels;
    model_.class_ids = formats::imagenet1k().class_ids;
  }
}

LoadedModel::LoadedModel(formats::Model model, ThreadPool& pool) : pool_(pool), model_(std::move(model)) {}

const formats::Model& LoadedModel::whole() {
  if (!model_.weights.tensors.empty()) return model_;
  if (!file_.empty()) {
    formats::Model again;  // of the same file: its weights belong to what was read before
    engine::read_identified(
        file_, [&] { again = formats::read_model(file_); }, identity_);
    model_.weights = std::move(again.weights);
  } else if (seed_) {
    model_.weights = engine::random_weights(model_.arch, model_.arch.classes, *seed_, pool_);
  }
  return model_;
}

void LoadedModel::forget_weights() {
  if (file_.empty() && !seed_) return;  // nowhere to get them again
  model_.weights = {};
  ::malloc_trim(0);
}

fs::path home_folder() {
  if (const char* home = environment("EFFNET_HOME")) return home;
  if (const char* cache = environment("XDG_CACHE_HOME")) return fs::path(cache) / "effnet";
  if (const char* user = environment("HOME")) return fs::path(user) / ".cache" / "effnet";
  throw environment_error(
      "no place for pulled models (got neither EFFNET_HOME nor XDG_CACHE_HOME nor HOME, expected one of them)");
}

fs::path pulled_path(const std::string& name) { return home_folder() / "models" / (name + ".safetensors"); }

}  // namespace effnet::cli

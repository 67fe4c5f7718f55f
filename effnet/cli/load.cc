#include "effnet/cli/load.h"

#include <charconv>
#include <cstdlib>

#include "effnet/arch/family.h"
#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/text.h"
#include "effnet/cli/output.h"
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
  command.add_option("--seed", seed, "Seed of random weights")->type_name("N");
}

formats::Model load_model(const std::string& model, const LoadOptions& options, ThreadPool& pool) {
  if (is_model_path(model) && !options.random) return formats::read_model(model);
  const bool named = !is_model_path(model) && !is_arch_path(model);
  if (named && !options.random) {
    arch::variant(model);  // an unknown name fails here, not as a missing file
    if (const fs::path pulled = pulled_path(model); fs::exists(pulled)) return formats::read_model(pulled);
  }
  Described network = describe(model);
  warn(fmt::format("{} has random weights (seed {}): its answers mean nothing", network.arch.name, options.seed));
  formats::Model result;
  result.weights = engine::random_weights(network.arch, network.arch.classes, options.seed, pool);
  result.arch = std::move(network.arch);
  result.preprocessing = network.preprocessing;
  if (result.arch.classes == static_cast<std::int64_t>(formats::imagenet1k().labels.size())) {
    result.labels = formats::imagenet1k().labels;
    result.class_ids = formats::imagenet1k().class_ids;
  }
  return result;
}

fs::path home_folder() {
  if (const char* home = environment("EFFNET_HOME")) return home;
  if (const char* cache = environment("XDG_CACHE_HOME")) return fs::path(cache) / "effnet";
  if (const char* user = environment("HOME")) return fs::path(user) / ".cache" / "effnet";
  throw environment_error(
      "no place for pulled models (got neither EFFNET_HOME nor XDG_CACHE_HOME nor HOME, expected one of them)");
}

fs::path pulled_path(const std::string& name) { return home_folder() / "models" / (name + ".safetensors"); }

int thread_count(const Globals& globals) {
  if (globals.threads > 0) return globals.threads;
  if (const char* wanted = environment("EFFNET_THREADS")) {
    const std::string_view text = wanted;
    int count = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (code != std::errc{} || end != text.data() + text.size() || count < 1 || count > 1024) {
      throw usage_error("EFFNET_THREADS: wrong value (got {}, expected a whole number from 1 to 1024)",
                        in_quotes(text));
    }
    return count;
  }
  return usable_cores();
}

}  // namespace effnet::cli

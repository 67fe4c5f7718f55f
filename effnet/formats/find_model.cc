#include "effnet/formats/find_model.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/text.h"
#include "effnet/graph/arch_file.h"

namespace effnet::formats {
namespace {

namespace fs = std::filesystem;

constexpr NameTable<WeightsFrom, 3> kWeightsFrom{
    {{WeightsFrom::file, "file"}, {WeightsFrom::pulled, "pulled"}, {WeightsFrom::random, "random"}}};

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

std::optional<fs::path> find_home() {
  if (const char* home = environment("EFFNET_HOME")) return home;
  if (const char* cache = environment("XDG_CACHE_HOME")) return fs::path(cache) / "effnet";
  if (const char* user = environment("HOME")) return fs::path(user) / ".cache" / "effnet";
  return std::nullopt;
}

// What exists at a path. A link to a missing path is not `nothing`, because the user created the link.
enum class PathKind { nothing, dangling_link, folder, other };
PathKind path_kind(const fs::path& path, std::error_code& failure) {
  const fs::file_status itself = fs::symlink_status(path, failure);
  if (itself.type() == fs::file_type::not_found) {
    if (failure == std::errc::no_such_file_or_directory) failure.clear();
    return PathKind::nothing;
  }
  if (failure) return PathKind::other;
  const fs::file_status target = fs::status(path, failure);
  if (target.type() == fs::file_type::not_found) {
    failure.clear();
    return PathKind::dangling_link;
  }
  return fs::is_directory(target) ? PathKind::folder : PathKind::other;
}

std::string target_of(const fs::path& link) {
  std::error_code ignored;
  return in_quotes(fs::read_symlink(link, ignored).string());
}

// Returns the file of a pulled model, or an empty path if the model was not pulled. Checks every component of the path,
// so that a link to a disk that is not mounted is an error, and is not taken for a model that was never pulled.
fs::path find_pulled(const std::string& model) {
  const std::optional<fs::path> home = find_home();
  if (!home) return {};
  fs::path file = pulled_path(model);
  fs::path step;
  for (const fs::path& part : file) {
    step /= part;
    const bool last = step == file;
    std::error_code failure;
    const PathKind kind = path_kind(step, failure);
    if (failure) {
      throw environment_error("{}: cannot search for the pulled model {} ({})", step.string(), model, failure.message())
          .with_hint("make the folder readable, or set EFFNET_HOME to another folder");
    }
    if (kind == PathKind::nothing) return {};
    if (kind == PathKind::dangling_link) {
      throw input_error("{}: the pulled model {} cannot be reached (got a link to {}, which does not exist)",
                        step.string(), model, target_of(step))
          .with_hint(fmt::format("repair or remove the link; effnet pull {} downloads the model again", model));
    }
    if ((kind == PathKind::folder) == last) {
      const std::string_view got = last ? "a folder" : "a file", expected = last ? "a model file" : "a folder";
      throw input_error("{}: in the way of the pulled model {} (got {}, expected {})", step.string(), model, got,
                        expected)
          .with_hint(fmt::format("move it away; effnet pull {} downloads the model again", model));
    }
  }
  return file;
}

// Returns the model file of a run folder. Throws Error(input) if the folder has none.
fs::path model_in(const fs::path& folder) {
  fs::path file = folder / "model.safetensors";
  const auto exists = [](const fs::path& path) {
    std::error_code failure;
    const PathKind kind = path_kind(path, failure);
    if (failure) throw input_error("{}: cannot read ({})", path.string(), failure.message());
    return kind != PathKind::nothing;
  };
  if (exists(file)) return file;
  for (const fs::path& checkpoints : {folder / "checkpoints", folder}) {
    const bool in_a_run = checkpoints.filename() == "checkpoints";
    for (const char* checkpoint : {"best", "last", "previous"}) {
      if (!in_a_run || !exists(checkpoints / checkpoint)) continue;
      throw input_error("{}: no model in this folder (got checkpoints, expected model.safetensors)", folder.string())
          .with_hint("a checkpoint can be used as MODEL: " + (checkpoints / checkpoint).string());
    }
  }
  if (exists(folder / "finetune.json")) {
    const fs::path trial = folder / "trial";
    throw input_error("{}: fine-tuning has not finished (got no model.safetensors)", folder.string())
        .with_hint(exists(trial / "model.safetensors")
                       ? fmt::format("its trial can be used as MODEL: {}", path_in_shell(trial.string()))
                       : std::string("the command that made the folder continues with --resume"));
  }
  if (exists(folder / "config.toml")) {
    throw input_error("{}: the run has no model (got neither model.safetensors nor a checkpoint)", folder.string())
        .with_hint(fmt::format("effnet train --resume --out {} continues the run", path_in_shell(folder.string())));
  }
  throw input_error(
      "{}: not a MODEL (got a folder without model.safetensors, expected a name from 'effnet models', a model file, a "
      "run folder or a .toml arch file)",
      folder.string());
}

ModelDescription description_of(arch::ArchSpec spec) {
  const Size size{spec.resolution, spec.resolution};
  Preprocessing preprocessing = preprocessing_rule(spec.preprocessing, spec.normalisation, size);
  return {std::move(spec), std::move(preprocessing)};
}

}  // namespace

std::string_view name(WeightsFrom from) { return name_in(kWeightsFrom, from); }

FoundModel find_model(const std::string& model, Pulled pulled) {
  FoundModel found;
  if (arch::find_variant(model) != nullptr) {
    found.name = model;
    if (pulled == Pulled::find) found.file = find_pulled(model);
    if (!found.file.empty()) found.weights = WeightsFrom::pulled;
    return found;
  }
  std::error_code failure;
  const PathKind kind = path_kind(model, failure);
  // The names of models contain no '/' or '.', so a MODEL with one of these characters is a path.
  const bool path = model.find_first_of("/.") != std::string::npos;
  if (kind == PathKind::nothing && !path)  // throws; the hint has the nearest name
    arch::variant(model, "a name from 'effnet models', a .safetensors model file or a .toml arch file");
  if (failure) throw input_error("{}: cannot read ({})", model, failure.message());
  if (kind == PathKind::nothing) {
    throw input_error("{}: cannot read ({})", model,
                      std::make_error_code(std::errc::no_such_file_or_directory).message());
  }
  if (kind == PathKind::dangling_link) {
    throw input_error("{}: cannot read (got a link to {}, which does not exist)", model, target_of(model));
  }
  if (kind == PathKind::other && model.ends_with(".toml")) {
    found.arch_file = model;
    return found;
  }
  found.file = kind == PathKind::folder ? model_in(model) : fs::path(model);
  found.weights = WeightsFrom::file;
  return found;
}

ModelDescription describe(const FoundModel& found) {
  if (!found.file.empty()) {
    Model read = read_model(found.file);
    return {std::move(read.arch), std::move(read.preprocessing), read.calibration};
  }
  if (found.arch_file.empty()) return description_of(arch::variant(found.name).spec);
  return description_of(graph::parse_arch(read_text(found.arch_file), found.arch_file.string()));
}

fs::path home_folder() {
  if (std::optional<fs::path> home = find_home()) return *home;
  throw environment_error(
      "no folder for pulled models (got none of EFFNET_HOME, XDG_CACHE_HOME and HOME, expected at least one)");
}

fs::path pulled_path(const std::string& name) { return home_folder() / "models" / (name + ".safetensors"); }

}  // namespace effnet::formats

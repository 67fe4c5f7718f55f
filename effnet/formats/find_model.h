// Resolves a MODEL argument (docs/cli.md): a named model (arch/family.h), a file with weights, a run folder or an arch
// file. Finds where the weights are; model_file.h reads them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"
#include "effnet/formats/model_file.h"

namespace effnet::formats {

enum class WeightsFrom { file, pulled, random };
std::string_view name(WeightsFrom from);  // "file", "pulled", "random", as in JSON results

struct FoundModel {
  std::string name;                 // of a named model; empty if MODEL is something else
  std::filesystem::path file;       // a model file or a checkpoint, for read_model(); empty: there are no weights
  std::filesystem::path arch_file;  // a .toml file; empty if MODEL is something else
  WeightsFrom weights = WeightsFrom::random;
};

// find: use the model file of a pulled model if there is one; ignore: the caller does not need the weights.
enum class Pulled { find, ignore };

// A named model has priority over a file or folder of the same name; "./NAME" means the file or folder. Checks only
// whether paths exist. The contents of a file are checked when it is read.
//
// Throws Error(input) for an unknown name, a path that is missing or cannot be examined, a folder that is not a run, a
// run without a model, and a pulled model that exists but cannot be reached (a dangling link). Throws
// Error(environment) if the folder of pulled models cannot be read. Weights that exist but cannot be reached are an
// error, so that a caller does not use random weights instead.
FoundModel find_model(const std::string& model, Pulled pulled = Pulled::find);

// A model without weights and class names.
struct ModelDescription {
  arch::ArchSpec arch;
  Preprocessing preprocessing;
  std::optional<Calibration> calibration = {};
};
// Reads the description from the model file or the arch file. For a named model without weights: from arch/family.h.
ModelDescription describe(const FoundModel& found);

// Returns $EFFNET_HOME, else $XDG_CACHE_HOME/effnet, else $HOME/.cache/effnet. Throws Error(environment) if none of the
// three variables is set.
std::filesystem::path home_folder();
std::filesystem::path pulled_path(const std::string& name);  // where `effnet pull NAME` puts the model file

}  // namespace effnet::formats

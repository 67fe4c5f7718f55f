// Resolves a MODEL argument (docs/cli.md): a name of the family, a file with weights, a run folder or an arch file.
// Finds where the weights are; model_file.h reads them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"

namespace effnet::formats {

enum class WeightsFrom { file, pulled, random };
std::string_view name(WeightsFrom from);  // "file", "pulled", "random", as in JSON results

struct FoundModel {
  std::string name;                 // a name of the family; empty if MODEL is something else
  std::filesystem::path file;       // for read_model: a model file or a checkpoint; empty: no weights
  std::filesystem::path arch_file;  // a .toml file; empty if MODEL is something else
  WeightsFrom weights = WeightsFrom::random;
};

enum class Pulled { find, ignore };  // ignore: the caller needs the network only, not its weights

// A name of the family has priority over a file or folder with that name; "./NAME" means the file. Checks only which
// paths exist; the contents are checked when a file is read.
//
// Throws Error(input) for an unknown name, a path that is missing or cannot be examined, a folder that is not a run, a
// run without a model, and a pulled model that exists but cannot be reached (a dangling link). Throws
// Error(environment) if the folder of pulled models cannot be read. Random weights never replace weights that exist but
// cannot be reached.
FoundModel find_model(const std::string& model, Pulled pulled = Pulled::find);

// An architecture with its preprocessing. describe() reads the model file or the arch file, but no tensor data.
struct ModelDescription {
  arch::ArchSpec arch;
  Preprocessing preprocessing;
};
ModelDescription describe(const FoundModel& found);

// Returns $EFFNET_HOME, else $XDG_CACHE_HOME/effnet, else ~/.cache/effnet. Throws Error(environment) if none is set.
std::filesystem::path home_folder();
std::filesystem::path pulled_path(const std::string& name);  // where `effnet pull NAME` puts the model file

}  // namespace effnet::formats

// MODEL, wherever effnet takes one (docs/cli.md): a name of the family, a file with weights, a run folder or an arch
// file. Says where the weights are; reading them is left to model_file.h.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"

namespace effnet::formats {

enum class WeightsFrom { file, pulled, random };
std::string_view name(WeightsFrom from);  // "file", "pulled", "random": as results say it

struct FoundModel {
  std::string name;            // of the family; empty unless MODEL is such a name
  std::filesystem::path file;  // for read_model: a model file or a checkpoint of a run; empty: there are no weights
  std::filesystem::path arch_file;  // a .toml; empty unless MODEL is one
  WeightsFrom weights = WeightsFrom::random;
};

enum class Pulled { find, ignore };  // ignore: for whoever needs the network alone, not its weights

// A name of the family goes before a file or folder of that name in the current folder, which "./NAME" means. Only
// looks whether things are there; what a file holds shows when it is read.
//
// Throws Error(input) for a name that is none, a path that is missing or cannot be looked at, a folder that is no run
// or a run without a model, and for a pulled model that is there but cannot be reached (a link to nothing);
// Error(environment) if the folder of pulled models cannot be looked into. Never random weights in place of those.
FoundModel find_model(const std::string& model, Pulled pulled = Pulled::find);

// The architecture with the preprocessing that belongs to it. Reads the file or the arch file; tensors are not touched.
struct Described {
  arch::ArchSpec arch;
  Preprocessing preprocessing;
};
Described describe(const FoundModel& found);

// $EFFNET_HOME, else $XDG_CACHE_HOME/effnet, else ~/.cache/effnet. Throws Error(environment) if none is set.
std::filesystem::path home_folder();
std::filesystem::path pulled_path(const std::string& name);  // where `effnet pull NAME` puts the model file

}  // namespace effnet::formats

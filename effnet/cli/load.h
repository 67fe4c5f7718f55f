// MODEL on the command line: a name, a model file or an arch file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/cli/command.h"
#include "effnet/formats/model_file.h"

namespace effnet::cli {

// The architecture alone (cheap: weights are not touched), with the preprocessing that belongs to it.
struct Described {
  arch::ArchSpec arch;
  Preprocessing preprocessing;
};
Described describe(const std::string& model);

struct LoadOptions {
  bool random = false;  // random weights even where pulled ones exist
  std::uint64_t seed = 0;
  void declare(CLI::App& command);
};
// With weights. Random ones come with a warning.
formats::Model load_model(const std::string& model, const LoadOptions& options, ThreadPool& pool);

// $EFFNET_HOME, else $XDG_CACHE_HOME/effnet, else ~/.cache/effnet.
std::filesystem::path home_folder();
std::filesystem::path pulled_path(const std::string& name);  // where `effnet pull NAME` puts the model file

// --threads, else $EFFNET_THREADS, else the usable cores. Throws Error(usage) for an $EFFNET_THREADS that is no number.
int thread_count(const Globals& globals);

}  // namespace effnet::cli

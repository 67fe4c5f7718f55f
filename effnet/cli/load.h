// MODEL and what several commands say about it on the command line.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/program.h"
#include "effnet/formats/find_model.h"
#include "effnet/model/model_handle.h"

namespace effnet::cli {

using formats::home_folder;

// The help of every command's MODEL.
inline constexpr const char* kModelHelp =
    "A name from 'effnet models', a model file, a run folder or one of its checkpoints, or a .toml arch file";
inline constexpr const char* kBackendHelp = "engine, or reference: the slow executor that it is compared with";

struct LoadOptions {
  bool random = false;  // random weights even where pulled ones exist
  std::uint64_t seed = 0;
  void declare(CLI::App& command);
};

// The model, with a warning if its weights are random. `pool` and `out` outlive it.
model::ModelHandle load_model(const std::string& model, const LoadOptions& options, ThreadPool& pool, Output& out);

// --resolution of whoever prepares images: the model's rule, at another size if `resolution` is not empty.
Preprocessing preprocessing_at(const model::ModelHandle& model, const std::string& resolution);

// --backend: a name of model/executor.h, else Error(usage).
void check_backend_name(const std::string& name);
// --precision: fp32. Throws Error(environment) for a planned one and Error(usage) for an unknown one.
void check_precision(const std::string& precision);
// --seconds: above 0, at most a day, else Error(usage).
void check_seconds(double seconds);

}  // namespace effnet::cli

// Loading of MODEL, and options that several commands share.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/program.h"
#include "effnet/formats/find_model.h"
#include "effnet/model/model_handle.h"

namespace effnet::cli {

using formats::home_folder;

// Help texts that several commands share.
inline constexpr const char* kModelHelp =
    "A name from 'effnet models', a model file, a run folder or one of its checkpoints, or a .toml arch file";
inline constexpr const char* kBackendHelp = "Compute with engine, or with reference (slow, for comparison)";
inline constexpr const char* kLabelsHelp =
    "Read the classes of the images in DIR from this file: lines 'file,class', or with a header 'file,class,split'";
// Why the name of an arch file that a command writes must end in .toml: formats::find_model() requires it.
inline constexpr const char* kArchFileName = "a MODEL is an arch file only if its name ends in .toml";
inline constexpr const char* kPrecisionHelp = "Compute in this precision: fp32 (bf16 and int8 are not built yet)";
inline constexpr const char* kResolutionHelp =
    "Use this input size: pixels, or HxW; the crop rule scales with it [the model's]";

struct LoadOptions {
  bool random = false;  // random weights even if pulled ones exist
  std::uint64_t seed = 0;
  void declare(CLI::App& command);
};

// Returns the model; warns if its weights are random. `pool` and `out` must outlive the model.
model::ModelHandle load_model(const std::string& model, const LoadOptions& options, ThreadPool& pool, Output& out);

// Returns the model's preprocessing, scaled to the size in `resolution` (--resolution) unless that is empty.
Preprocessing preprocessing_at(const model::ModelHandle& model, const std::string& resolution);

// --backend: throws Error(usage) unless `name` is one of model::executor_names().
void check_backend_name(const std::string& name);
// --precision: accepts fp32. Throws Error(environment) for a planned precision, Error(usage) for an unknown one.
void check_precision(const std::string& precision);
// --seconds: throws Error(usage) unless above 0 and at most one day.
void check_seconds(double seconds);

}  // namespace effnet::cli

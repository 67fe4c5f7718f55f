// MODEL on the command line (effnet/formats/find_model.h): what it is, and its weights when they are asked for.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/program.h"
#include "effnet/formats/find_model.h"
#include "effnet/formats/model_file.h"

namespace effnet::cli {

using formats::home_folder;

// The help of every command's MODEL.
inline constexpr const char* kModelHelp =
    "A name from 'effnet models', a model file, a run folder or one of its checkpoints, or a .toml arch file";

struct LoadOptions {
  bool random = false;  // random weights even where pulled ones exist
  std::uint64_t seed = 0;
  void declare(CLI::App& command);
};

// A model whose tensors come when they are asked for: an engine that finds packed ones needs none.
class LoadedModel {
 public:
  // Reads a model file's header or an arch; of random weights nothing is computed. Random ones come with a warning.
  // `pool` and `out` outlive the model. Throws what find_model and read_model throw.
  LoadedModel(const std::string& model, const LoadOptions& options, ThreadPool& pool, Output& out);
  LoadedModel(formats::Model model, ThreadPool& pool, Output& out);  // one that is in memory

  const arch::ArchSpec& arch() const { return model_.arch; }
  const Preprocessing& preprocessing() const { return model_.preprocessing; }
  const formats::Model& info() const { return model_; }  // all but the weights, which may not be there yet
  const formats::Model& whole();                         // with them: computed or read at the first call
  void forget_weights();                                 // frees them; whole() would make them again

  // "file", "pulled" or "random": the field `weights` of every result that used them.
  std::string_view weights_from() const { return formats::name(weights_); }

  // What tells these weights from others (engine::CacheKey::weights); empty if they may not be cached.
  const std::string& identity() const { return identity_; }

  Output& out() const { return out_; }

 private:
  ThreadPool& pool_;
  Output& out_;
  formats::WeightsFrom weights_ = formats::WeightsFrom::file;
  formats::Model model_;
  std::string identity_;
  std::filesystem::path file_;         // of weights from a file
  std::optional<std::uint64_t> seed_;  // of random ones
};

}  // namespace effnet::cli

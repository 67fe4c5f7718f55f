// MODEL on the command line: a name, a model file or an arch file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/cli/program.h"
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

// A model whose tensors come when they are asked for: an engine that finds packed ones needs none.
class LoadedModel {
 public:
  // Reads a model file's header or an arch; of random weights nothing is computed. Random ones come with a warning.
  // `pool` outlives the model.
  LoadedModel(const std::string& model, const LoadOptions& options, ThreadPool& pool);
  LoadedModel(formats::Model model, ThreadPool& pool);  // one that is in memory

  const arch::ArchSpec& arch() const { return model_.arch; }
  const Preprocessing& preprocessing() const { return model_.preprocessing; }
  const formats::Model& info() const { return model_; }  // all but the weights, which may not be there yet
  const formats::Model& whole();                         // with them: computed or read at the first call
  void forget_weights();                                 // frees them; whole() would make them again

  // What tells these weights from others (engine::CacheKey::weights); empty if they may not be cached.
  const std::string& identity() const { return identity_; }

 private:
  ThreadPool& pool_;
  formats::Model model_;
  std::string identity_;
  std::filesystem::path file_;         // of weights from a file
  std::optional<std::uint64_t> seed_;  // of random ones
};

// $EFFNET_HOME, else $XDG_CACHE_HOME/effnet, else ~/.cache/effnet.
std::filesystem::path home_folder();
std::filesystem::path pulled_path(const std::string& name);  // where `effnet pull NAME` puts the model file

}  // namespace effnet::cli

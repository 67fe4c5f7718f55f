// A model ready to be used: its architecture, preprocessing and labels at once, its weights when they are asked for,
// its packed weights from the cache under EFFNET_HOME. What MODEL may be: effnet/formats/find_model.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "effnet/base/export.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/packed_weights.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/isa.h"

namespace effnet::model {

// Told what takes long when it begins, and what could not be kept. For a person who waits; nothing depends on it.
using Note = std::function<void(std::string_view text)>;

struct HandleOptions {
  bool random = false;     // random weights even where pulled ones exist
  std::uint64_t seed = 0;  // of random weights
  Note note = {};
};

// Used by one thread at a time.
class EFFNET_API ModelHandle {
 public:
  // Reads a model file's header or an arch; of random weights nothing is computed yet. `pool` outlives the handle.
  // Throws what formats::find_model and read_model throw.
  ModelHandle(const std::string& model, const HandleOptions& options, ThreadPool& pool);
  ModelHandle(formats::Model model, ThreadPool& pool);  // one that is in memory

  const arch::ArchSpec& arch() const { return model_.arch; }
  const Preprocessing& preprocessing() const { return model_.preprocessing; }
  const formats::Model& info() const { return model_; }  // all but the weights, which may not be there yet
  std::string label(std::size_t class_index) const;      // "class 7" where the model has none

  // The network at its nominal resolution or at `size`, lowered once as long as the size stays the same.
  std::shared_ptr<const graph::Graph> graph(std::optional<Size> size = {});

  const formats::Model& load_weights();  // with the weights: computed or read at the first call
  void release_weights();                // frees them; load_weights() makes them again
  // From the cache, where only the file is read; else packed from the weights, which are freed afterwards, and stored.
  // A cache that cannot be written is no fault: `note` is told.
  std::shared_ptr<const engine::PackedWeights> packed(kernels::Isa isa);

  std::string_view weights_from() const;                           // "file", "pulled" or "random"
  const std::string& family_name() const { return family_name_; }  // empty unless MODEL was a name of the family
  // Why the answers mean nothing: "NAME has random weights (seed 0): ..."; empty for weights that were trained.
  std::string warning() const;
  // What tells these weights from others (engine::CacheKey::weights); empty if they may not be cached.
  const std::string& identity() const { return identity_; }

 private:
  ThreadPool& pool_;
  Note note_;
  formats::Model model_;
  std::string family_name_, identity_;
  std::filesystem::path file_;         // of weights from a file
  bool pulled_ = false;                // that file
  std::optional<std::uint64_t> seed_;  // of random ones
  std::shared_ptr<const graph::Graph> graph_;
};

}  // namespace effnet::model

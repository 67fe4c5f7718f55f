// Opens a model by its MODEL argument (effnet/formats/find_model.h). The constructor reads architecture, preprocessing
// and labels. Weights are loaded on demand. Packed weights come from the cache under EFFNET_HOME.
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

// Receives messages for the user: when something slow begins, and when packed weights could not be stored.
using Note = std::function<void(std::string_view text)>;

struct HandleOptions {
  bool random = false;     // random weights even if pulled ones exist
  std::uint64_t seed = 0;  // of random weights
  Note note = {};
};

// One thread at a time may use it.
class EFFNET_API ModelHandle {
 public:
  // Reads a model file or an arch file. Random weights are not computed yet. Keeps a reference to `pool`. Throws the
  // errors of formats::find_model and formats::read_model.
  ModelHandle(const std::string& model, const HandleOptions& options, ThreadPool& pool);
  ModelHandle(formats::Model model, ThreadPool& pool);  // for a model in memory

  const arch::ArchSpec& arch() const { return model_.arch; }
  const Preprocessing& preprocessing() const { return model_.preprocessing; }
  const formats::Model& info() const { return model_; }  // complete except for the weights, which may be missing
  std::string label(std::size_t class_index) const;      // "class 7" if the model has no labels

  // Returns the graph at `size`, by default the nominal resolution. Lowers it again only if the size changes.
  std::shared_ptr<const graph::Graph> graph(std::optional<Size> size = {});

  const formats::Model& load_weights();  // loads or computes the weights if needed; returns the complete model
  void release_weights();                // frees the weights if load_weights() can restore them
  // Returns packed weights, mapped from the cache if it has them. Otherwise loads the weights, packs them, releases the
  // unpacked weights and stores the result in the cache. If the cache cannot be written, `note` receives a message.
  std::shared_ptr<const engine::PackedWeights> packed(kernels::Isa isa);

  std::string_view weights_from() const;                           // "file", "pulled" or "random"
  const std::string& family_name() const { return family_name_; }  // empty if MODEL was not the name of a known network
  // Returns a warning if the weights are random: "NAME has random weights (seed 0): ..."; otherwise an empty text.
  std::string warning() const;
  // Returns the identity of these weights (engine::CacheKey::weights); empty if they cannot be cached.
  const std::string& identity() const { return identity_; }

 private:
  ThreadPool& pool_;
  Note note_;
  formats::Model model_;
  std::string family_name_, identity_;
  std::filesystem::path file_;         // the file of the weights; empty if they are random or in memory
  bool pulled_ = false;                // whether file_ was pulled
  std::optional<std::uint64_t> seed_;  // of random weights
  std::shared_ptr<const graph::Graph> graph_;
};

}  // namespace effnet::model

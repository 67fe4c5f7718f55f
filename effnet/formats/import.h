// Published weights -> Model. The format is told by content, the names by a probe tensor, the network by trying the
// family (or by `arch`) until names and dims fit exactly, and numerics and preprocessing come from the source's row in
// sources.cc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/formats/model_file.h"
#include "effnet/formats/read_weights.h"

namespace effnet::formats {

struct ImportOptions {
  std::string arch = {};                      // a name of the family; empty: find it
  std::optional<arch::ArchSpec> spec = {};    // instead of `arch`: a network of one's own
  std::optional<std::int64_t> classes = {};   // checked against the file's
  std::string source = {};                    // tf, timm, torchvision, lukemelas or effnet; empty: by the names
  std::optional<arch::Padding> padding = {};  // instead of the source's
  std::optional<double> bn_epsilon = {};      // the same
  std::optional<bool> averaged = {};  // the average of the weights, or the plain ones; none: what nests.h prefers
  bool strict = false;                // every tensor of the file must have a place
};

struct ImportReport {
  std::string format;               // of the file: "safetensors", "pth", "pth-legacy"
  std::string source;               // whose numerics: torchvision, timm, tf, lukemelas, effnet
  std::string names;                // whose names
  std::int64_t tensors = 0;         // used
  std::int64_t params = 0;          // trainable, of the network
  std::string prefix;               // what stood before the names: "model_ema.module."
  bool averaged = false;            // the weights are an average over training steps
  std::vector<std::string> unused;  // leftovers of training: averages' twins, slots, steps, counters, a loss's weights;
                                    // no num_batches_tracked
  std::vector<std::string> warnings;
};

struct ImportResult {
  Model model;
  ImportReport report;
};

// Throws Error(input) if the file cannot be read, no probe tensor is there, no network fits (with `arch` or `spec`:
// what does not), a weight is NaN or infinite, or the classes are not those asked for; Error(usage) for an unknown
// source, a number out of range, or a file that two sources' numerics fit and that nothing decides.
//
// Where in the file the network stands is found by nests.h. A tensor that no kind of layer has as a parameter may be
// left over: it is listed in `unused`, with a warning (`strict`: Error(input)). A layer's parameter may not.
//
// A file that effnet wrote itself is read by its metadata, unless `arch`, `spec` or `source` is given.
ImportResult import_weights(const std::filesystem::path& file, const ImportOptions& options = {});
// The same of a file that is open: for whoever looked into it first.
ImportResult import_weights(const WeightsFile& opened, const ImportOptions& options = {});

}  // namespace effnet::formats

// Converts published weights to a Model. The file's content decides the format, and a probe tensor the naming scheme.
// The network is the first of the family (or `arch`) whose names and dims match exactly. Numerics and preprocessing
// come from the source's row in sources.cc.
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
  std::string arch = {};                      // a name of the family; empty: detected
  std::optional<arch::ArchSpec> spec = {};    // instead of `arch`: a custom network
  std::optional<std::int64_t> classes = {};   // must equal the file's number
  std::string source = {};                    // tf, timm, torchvision, lukemelas or effnet; empty: detected
  std::optional<arch::Padding> padding = {};  // overrides the source's
  std::optional<double> bn_epsilon = {};      // overrides the source's
  std::optional<bool> averaged = {};          // true: averaged weights, false: plain ones; none: see weights_location.h
  bool strict = false;                        // an unused tensor in the file is an error
};

struct ImportReport {
  std::string format;               // of the file: "safetensors", "pth", "pth-legacy"
  std::string source;               // of the numerics: torchvision, timm, tf, lukemelas, effnet
  std::string names;                // the naming scheme
  std::int64_t tensors = 0;         // number of tensors that were used
  std::int64_t params = 0;          // trainable parameters of the network
  std::string prefix;               // the prefix of the names in the file: "model_ema.module."
  bool averaged = false;            // the weights are an average over training steps
  std::vector<std::string> unused;  // training state: plain weights beside averages, slots, steps, counters, a loss's
                                    // weights; without num_batches_tracked
  std::vector<std::string> warnings;
};

struct ImportResult {
  Model model;
  ImportReport report;
};

// Throws Error(input) if the file cannot be read, has no probe tensor, fits no network (with `arch` or `spec` the
// message says what does not fit), contains a weight that is NaN or infinite, or has another number of classes than
// requested. Throws Error(usage) for an unknown source, a number out of range, or a file for which two sources are
// possible and nothing decides between them.
//
// weights_location.h finds the network inside the file. A tensor that is not named as a parameter of any layer may be
// left over: it is listed in `unused` and causes a warning (with `strict`: Error(input)). A layer's parameter that the
// network does not have is an error.
//
// For a file that effnet wrote, the metadata decides, unless `arch`, `spec` or `source` is given.
ImportResult import_weights(const std::filesystem::path& file, const ImportOptions& options = {});
// As above, for a file that is already open.
ImportResult import_weights(const WeightsFile& opened, const ImportOptions& options = {});

}  // namespace effnet::formats

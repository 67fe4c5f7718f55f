// Converts published weights to a Model.
// - The file's content decides its format.
// - The probe tensor of a naming scheme (names.h) decides the scheme: every file with these names contains this tensor.
// - The network is `arch` or `spec`. If neither is given, it is the first named model (arch/family.h) whose tensor
//   names and dims match the file exactly.
// - The batch-norm epsilon, the padding and the preprocessing come from the source's row in sources.cc.
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
  std::string arch = {};                      // a named model; empty: detected
  std::optional<arch::ArchSpec> spec = {};    // a custom network, used instead of `arch`
  std::optional<std::int64_t> classes = {};   // the file must have this number of classes
  std::string source = {};                    // tf, timm, torchvision, lukemelas or effnet; empty: detected
  std::optional<arch::Padding> padding = {};  // overrides the padding of the source
  std::optional<double> bn_epsilon = {};      // overrides the epsilon of the source
  // true: averaged weights; false: plain weights (not averaged); nullopt: averaged weights if the file has them.
  std::optional<bool> averaged = {};
  bool strict = false;  // an unused tensor in the file is an error
};

struct ImportReport {
  std::string format;               // of the file: "safetensors", "pth", "pth-legacy"
  std::string source;               // whose epsilon and padding apply: torchvision, timm, tf, lukemelas, effnet
  std::string names;                // naming scheme of the file: torchvision, timm, tf, lukemelas, effnet
  std::int64_t tensors = 0;         // number of tensors that were used
  std::int64_t params = 0;          // trainable parameters of the network
  std::string prefix;               // the prefix of the names in the file: "model_ema.module."
  bool averaged = false;            // the weights are an average over training steps
  std::vector<std::string> unused;  // the file's tensors that are not used, such as step counts and optimiser slots;
                                    // num_batches_tracked is not listed
  std::vector<std::string> warnings;
};

struct ImportResult {
  Model model;
  ImportReport report;
};

// Throws Error(input) if the file cannot be read, has no probe tensor, fits no network (with `arch` or `spec` the
// message says what does not fit), contains a weight that is NaN or infinite, or has another number of classes than
// requested. Throws Error(usage) for an unknown source, for a number out of range, and if two sources are possible and
// neither the options nor the file's name decide between them.
//
// weights_location.h finds the network inside the file, and fit.h finds the tensors that are not used. If the name of
// such a tensor looks like a layer's parameter, Error(input) is thrown. Any other such tensor is listed in `unused`;
// with `strict`, Error(input) is thrown. It also causes a warning, unless it is known training state.
//
// A file that effnet wrote is imported by its metadata, unless `arch`, `spec` or `source` is given.
ImportResult import_weights(const std::filesystem::path& file, const ImportOptions& options = {});
// As above, for a file that is already opened.
ImportResult import_weights(const WeightsFile& opened, const ImportOptions& options = {});

}  // namespace effnet::formats

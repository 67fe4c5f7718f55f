// The model file: a safetensors file with weights. Its __metadata__ has everything else that is needed to run the
// network, so no other file is needed. Any safetensors reader can open a model file.
//
// clang-format off
//
//   effnet.format          "1"; a higher number is rejected
//   effnet.arch            the arch as TOML text (effnet/arch/spec.h)
//   effnet.preprocessing   a JSON object with all of these members:
//     rule                 text: name of the preprocessing rule (effnet/base/preprocessing_rules.h)
//     crop, resize         [height, width] in pixels, whole numbers from 1 to 65535
//     order, filter        texts: names of a CropOrder and of a Filter (effnet/base/preprocessing.h)
//     fixed_margin         true or false
//     mean, std            [red, green, blue], numbers
//   effnet.labels          a JSON list of texts, one per class: ["tench", ...]; may be absent
//   effnet.class_ids       a JSON list of texts, one per class: ["n01440764", ...]; may be absent
//   effnet.calibration     a JSON object of numbers; may be absent
//     temperature, min_score    the members of Calibration (below)
//   effnet.provenance      a JSON object of texts; may be absent
//     source, format, file, sha256, names    the members of Provenance (below) with these names
//     any other key        an entry of Provenance::extra
// clang-format on
//
// Tensors are named "<node>.<role>" (effnet/graph/graph.h) and are float32 in PyTorch's order. Names that begin with
// "effnet." are reserved for later versions; this version keeps such tensors unchanged.
//
// A training checkpoint can also be read as a model. It has the additional key effnet.checkpoint. Its tensors are named
// "model/<parameter>" (plain weights: those that the optimiser updates) and "ema/<parameter>" (averaged weights, if the
// run has them). Tensors with other names are read by training only.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct Provenance {
  std::string source;  // project whose epsilon and padding apply: torchvision, timm, tf, lukemelas, effnet
  std::string format;  // of the imported file: "safetensors", "pth", ...
  std::string file;    // name of the imported file, without folders
  std::string sha256;  // of the imported file's bytes
  std::string names;   // naming scheme of the imported file (names.h): torchvision, timm, tf, lukemelas, effnet
  std::map<std::string, std::string> extra;
  friend bool operator==(const Provenance&, const Provenance&) = default;
};

// How a trained classifier's logits become scores, measured on validation images (effnet/metrics/temperature.h).
struct Calibration {
  double temperature = 1;  // score = softmax(logits / temperature); 0.01 to 100
  double min_score = 0;    // a prediction with a smaller score is answered "not sure"; 0 to 1
  friend bool operator==(const Calibration&, const Calibration&) = default;
};

struct Model {
  arch::ArchSpec arch;
  tensor::Weights weights;  // effnet's names, float32; no metadata
  Preprocessing preprocessing;
  std::vector<std::string> labels;     // empty, or one per class
  std::vector<std::string> class_ids;  // empty, or one per class
  Provenance provenance;
  std::optional<Calibration> calibration;
};

// Returns true for a model file and for a checkpoint: both have effnet's metadata.
EFFNET_API bool is_model_file(const tensor::Weights& weights);

EFFNET_API bool has_average(const tensor::Weights& weights);  // true for a checkpoint that has averaged weights

// Which weights to read from a checkpoint. if_present: averaged weights, and plain weights for the parameters that have
// no average. never: only plain weights.
enum class Averaged { if_present, never };

// Throws Error(input) if the file is not a model file (the hint names `effnet import`), has a newer format, or violates
// one of these rules: the arch text is valid and gives a graph; every parameter is present with its dims; there are no
// other tensors; labels are absent or one per class; sizes are 1 to 65535 and resize >= crop; mean is finite; std is
// finite and above zero; the numbers of the calibration are within their ranges. Tensors of other floating types become
// float32; float32 tensors are views of the mapped file.
EFFNET_API Model read_model(const std::filesystem::path& path);
// As read_model, but from weights that are already read, such as the result of read_safetensors().
EFFNET_API Model parse_model(const tensor::Weights& weights, Averaged averaged = Averaged::if_present);

// Makes the checks of read_model, then writes the file. The file is written completely or not at all. The same model
// gives the same bytes.
EFFNET_API void write_model(const std::filesystem::path& path, const Model& model);
// Returns the metadata that write_model writes. Makes the checks of read_model, except the checks of tensors: `model`
// may have none yet. Training calls this at its start to find out whether it can write the model at its end.
EFFNET_API std::map<std::string, std::string> model_metadata(const Model& model);

}  // namespace effnet::formats

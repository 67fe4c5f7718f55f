// The model file: safetensors with weights, and a __metadata__ that has everything needed to run them. Any safetensors
// reader can open it; running it needs no other file.
//
// clang-format off
//
//   effnet.format          "1"; a higher number is rejected
//   effnet.arch            the arch as TOML text (effnet/arch/spec.h)
//   effnet.preprocessing   a JSON object with all of
//     rule                 text: name of the preprocessing rule (effnet/base/preprocessing_rules.h)
//     crop, resize         [height, width], whole numbers from 1 to 65535
//     order, filter        texts: names of effnet/base/preprocessing.h
//     fixed_margin         true or false
//     mean, std            [red, green, blue], numbers
//   effnet.labels          a JSON list of texts, one per class: ["tench", ...]; may be absent
//   effnet.class_ids       the same: ["n01440764", ...]; may be absent
//   effnet.provenance      a JSON object of texts; may be absent
//     source, format, file, sha256, names    as in Provenance below
//     any other key        Provenance::extra, unchanged
// clang-format on
//
// Tensors are named "<node>.<role>" (effnet/graph/graph.h) and are float32 in PyTorch's order. Names that begin with
// "effnet." are reserved for later versions; this version keeps such tensors unchanged.
//
// A training checkpoint can also be read as a model. It has the additional key effnet.checkpoint. Its tensors are named
// "model/<parameter>" (weights), "ema/<parameter>" (averaged weights, if the run keeps them) and other names that only
// training reads.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct Provenance {
  std::string source;  // project whose numerics apply: torchvision, timm, tf, lukemelas, effnet
  std::string format;  // of the imported file: "safetensors", "pth", ...
  std::string file;    // name of the imported file, without folders
  std::string sha256;  // of the imported file's bytes
  std::string names;   // the NameScheme of its tensor names
  std::map<std::string, std::string> extra;
  friend bool operator==(const Provenance&, const Provenance&) = default;
};

struct Model {
  arch::ArchSpec arch;
  tensor::Weights weights;  // effnet's names, float32; no metadata
  Preprocessing preprocessing;
  std::vector<std::string> labels;     // empty, or one per class
  std::vector<std::string> class_ids;  // empty, or one per class
  Provenance provenance;
};

EFFNET_API bool is_model_file(const tensor::Weights& weights);  // a model file or checkpoint: has effnet metadata

EFFNET_API bool has_average(const tensor::Weights& weights);  // a checkpoint with averaged weights

// Which weights of a checkpoint to read: the averaged ones, with plain weights for parameters without an average; or
// only the plain ones.
enum class Averaged { if_present, never };

// Throws Error(input) if the file is not a model file (the hint names `effnet import`), has a newer format, or violates
// a rule: the arch parses and lowers; every parameter is present with its dims; there are no other tensors; labels are
// absent or one per class; sizes are 1 to 65535 and resize >= crop; mean is finite; std is finite and above zero.
// Tensors of other floating types become float32; float32 tensors are views of the mapped file.
EFFNET_API Model read_model(const std::filesystem::path& path);
// As read_model, from weights that a reader returned.
EFFNET_API Model parse_model(const tensor::Weights& weights, Averaged averaged = Averaged::if_present);

// Makes the checks of read_model, then writes the file. It appears whole or not at all. The same model gives the same
// bytes.
EFFNET_API void write_model(const std::filesystem::path& path, const Model& model);
// Returns the metadata that write_model writes. Makes the checks of read_model except those of tensors, which may still
// be missing. So training finds out at its start whether it can write the model at its end.
EFFNET_API std::map<std::string, std::string> model_metadata(const Model& model);

}  // namespace effnet::formats

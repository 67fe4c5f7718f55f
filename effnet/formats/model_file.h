// A model in one file: safetensors whose __metadata__ holds all that the weights need to be used. Any safetensors
// reader opens it; nothing but the file is needed to run it.
//
// clang-format off
//
//   effnet.format          "1"; a higher number is refused
//   effnet.arch            the arch as TOML text (effnet/arch/spec.h)
//   effnet.preprocessing   a JSON object with all of
//     rule                 text: the rule it comes from (effnet/base/preprocessing_rules.h)
//     crop, resize         [height, width], whole numbers from 1 to 65535
//     order, filter        texts: names of effnet/base/preprocessing.h
//     fixed_margin         true or false
//     mean, std            [red, green, blue], numbers
//   effnet.labels          a JSON list of texts, one a class: ["tench", ...]; may be absent
//   effnet.class_ids       the same: ["n01440764", ...]; may be absent
//   effnet.provenance      a JSON object of texts; may be absent
//     source, format, file, sha256, names    as in Provenance below
//     any other key        as it is: Provenance::extra
// clang-format on
//
// Tensors are called "<node>.<role>" (effnet/graph/graph.h) and are float32 in PyTorch's order. Names that begin
// "effnet." are reserved for what later versions add; this one keeps them as they are.
//
// A training checkpoint is read as a model, too: it has the key effnet.checkpoint beside those above, and its tensors
// are called "model/<parameter>", "ema/<parameter>" (the average of the weights, where a run keeps one) and other names
// that only training reads.
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
  std::string source;  // who the numerics are from: torchvision, timm, tf, lukemelas, effnet
  std::string format;  // of the file that was imported: "safetensors", "pth", ...
  std::string file;    // its name without folders
  std::string sha256;  // of its bytes
  std::string names;   // the NameScheme its tensors were called by
  std::map<std::string, std::string> extra;
  friend bool operator==(const Provenance&, const Provenance&) = default;
};

struct Model {
  arch::ArchSpec arch;
  tensor::Weights weights;  // our names, float32; no metadata
  Preprocessing preprocessing;
  std::vector<std::string> labels;     // empty, or one a class
  std::vector<std::string> class_ids;  // the same
  Provenance provenance;
};

EFFNET_API bool is_model_file(const tensor::Weights& weights);  // has effnet metadata: a model file or a checkpoint

EFFNET_API bool has_average(const tensor::Weights& weights);  // a checkpoint with averaged weights

// Which of a checkpoint's weights: the average's (what it lacks, the plain ones give), or the plain ones.
enum class Averaged { where_there, never };

// Throw Error(input) if the file is no model file (the hint names `effnet import`), is of a newer format, or if
// anything does not agree: the arch parses and lowers; every parameter is there with its dims; no other tensors;
// labels one a class or none; sizes 1..65535 and resize >= crop; mean finite, std finite and above zero.
// Tensors of other floating types become float32; float32 ones are views of the mapped file.
EFFNET_API Model read_model(const std::filesystem::path& path);
// The same of what a reader gave.
EFFNET_API Model parse_model(const tensor::Weights& weights, Averaged averaged = Averaged::where_there);

// Checks as read_model does, then writes atomically; the same model gives the same bytes.
EFFNET_API void write_model(const std::filesystem::path& path, const Model& model);
// The metadata that write_model writes. Checks all that read_model checks but the tensors, which need not be there yet:
// whoever is going to write a model in the end learns at the beginning whether it can be written.
EFFNET_API std::map<std::string, std::string> model_metadata(const Model& model);

}  // namespace effnet::formats

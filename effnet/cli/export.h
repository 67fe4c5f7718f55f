// effnet export MODEL (--safetensors FILE | --pth FILE) [--names SOURCE] [--verify]: writes weights for other programs.
#pragma once

#include <optional>
#include <string>

#include "effnet/cli/load.h"

namespace effnet::cli {

struct ExportOptions {
  std::string model, onnx;
  int opset = 0;                 // of ONNX; 0: not given
  std::string safetensors, pth;  // the output file; exactly one is set
  std::string names;             // whose tensor names; empty: names_for() in export.cc chooses
  bool verify = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, ExportOptions& options);

struct ExportResult {
  std::string path, format, names, weights;
  std::size_t tensors = 0;
  std::optional<double> max_abs_diff;  // of the logits, after reading the file back; std::nullopt: not verified
};
ExportResult run_export(const ExportOptions& options, const Globals& globals, Output& out);
Json to_json(const ExportResult& result);
std::string to_text(const ExportResult& result);

}  // namespace effnet::cli

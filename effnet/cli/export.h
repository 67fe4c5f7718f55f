// effnet export MODEL (--safetensors FILE | --pth FILE) [--names SOURCE] [--verify]: weights for other programs.
#pragma once

#include <optional>
#include <string>

#include "effnet/cli/load.h"

namespace effnet::cli {

struct ExportOptions {
  std::string model, onnx;
  std::string safetensors, pth;  // one of them is the file to write
  std::string names;             // whose; empty: those the weights came with
  bool verify = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, ExportOptions& options);

struct ExportResult {
  std::string path, format, names, weights;
  std::size_t tensors = 0;
  std::optional<double> max_abs_diff;  // of the logits of what was read back; none: not verified
};
ExportResult run_export(const ExportOptions& options, const Globals& globals, Output& out);
Json to_json(const ExportResult& result);
std::string to_text(const ExportResult& result);

}  // namespace effnet::cli

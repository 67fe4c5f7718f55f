// effnet import FILE [--arch NAME] ... -o OUT.safetensors: converts a foreign checkpoint to a model file.
#pragma once

#include <optional>
#include <string>

#include "effnet/arch/spec.h"
#include "effnet/cli/command.h"
#include "effnet/formats/import.h"

namespace effnet::cli {

struct ImportOptions {
  std::string file = {};
  std::string arch = {};     // a name or an arch file; empty: detected from the tensors
  std::string source = {};   // decides batch-norm epsilon and padding; empty: detected from the tensor names
  std::string padding = {};  // "same" or "symmetric"; empty: the source's
  std::string weights = {};  // "model" or "ema"; empty: averaged weights if present
  std::optional<double> bn_epsilon = {};
  int classes = 0;  // expected number; 0: any number
  bool strict = false;
  std::string out = {};
};
void declare_options(CLI::App& command, ImportOptions& options);

struct ImportResult {
  std::string file, out;
  arch::ArchSpec arch;
  formats::ImportReport report;
};
ImportResult run_import(const ImportOptions& options, const Globals& globals, Output& out);
Json to_json(const ImportResult& result);
std::string to_text(const ImportResult& result);

}  // namespace effnet::cli

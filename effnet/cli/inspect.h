// effnet inspect MODEL [--resolution R] [--classes N] [--batch B] [--layers]: reports parameters, MACs and memory.
#pragma once

#include <optional>
#include <string>

#include "effnet/base/preprocessing.h"
#include "effnet/cli/command.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/graph.h"

namespace effnet::cli {

struct InspectOptions {
  std::string model = {};
  std::string resolution = {};  // empty: the model's
  int classes = 0;              // 0: the model's
  int batch = 1;
  bool layers = false;
};
void declare_options(CLI::App& command, InspectOptions& options);

struct InspectResult {
  std::string name = {};
  graph::Graph graph = {};
  graph::Costs costs = {};
  graph::ActivationMemory memory = {};  // for `batch` images
  Preprocessing preprocessing = {};
  std::optional<formats::Calibration> calibration = {};
  int batch = 1;
  bool layers = false;  // show every node
};
InspectResult run_inspect(const InspectOptions& options);
Json to_json(const InspectResult& result);
std::string to_text(const InspectResult& result);

}  // namespace effnet::cli

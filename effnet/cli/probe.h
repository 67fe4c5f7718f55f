// effnet probe MODEL --data DIR: measures how well a model's features separate the classes of a dataset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effnet/cli/load.h"
#include "effnet/transfer/probe.h"

namespace effnet::cli {

struct ProbeCommandOptions {
  std::string model, data, labels, resolution, out;
  bool no_cache = false, no_flip = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, ProbeCommandOptions& options);

struct ProbeResult {
  transfer::ProbeReport report;
  std::string weights, path;  // path: the saved model file; empty: not saved
  std::string folder;
  double seconds = 0;
  std::optional<std::int64_t> used_images = {};  // of MODEL's run (known_run.h); empty: MODEL is not from such a run
};
ProbeResult run_probe(const ProbeCommandOptions& o, const Globals& globals, Output& out);
Json to_json(const ProbeResult& result);
std::string to_text(const ProbeResult& result);

}  // namespace effnet::cli

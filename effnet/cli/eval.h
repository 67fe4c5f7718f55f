// effnet eval MODEL DIR: measures accuracy on labelled images.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/labelled_images.h"
#include "effnet/metrics/intervals.h"

namespace effnet::cli {

struct EvalOptions {
  std::string model, precision = "fp32", backend = "engine", resolution;
  LabelledOptions images;
  LoadOptions load;
};
void declare_options(CLI::App& command, EvalOptions& options);

struct EvalResult {
  std::int64_t images = 0;                        // images that could be read
  double top1 = 0, top5 = 0, mean_per_class = 0;  // percent
  metrics::Interval interval;                     // of top1, 0..1
  struct WorstClass {
    std::string name;
    std::int64_t images = 0;
    double recall = 0;  // percent
  } worst_class;        // the class with the smallest recall
  double images_per_second = 0;
  std::string weights;
  std::optional<std::int64_t> used_images = {};  // of MODEL's run (known_run.h); empty: MODEL is not from such a run
  std::int64_t classes = 0;
  std::vector<data::SkippedFile> skipped;
};
// Warns about skipped files, unless --json lists them.
EvalResult run_eval(const EvalOptions& o, const Globals& globals, Output& out);
Json to_json(const EvalResult& result);
std::string to_text(const EvalResult& result);

}  // namespace effnet::cli

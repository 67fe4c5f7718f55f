// effnet compare-models A B --data DIR: compares two models on the same labelled images.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/labelled_images.h"
#include "effnet/metrics/paired.h"

namespace effnet::cli {

struct CompareModelsOptions {
  std::string a, b, backend = "engine";
  LabelledOptions images;
  LoadOptions load;
};
void declare_options(CLI::App& command, CompareModelsOptions& options);

struct CompareModelsResult {
  struct Side {
    std::string model, weights;
    double top1 = 0, mean_per_class = 0;  // percent
    metrics::Interval interval;           // of top1, 0..1
    double images_per_second = 0;         // of the network, without decoding and resizing
    // Images that the model's run has used (known_run.h); empty: the model is not from such a run.
    std::optional<std::int64_t> used_images = {};
  };
  Side a, b;
  metrics::PairedCounts counts;
  metrics::Interval interval;  // of the difference of accuracy, b - a, -1..1
  double p = 1;                // of McNemar's test
  std::string folder;          // the folder that was read: DIR, or its split test or val
  std::vector<data::SkippedFile> skipped;
};
// Throws Error(input) if the two models do not have the same classes.
CompareModelsResult run_compare_models(const CompareModelsOptions& o, const Globals& globals, Output& out);
Json to_json(const CompareModelsResult& result);
std::string to_text(const CompareModelsResult& result);

// Returns for each class of `a` the index of the same class in `b`, matched by class id if both models have ids,
// otherwise by label. Models whose lists are equal, or that have no names, match by position. Throws Error(input) if
// the classes differ, if a name stands for two classes, or if only one model has names.
std::vector<std::size_t> matching_classes(const formats::Model& a, const formats::Model& b);

}  // namespace effnet::cli

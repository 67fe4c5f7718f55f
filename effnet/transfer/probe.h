// Measures how well a network's features separate the classes of a dataset: embeddings, then a linear probe and nearest
// neighbours. Takes seconds to minutes, because the network itself is not trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/formats/model_file.h"
#include "effnet/metrics/intervals.h"
#include "effnet/transfer/embed.h"
#include "effnet/transfer/label_errors.h"
#include "effnet/transfer/linear_probe.h"

namespace effnet::transfer {

// The images of a probe. All datasets have the classes of the first training set.
struct ProbeSets {
  std::vector<std::shared_ptr<const data::Dataset>> training;
  std::shared_ptr<const data::Dataset> evaluation;  // null: the figures come from cross-validation on the training sets
  std::string evaluated_on;                         // "test", "val" or "cross_validation"
};
// Opens the images of `--data DIR` and `--labels CSV`. With a test split: trains on train and val, evaluates on test.
// With train and val only: trains on train, evaluates on val. With train only, and for a bare source: cross-validation.
// Throws the errors of data::open_all.
ProbeSets open_probe_sets(const data::Source& source);

struct ProbeOptions {
  EmbedOptions embed = {};        // its `progress` is not used
  std::uint64_t seed = 0;         // of the folds
  std::optional<double> l2 = {};  // strength of the regularisation; empty: chosen by cross-validation
  // false: no label errors and, without images to evaluate, no accuracy; needs `l2`. It is the larger part of the time.
  bool cross_validation = true;
  bool neighbours = true;  // false: knn_k and knn_top1 are 0
  // Receives what is being done, and how much of it: "train", 17, 1020.
  std::function<void(std::string_view what, std::int64_t done, std::int64_t total)> progress = {};
};

struct ProbedImage {  // a probable label error
  std::string name;   // Dataset::name
  LabelError error;
};

struct ProbeReport {
  std::int64_t training_images = 0, images = 0;  // images: those that were evaluated
  std::string evaluated_on;                      // as in ProbeSets
  std::vector<std::string> classes;
  double top1 = 0, top5 = 0, mean_per_class = 0;  // percent
  metrics::Interval interval;                     // of top-1, 0..1
  double knn_top1 = 0;                            // percent; with cross-validation by leave-one-out
  std::int64_t knn_k = 0;
  double l2 = 0;  // as given, or chosen by cross-validation on the training images, or kL2WithoutChoice
  // Top-1 on left-out training images, percent. Empty: every class has one image, so that none can be left out, or
  // options.cross_validation is false.
  std::optional<double> cross_validation;
  std::vector<ProbedImage> label_errors;  // of the training images, the most probable first
  std::vector<data::CorruptImage> corrupt;
  LinearProbe probe;  // trained on all training images
};

// The strength if every class has a single training image, so that none can be left out to choose it.
inline constexpr double kL2WithoutChoice = 0.01;

// Results do not depend on the number of threads. Throws Error(input) if no class has two training images and there are
// no images to evaluate, and the errors of embed().
ProbeReport run_probe(const ProbeSets& sets, model::ModelHandle& model, ThreadPool& pool,
                      const ProbeOptions& options = {});

// Returns the model with the probe as its classifier: it gives the same logits as the probe does for the model's
// embeddings. `rule` is the preprocessing that the embeddings were computed with.
formats::Model with_probe(model::ModelHandle& model, const ProbeReport& report, const Preprocessing& rule);

}  // namespace effnet::transfer

// Reads and writes finetune.json of a run folder: what `effnet finetune` found in the data, chose and measured.
// `effnet finetune --resume` continues from it. docs/report.md describes the format. Every field except `version` may
// be absent or null. Fields of later versions are ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/metrics/intervals.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

struct FinetuneData {
  struct Broken {
    std::string path, why;
  };
  std::string folder, labels;  // absolute paths; `labels`: a list of labels, or empty
  std::optional<std::int64_t> images;
  std::vector<ClassCounts> classes;
  std::vector<Broken> broken;
  std::vector<std::vector<std::string>> duplicates, near_duplicates;  // groups of names
};

struct FinetuneSplit {
  std::int64_t train = 0, val = 0, test = 0;
  std::string by;  // "content": effnet chose all parts; "folders": all parts existed; "both": effnet chose val
  std::int64_t used_test = 0;  // images of test that the model was trained on before, or that chose its settings
};

// Accuracies are in percent.
struct FinetuneProbe {
  std::optional<double> val_top1, knn_top1, l2, seconds;
  std::optional<metrics::Interval> interval;  // of val_top1; 0..1
  // On the test images: the probe that was trained on the same images as the measured network. p: of McNemar's test of
  // the two (metrics/paired.h).
  std::optional<double> test_top1 = {}, test_p = {};
  std::optional<metrics::Interval> test_interval = {};
};

struct FinetuneChoice {  // of a setting, with the reason
  std::string setting, value, why;
};

struct FinetuneCalibration {
  double temperature = 1;
  std::optional<double> min_score = {}, coverage = {};  // 0..1
  // Validation images, those of them with a score of at least min_score, and those of these that were right. images =
  // 0: unknown.
  std::int64_t images = 0, accepted = 0, right = 0;

  metrics::Interval interval() const {
    return metrics::wilson_95(right, accepted);
  }  // of the accepted images' accuracy
};
// How far the validation images support that kSureAccuracy (metrics/temperature.h) of the answers above min_score are
// right: a clause such as "20 of the 20 validation images above it are right, which supports 83.9 % ...". Empty if the
// numbers are unknown.
std::string support_text(const FinetuneCalibration& calibration);

struct FinetuneResult {
  struct WorstClass {
    std::string name;
    double recall = 0;
    std::int64_t images = 0;
  };
  std::string metric = {};  // "top1" or "mean_per_class": what results on this dataset are published with; may be empty
  std::string model;        // what was measured: "final", or "trial" if the final model was trained on all images
  std::optional<std::int64_t> images = {};
  std::optional<double> test_top1 = {}, mean_per_class = {};
  std::optional<double> engine_top1 = {};          // of the same images, computed by the engine
  std::optional<metrics::Interval> interval = {};  // of test_top1; 0..1
  std::optional<WorstClass> worst_class = {};
};

struct FinetuneFile {
  std::string command, effnet, started, model;  // started: ISO 8601; effnet: the version
  std::vector<std::string> options = {};        // what --resume must not change: "--model efficientnet_lite0", ...
  FinetuneData data = {};
  std::optional<FinetuneSplit> split = {};
  std::optional<FinetuneProbe> probe = {};
  std::vector<FinetuneChoice> plan = {};
  std::optional<double> budget_s = {};
  double spent_s = 0;                                    // by the processes that are finished
  std::optional<double> trial_top1 = {};                 // of the trial on val, percent
  std::optional<metrics::Interval> trial_interval = {};  // of the best epoch on val, of a single run too
  double trial_s = 0;                                    // time budget of the trial; 0: no trial
  double final_epochs = 0;                               // of the run of the model; 0: the linear probe is the result
  std::optional<FinetuneCalibration> calibration = {};
  std::optional<FinetuneResult> result = {};
  std::vector<std::string> warnings = {};
};

// What fine-tuning gained on test over the linear probe: "fine-tuning is clearly more accurate than the linear probe,
// by 5.0 percentage points on test (p = 0.012)". Empty if the probe is the result, or if the numbers are unknown.
std::string gain_text(const FinetuneFile& file);

// Throws Error(input) with the path of the wrong field ("finetune.json: data.images: wrong value (got ...)"), if the
// text is not a JSON object or has more than 64 MiB, and for another version than 1.
FinetuneFile parse_finetune(std::string_view text, std::string_view source);
FinetuneFile read_finetune(const std::filesystem::path& file);
std::string finetune_text(const FinetuneFile& file);  // JSON

}  // namespace effnet::report

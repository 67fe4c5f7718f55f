// finetune.json in the run folder: what a fine-tuning run has decided, measured and finished so far. `effnet finetune
// --resume` continues from it, and the report reads it. docs/cli.md describes the fields.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "effnet/formats/model_file.h"

namespace effnet::train {

struct ClassCounts {  // images of a class in each part
  std::string name;
  std::int64_t train = 0, val = 0, test = 0;
};

struct NamedReason {
  std::string name, why;
};

struct DataFacts {
  std::string folder, labels;  // absolute paths; `labels` may be empty
  std::int64_t images = 0;
  std::vector<ClassCounts> classes;
  std::vector<NamedReason> corrupt;                                   // images that cannot be decoded
  std::vector<std::vector<std::string>> duplicates, near_duplicates;  // groups of image names
  std::string split_by;  // "content": all parts were chosen; "folders": all parts existed; "both": val was chosen
  ClassCounts total() const;
};

// Accuracies here and below are in percent, with their Wilson 95 % interval.
struct ProbeFacts {
  double val_top1 = 0, low = 0, high = 0, knn_top1 = 0, l2 = 0;
  double seconds = 0;  // from the start of the command to this result
};

struct Choice {  // a setting that was chosen
  std::string setting, value, why;
};

struct CalibrationFacts {
  formats::Calibration calibration;
  double coverage = 1;  // the fraction of the validation images whose score reaches min_score
};

struct ResultFacts {
  std::string model;  // the model that was measured: "final", or "trial" if the final one was trained on all images
  std::int64_t images = 0;
  double test_top1 = 0, low = 0, high = 0, mean_per_class = 0;
  double engine_top1 = 0;  // of the same images, computed by the engine
  std::string worst_class;
  double worst_recall = 0;
  std::int64_t worst_images = 0;
};

struct Record {
  std::string command, version, started, model;  // `started`: UTC, "2026-11-29T12:00:00Z"
  DataFacts data;
  double budget_s = 0;
  double spent_s = 0;  // by the processes before this one
  std::optional<ProbeFacts> probe;
  std::vector<Choice> plan;
  double trial_s = 0;  // time budget of the trial; 0: no time for one
  std::optional<CalibrationFacts> calibration;
  double final_epochs = 0;            // length of the final run; set with `calibration`
  std::optional<ResultFacts> result;  // set when everything is done
  std::vector<std::string> warnings;
};

std::string record_text(const Record& record);          // JSON
Record read_record(const std::filesystem::path& file);  // throws Error(input) that names the file

}  // namespace effnet::train

// Reads and writes metrics.csv and predictions.csv of a run folder. Training (effnet/train) writes them, the report
// reads them. docs/training.md and docs/report.md describe the formats.
//
// Both are CSV (RFC 4180) with a fixed header line; columns that a later version appends are ignored. A last line
// without a newline is ignored, because a process that is killed while it writes leaves such a line. All other faults
// throw Error(input) with the line number ("metrics.csv:7: train_loss: wrong value (got 'x', expected a number)"). A
// field may have at most 64 KiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// A line of metrics.csv. Accuracies are in percent.
struct EpochMetrics {
  std::int64_t epoch = 0, step = 0;  // finished epochs and finished steps since the run's start
  double lr = 0, train_loss = 0, train_top1 = 0;
  std::optional<double> val_loss, val_top1, val_top5, val_ema_top1;  // empty: not measured
  double images_per_second = 0;

  // The validation accuracy by which epochs are compared: val_ema_top1 if it exists, because the averaged weights
  // become the result; otherwise val_top1.
  const std::optional<double>& score() const { return val_ema_top1 ? val_ema_top1 : val_top1; }
};
std::string_view metrics_header();                  // with its newline
std::string metrics_line(const EpochMetrics& row);  // with its newline; numbers parse to the same double
std::vector<EpochMetrics> read_metrics(const std::filesystem::path& file);
std::vector<EpochMetrics> parse_metrics(std::string_view text, std::string_view source);

// A line of predictions.csv (name,label,predicted,confidence,of_label): the prediction of the saved model for one
// evaluated image. A name with a comma, a quote or a line end is quoted; all bytes except 0 are preserved. If a
// temperature was fitted (Guo et al. 2017), two more columns have the probabilities of softmax(logits / temperature):
// calibrated_confidence,calibrated_of_label. They are written if all predictions have them. The last two columns,
// label_name,predicted_name, are the names of the classes for a person or a spreadsheet; they are not read.
struct Prediction {
  struct Calibrated {
    float confidence = 0, of_label = 0;
  };
  std::string name;
  std::int64_t label = 0, predicted = 0;
  float confidence = 0;  // probability of `predicted`
  float of_label = 0;    // probability of `label`
  std::optional<Calibrated> calibrated = {};
};
// `classes`: the names of the classes by index; empty: the file gets no names.
std::string predictions_text(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes = {});
double top1_percent(const std::vector<Prediction>& predictions);  // the fraction of correct ones; 0 if there are none
std::vector<Prediction> read_predictions(const std::filesystem::path& file);
std::vector<Prediction> parse_predictions(std::string_view text, std::string_view source);

inline constexpr std::int64_t kMaxClasses = std::int64_t{1} << 20;  // labels are smaller

}  // namespace effnet::report

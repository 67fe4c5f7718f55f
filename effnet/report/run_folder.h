// The files of a run folder as values: what training writes (effnet/train) and the report reads. docs/cli.md has the
// formats.
//
// Both are CSV (RFC 4180) with a fixed first line; columns that a later version appends are skipped. A last line
// without its newline is what a killed writer leaves: it is dropped. Whatever else is wrong is an Error(input) that
// names the line ("metrics.csv:7: train_loss: not a number (got 'x', expected ...)"). A field may have 64 KiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// A line of metrics.csv. Percent for accuracies.
struct EpochMetrics {
  std::int64_t epoch = 0, step = 0;  // both counted from 1: what was done
  double lr = 0, train_loss = 0, train_top1 = 0;
  std::optional<double> val_loss, val_top1, val_top5, val_ema_top1;  // empty: not measured
  double images_per_second = 0;

  // The validation accuracy by which epochs are compared: of the averaged weights where there are any, since they
  // become the result.
  const std::optional<double>& score() const { return val_ema_top1 ? val_ema_top1 : val_top1; }
};
std::string_view metrics_header();                  // with its newline
std::string metrics_line(const EpochMetrics& row);  // numbers read back to the same double; with its newline
std::vector<EpochMetrics> read_metrics(const std::filesystem::path& file);
std::vector<EpochMetrics> parse_metrics(std::string_view text, std::string_view source);

// A line of predictions.csv (name,label,predicted,confidence,of_label): what the final weights say of each image of
// the validation set. A name with a comma, a quote or a line's end is quoted; any bytes but 0 come back as they went
// in.
struct Prediction {
  std::string name;
  std::int64_t label = 0, predicted = 0;
  float confidence = 0;  // probability of `predicted`
  float of_label = 0;    // probability of `label`
};
std::string predictions_text(const std::vector<Prediction>& predictions);
std::vector<Prediction> read_predictions(const std::filesystem::path& file);
std::vector<Prediction> parse_predictions(std::string_view text, std::string_view source);

inline constexpr std::int64_t kMostClasses = std::int64_t{1} << 20;  // a label is below it

}  // namespace effnet::report

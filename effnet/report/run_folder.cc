#include "effnet/report/run_folder.h"

#include <algorithm>
#include <limits>

#include "effnet/base/file.h"
#include "effnet/report/csv.h"

namespace effnet::report {
namespace {

constexpr std::string_view kMetricsHeader =
    "epoch,step,lr,train_loss,train_top1,val_loss,val_top1,val_top5,val_ema_top1,images_per_second\n";
constexpr std::string_view kPredictionsHeader = "name,label,predicted,confidence,of_label\n";
constexpr std::string_view kCalibratedColumns[] = {"calibrated_confidence", "calibrated_of_label"};
constexpr std::string_view kNameColumns = ",label_name,predicted_name";
constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();

std::string_view without_newline(std::string_view line) { return line.substr(0, line.size() - 1); }

std::string shortest_or_empty(const std::optional<double>& value) { return value ? shortest(*value) : std::string(); }

}  // namespace

std::string_view metrics_header() { return kMetricsHeader; }

std::string metrics_line(const EpochMetrics& row) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{}\n", row.epoch, row.step, shortest(row.lr), shortest(row.train_loss),
                     shortest(row.train_top1), shortest_or_empty(row.val_loss), shortest_or_empty(row.val_top1),
                     shortest_or_empty(row.val_top5), shortest_or_empty(row.val_ema_top1),
                     shortest(row.images_per_second));
}

std::vector<EpochMetrics> parse_metrics(std::string_view text, std::string_view source) {
  CsvReader csv(text, source, without_newline(kMetricsHeader));
  std::vector<EpochMetrics> rows;
  while (csv.next()) {
    EpochMetrics row;
    row.epoch = csv.integer(0, 0, kMaxInteger);
    row.step = csv.integer(1, 0, kMaxInteger);
    row.lr = csv.number(2);
    row.train_loss = csv.number(3);
    row.train_top1 = csv.number(4);
    row.val_loss = csv.optional_number(5);
    row.val_top1 = csv.optional_number(6);
    row.val_top5 = csv.optional_number(7);
    row.val_ema_top1 = csv.optional_number(8);
    row.images_per_second = csv.number(9);
    rows.push_back(row);
  }
  return rows;
}

std::vector<EpochMetrics> read_metrics(const std::filesystem::path& file) {
  return parse_metrics(read_text(file), file.string());
}

std::string predictions_text(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes) {
  const bool calibrated = !predictions.empty() && std::ranges::all_of(predictions, [](const Prediction& one) {
    return one.calibrated.has_value();
  });
  std::string text(kPredictionsHeader);
  if (calibrated) text.insert(text.size() - 1, fmt::format(",{},{}", kCalibratedColumns[0], kCalibratedColumns[1]));
  if (!classes.empty()) text.insert(text.size() - 1, kNameColumns);
  const auto name_of = [&](std::int64_t index) { return csv_field(classes.at(static_cast<std::size_t>(index))); };
  for (const Prediction& one : predictions) {
    text += fmt::format("{},{},{},{},{}", csv_field(one.name), one.label, one.predicted, shortest(one.confidence),
                        shortest(one.of_label));
    if (calibrated)
      text += fmt::format(",{},{}", shortest(one.calibrated->confidence), shortest(one.calibrated->of_label));
    if (!classes.empty()) text += fmt::format(",{},{}", name_of(one.label), name_of(one.predicted));
    text += "\n";
  }
  return text;
}

std::vector<Prediction> parse_predictions(std::string_view text, std::string_view source) {
  CsvReader csv(text, source, without_newline(kPredictionsHeader));
  const std::optional<std::size_t> confidence = csv.find_column(kCalibratedColumns[0]);
  const std::optional<std::size_t> of_label = csv.find_column(kCalibratedColumns[1]);
  std::vector<Prediction> predictions;
  while (csv.next()) {
    Prediction one;
    one.name = csv.field(0);
    one.label = csv.integer(1, 0, kMaxClasses - 1);
    one.predicted = csv.integer(2, 0, kMaxClasses - 1);
    one.confidence = csv.probability(3);
    one.of_label = csv.probability(4);
    if (confidence && of_label) one.calibrated = {csv.probability(*confidence), csv.probability(*of_label)};
    predictions.push_back(std::move(one));
  }
  return predictions;
}

std::vector<Prediction> read_predictions(const std::filesystem::path& file) {
  return parse_predictions(read_text(file), file.string());
}

double top1_percent(const std::vector<Prediction>& predictions) {
  const auto right = std::ranges::count_if(predictions, [](const auto& one) { return one.predicted == one.label; });
  return predictions.empty() ? 0 : 100 * static_cast<double>(right) / static_cast<double>(predictions.size());
}

}  // namespace effnet::report

#include "effnet/report/run_facts.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cmath>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"
#include "effnet/report/json_fields.h"

namespace effnet::report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSummaryBytes = std::size_t{1} << 20;

Json read_summary(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  Json summary = parse_json_object(read_text(file), file.string(), kMaxSummaryBytes);
  const std::string source = file.string();
  const JsonFields fields(summary, source);
  for (const char* key :
       {"best_top1", "best_epoch", "saved_top1", "saved_epoch", "test_top1", "epochs", "images_per_second", "seconds",
        "params", "macs", "world_size", "peak_rss_bytes", "peak_device_bytes"}) {
    const auto found = summary.find(key);
    if (found != summary.end() && !found->is_number() && !found->is_null()) throw fields.wrong(key, *found, "a number");
  }
  return summary;
}

// Calls read(file) if the file exists.
template <class Read, class Result>
void read_if_present(const fs::path& file, Read read, Result& result) {
  if (fs::exists(file)) result = read(file);
}

// The folder of an `effnet finetune` that has not begun its final run.
Error no_final_run(const fs::path& folder, std::string_view missing) {
  const fs::path trial = folder / "trial";
  const bool has_trial = fs::exists(trial / "config.toml") && fs::exists(trial / "metrics.csv");
  return input_error("{}: fine-tuning has not begun its final run (got no {})", folder.string(), missing)
      .with_hint(has_trial ? fmt::format("effnet report {} shows its trial", path_in_shell(trial.string()))
                           : std::string("a command that was stopped continues with --resume"));
}

}  // namespace

RunFacts read_run(const fs::path& folder, const ReportParts& parts) {
  if (!fs::is_directory(folder))
    throw input_error("{}: not a run folder (no folder with this name exists)", folder.string());
  for (const char* file : {"config.toml", "metrics.csv"}) {
    if (fs::exists(folder / file)) continue;
    if (fs::exists(folder / "finetune.json")) throw no_final_run(folder, file);
    throw input_error("{}: not a run folder ({} is missing; expected a folder that effnet train has written)",
                      folder.string(), file);
  }
  RunFacts run;
  const fs::path whole = fs::weakly_canonical(folder);
  run.name = whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
  const fs::path config = folder / "config.toml";
  run.config = read_text(config);
  run.model = TomlTable::parse(run.config, config.string()).table("model").text("name", "");
  run.epochs = read_metrics(folder / "metrics.csv");
  run.steps = read_events(folder);
  run.summary = read_summary(folder / "summary.json");
  read_if_present(folder / "predictions.csv", read_predictions, run.predictions);
  read_if_present(folder / "finetune.json", read_finetune, run.finetune);
  read_if_present(folder / "label_errors.csv", read_label_errors, run.label_errors);
  read_if_present(folder / "near_duplicates.csv", read_near_duplicates, run.near_duplicates);
  if (run.finetune && !run.finetune->model.empty()) run.model = run.finetune->model;
  run.classes = parts.classes;
  run.counts = run.finetune && !run.finetune->data.classes.empty() ? run.finetune->data.classes : parts.counts;
  return run;
}

std::string RunFacts::class_name(std::int64_t index) const {
  const auto at = static_cast<std::size_t>(index);
  return at < classes.size() && !classes[at].empty() ? classes[at] : fmt::format("class {}", index);
}

std::optional<double> RunFacts::number(const char* key) const {
  const auto found = summary.find(key);
  if (found == summary.end() || !found->is_number()) return {};
  return found->get<double>();
}

std::optional<BestEpoch> best_epoch(const RunFacts& run) {
  std::optional<BestEpoch> best;
  for (const EpochMetrics& row : run.epochs) {
    const std::optional<double>& top1 = row.score();
    if (top1 && std::isfinite(*top1) && (!best || *top1 > best->top1)) best = {*top1, row.epoch};
  }
  if (const auto top1 = run.number("best_top1"); top1 && std::isfinite(*top1))
    best = {*top1, static_cast<std::int64_t>(std::clamp(run.number("best_epoch").value_or(0), 0.0, 1e15))};
  return best;
}

bool measures_trial(const RunFacts& run) {
  return run.finetune && run.finetune->result && run.finetune->result->model == "trial";
}

std::optional<ShownAccuracy> shown_accuracy(const RunFacts& run) {
  const auto with_epoch = [](std::int64_t epoch) { return epoch > 0 ? fmt::format(", epoch {}", epoch) : ""; };
  const auto saved_epoch = static_cast<std::int64_t>(std::clamp(run.number("saved_epoch").value_or(0), 0.0, 1e15));
  const std::optional<BestEpoch> best = best_epoch(run);
  const std::int64_t images = run.predictions ? static_cast<std::int64_t>(run.predictions->size()) : 0;
  ShownAccuracy shown;
  std::optional<double> test = run.number("test_top1");
  if (run.finetune && run.finetune->result) {
    if (run.finetune->result->test_top1) test = run.finetune->result->test_top1;
    shown.interval = run.finetune->result->interval;
  }
  if (test) {
    shown.top1 = *test;
    shown.what = measures_trial(run)
                     ? "test top-1 of the trial's model; the saved model was trained on all images, also on these"
                     : "test top-1 of the saved model" + with_epoch(saved_epoch);
    shown.is_unseen = true;
  } else if (images > 0) {  // predictions.csv has the predictions of the weights in model.safetensors
    const auto right = std::ranges::count_if(*run.predictions, [](const auto& p) { return p.predicted == p.label; });
    shown.top1 = 100 * static_cast<double>(right) / static_cast<double>(images);
    shown.what = "validation top-1 of the saved model" + with_epoch(saved_epoch);
    shown.is_selected = best && best->epoch == saved_epoch && run.epochs.size() > 1;
  } else if (best) {
    shown.top1 = best->top1;
    shown.what = "best validation top-1" + with_epoch(best->epoch);
    shown.is_selected = run.epochs.size() > 1;
  } else {
    return {};
  }
  shown.images = images;
  if (!shown.interval && images > 0 && shown.top1 >= 0 && shown.top1 <= 100)
    shown.interval = metrics::wilson_95(std::llround(shown.top1 / 100 * static_cast<double>(images)), images);
  return shown;
}

std::string start_of(const RunFacts& run) {
  if (run.finetune && !run.finetune->started.empty()) return run.finetune->started;
  double first = INFINITY;
  for (const auto& [tag, events] : run.steps) {
    for (const ScalarEvent& event : events) {
      if (event.wall_seconds > 0) first = std::min(first, event.wall_seconds);
    }
  }
  constexpr double kYear9999 = 253402300799.0;  // the last second that has a year of four digits
  if (!(first < kYear9999)) return {};
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(first)));
}

}  // namespace effnet::report

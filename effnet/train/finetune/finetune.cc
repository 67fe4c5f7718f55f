#include "effnet/train/finetune/finetune.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/model/classifier.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/finetune/measure.h"
#include "effnet/train/finetune/out_folder.h"
#include "effnet/train/finetune/parts.h"
#include "effnet/train/finetune/plan.h"
#include "effnet/train/recipe/settings.h"
#include "effnet/train/run/checkpoint_folder.h"
#include "effnet/train/run/checks.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/model.h"
#include "effnet/train/run/run.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using data::Part;

std::string minutes(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  return seconds < 3600 ? fmt::format("{:.0f} min", std::ceil(seconds / 60)) : fmt::format("{:.1f} h", seconds / 3600);
}

class Finetune {
 public:
  Finetune(const FinetuneOptions& options, ThreadPool& pool) : options_(options), pool_(pool) {}
  FinetuneResult run();

 private:
  fs::path file(const char* name) const { return options_.out / name; }
  fs::path start(const char* name) const { return options_.out / "start" / name; }
  double spent_s() const {
    return spent_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - options_.started).count();
  }
  void log(const std::string& line) const {
    if (options_.watch.log) options_.watch.log(line);
  }
  void warn(const std::string& text) {
    record_.warnings.push_back(text);
    log("warning: " + text);
  }
  void store() {
    record_.spent_s = spent_s();
    write_text(file("finetune.json"), report::finetune_text(record_));
  }
  const std::string* given(std::string_view key) const;  // the value of --set; null: not given
  bool is_decided(std::string_view key) const;           // by --set or by --recipe
  bool has_length() const;  // train.epochs decides the length of the runs, and not the time

  void begin();
  FinetuneResult run_steps();
  void probe();
  void warn_of_low_resolution(std::int64_t chosen, std::int64_t without_budget);
  void require_disk(std::uint64_t model_bytes) const;
  void plan(const InputPlan& input, double image_s);
  void run_trial();
  Summary final_run();
  Summary keep_probe();
  std::vector<report::Prediction> probe_predictions(const data::Dataset& test) const;
  report::FinetuneResult measure();
  static void store_calibration(const report::FinetuneCalibration& calibration, const fs::path& model);
  void list_label_errors();
  Recipe recipe(const fs::path& initial, TrainOn on, const std::vector<Override>& length) const;
  Summary train(const fs::path& folder, Recipe recipe) const;

  const FinetuneOptions& options_;
  ThreadPool& pool_;
  const std::vector<const Setting*> changed_by_recipe_ =
      differing_settings(load_recipe(options_.recipe, {}), load_recipe(FinetuneOptions{}.recipe, {}));
  report::FinetuneFile record_;
  SplitImages data_;
  DataSize size_;
  Preprocessing rule_;  // at the chosen resolution
  double spent_before_ = 0;
};

const std::string* Finetune::given(std::string_view key) const {
  const auto found = std::ranges::find(options_.settings.rbegin(), options_.settings.rend(), key, &Override::key);
  return found == options_.settings.rend() ? nullptr : &found->value;
}

bool Finetune::is_decided(std::string_view key) const {
  if (given(key) != nullptr) return true;
  return std::ranges::any_of(changed_by_recipe_, [&](const Setting* one) { return one->key == key; });
}

// --time-budget has priority over the epochs of a recipe.
bool Finetune::has_length() const {
  return given("train.epochs") != nullptr || (options_.budget_s <= 0 && is_decided("train.epochs"));
}

void Finetune::begin() {
  const fs::path stored = file("finetune.json");
  std::error_code ignored;
  const bool exists = fs::exists(stored, ignored);
  static_cast<void>(recipe(start("trial.safetensors"), TrainOn::train, {}));  // throws for wrong values of --set
  make_folders(options_.out / "start");
  if (exists) {
    record_ = report::read_finetune(stored);
    require_same_options(record_.options, option_texts(options_));
    spent_before_ = record_.spent_s;
    data_ = reopen_data(options_, record_.data);
  } else {
    record_.command = options_.command;
    record_.effnet = options_.version;
    record_.started = options_.time;
    record_.model = options_.model;
    record_.options = option_texts(options_);
    record_.data.folder = fs::absolute(options_.data, ignored).lexically_normal().string();
    if (!options_.labels.empty())
      record_.data.labels = fs::absolute(options_.labels, ignored).lexically_normal().string();
    data_ = split_data(options_, pool_, record_);
  }
  size_ = data_.size();
  size_.second_run = options_.final_on_all || needs_second_run(size_);
  log(fmt::format("data: {} images of {} classes: {} for training, {} for choices (val), {} for the result (test)",
                  grouped(data_.all->size()), size_.classes, grouped(size_.train), grouped(size_.val),
                  grouped(size_.test)));
  if (size_.train == 0)
    throw input_error("no training images (got {} for val and {} for test)", size_.val, size_.test)
        .with_hint(
            "add images to the classes of DIR, or to its folder train/, or lines of train to the list of labels");
  if (size_.val == 0 || size_.test == 0)
    throw input_error("too few images for a split (got {} for val and {} for test, expected at least 1 each)",
                      size_.val, size_.test)
        .with_hint("at least one class needs 3 different images; 20 or more for each class are better");
  if (exists) return;
  for (const std::string& warning : record_.warnings) log("warning: " + warning);
  store();
}

// Chooses the input size, and trains and measures the linear probe.
void Finetune::probe() {
  model::ModelHandle model(options_.model, {}, pool_);
  require_disk(static_cast<std::uint64_t>(graph::costs(*model.graph()).params) * sizeof(float));
  const std::shared_ptr<const data::Dataset> train = data_.part(Part::train);
  double image_s = training_image_s(*train, options_.model, model.preprocessing(), pool_);
  const std::int64_t own = model.arch().resolution;
  InputPlan input = choose_input(size_, own, image_s, options_.budget_s);
  if (is_decided("data.resolution")) {
    const std::int64_t asked = recipe(start("trial.safetensors"), TrainOn::train, {}).data.resolution;
    if (asked > 0) input = {.resolution = asked, .shift_px = shift_at(asked, size_), .why = "as given"};
  } else {
    warn_of_low_resolution(input.resolution, choose_input(size_, own, image_s, 0).resolution);
  }
  if (is_decided("data.shift")) input.shift_px = recipe(start("trial.safetensors"), TrainOn::train, {}).data.shift;
  image_s *= static_cast<double>(input.resolution * input.resolution) / static_cast<double>(own * own);
  rule_ =
      validation_rule(model.preprocessing(), model.arch(), {input.resolution, input.resolution}, input.shift_px > 0);

  const transfer::ProbeReport report = write_probe_model(start("trial.safetensors"), options_.model, rule_, {train},
                                                         data_.part(Part::val), {}, pool_, options_.watch);
  record_.probe = {.val_top1 = report.top1,
                   .knn_top1 = report.knn_top1,
                   .l2 = report.l2,
                   .seconds = spent_s(),
                   .interval = report.interval};
  log(
      fmt::format("first answer after {}: a linear classifier on the features of {} is right for {:.1f} % of {} "
                  "(95 % interval {:.1f} to {:.1f})",
                  minutes(spent_s()), options_.model, report.top1, count_of(report.images, "validation image"),
                  100 * report.interval.low, 100 * report.interval.high));
  if (report.top1 >= 100) {
    log("it is right for all of them, so they cannot show whether fine-tuning gains anything; the test images can");
  }
  if (!report.label_errors.empty()) {
    log(fmt::format("doubtful labels so far: {}; all images are checked at the end",
                    count_of(std::ssize(report.label_errors), "training image")));
  }
  plan(input, image_s);
  store();
}

// A user who gave a short time may not know that it costs resolution.
void Finetune::warn_of_low_resolution(std::int64_t chosen, std::int64_t without_budget) {
  constexpr double kFarBelow = 0.6;  // of the resolution that more time would allow
  if (static_cast<double>(chosen) >= kFarBelow * static_cast<double>(without_budget)) return;
  warn(fmt::format(
      "the time suffices only for a low resolution (got {} px, expected {} px): small details are lost, and "
      "the accuracy may be much lower. A longer --time-budget, or --set data.resolution={}, avoids that",
      chosen, without_budget, without_budget));
}

// Checks the free disk space for both initial models and both runs, so that the final run does not fail at its end.
void Finetune::require_disk(std::uint64_t model_bytes) const {
  constexpr std::uint64_t kTensorsOfCheckpoint = 4;  // weights, their average, two slots of the optimiser
  const Recipe both = recipe(start("trial.safetensors"), TrainOn::train, {});
  require_disk_space(options_.out,
                     2 * model_bytes + 2 * disk_bytes_needed(both, kTensorsOfCheckpoint * model_bytes, model_bytes), 0);
}

void Finetune::plan(const InputPlan& input, double image_s) {
  const double budget_s = options_.budget_s > 0 ? options_.budget_s : default_budget_s(size_, image_s, spent_s());
  record_.budget_s = budget_s;
  const Durations durations = choose_durations(size_, image_s, budget_s, spent_s());
  record_.trial_s = durations.trial_s;
  // With a given length the speed of this machine must not decide a setting: the result would depend on it.
  const double epochs =
      has_length() ? recipe(start("trial.safetensors"), TrainOn::train, {}).train.epochs : durations.epochs;
  for (const report::FinetuneChoice& choice : choose_settings(size_, input, epochs, *record_.probe->val_top1)) {
    const bool other_rate = choice.setting == "optimizer.lr" && is_decided("optimizer.lr_per_256");
    if (!is_decided(choice.setting) && !other_rate) record_.plan.push_back(choice);
  }
  static_cast<void>(recipe(start("trial.safetensors"), TrainOn::train, {}));  // throws if --set does not fit the plan
  if (durations.trial_s == 0 && !has_length()) {
    warn(
        fmt::format("the time does not suffice for one epoch of fine-tuning (got {}): the linear probe is the result. "
                    "A longer --time-budget trains the whole network",
                    minutes(budget_s)));
    return;
  }
  log(fmt::format("the classifier for {} classes is new; its initial weights are those of the linear classifier",
                  size_.classes));
  for (const report::FinetuneChoice& choice : record_.plan)
    log(fmt::format("  {} = {} ({})", choice.setting, choice.value, choice.why));
  if (!has_length()) {
    log(fmt::format(
        "time: {} in all; {}about {} on the {} training images{}", minutes(budget_s), size_.second_run ? "first " : "",
        minutes(durations.trial_s), grouped(size_.train),
        size_.second_run
            ? fmt::format(", to choose; then about {} on all images except test",
                          minutes(durations.epochs * image_s * static_cast<double>(size_.train + size_.val)))
            : ". They are so many that a second run with the validation images would gain little"));
  }
}

// The recipe of a run. `length`: settings of its duration.
Recipe Finetune::recipe(const fs::path& initial, TrainOn on, const std::vector<Override>& length) const {
  std::vector<Override> settings;
  for (const report::FinetuneChoice& choice : record_.plan) settings.push_back({choice.setting, choice.value});
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  // A recipe may be the config.toml of another run, which has these.
  const std::vector<Override> not_of_recipe{{"model.init", ""},
                                            {"model.classes", "0"},
                                            {"data.synthetic", "0"},
                                            {"data.holdout", "0"},
                                            {"train.time_budget", ""}};
  settings.insert(settings.end(), not_of_recipe.begin(), not_of_recipe.end());
  settings.insert(settings.end(), length.begin(), length.end());
  const std::vector<Override> fixed{{"model.name", initial.string()},
                                    {"data.folder", record_.data.folder},
                                    {"data.labels", record_.data.labels},
                                    {"data.split", file("split.csv").string()},
                                    {"data.train_on", std::string(name_in(kTrainOn, on))},
                                    {"data.broken_limit", "1"}};  // they were counted, and there is a warning
  settings.insert(settings.end(), fixed.begin(), fixed.end());
  return load_recipe(options_.recipe, settings);
}

Summary Finetune::train(const fs::path& folder, Recipe recipe) const {
  const std::unique_ptr<Group> group = single_process();
  const fs::path data = recipe.data.folder;
  return train::run({.recipe = std::move(recipe),
                     .data = data,
                     .out = folder,
                     .resume = true,
                     .device = options_.device,
                     .threads = options_.threads,
                     .progress = options_.watch.training},
                    *group);
}

// Trains on train, and takes from the result how long the final run shall be, and the calibration. Without a final run
// the trial is the run itself.
void Finetune::run_trial() {
  if (size_.second_run) log("step 1 of 2: a trial on the training images");
  std::vector<Override> length;
  if (!has_length()) length.push_back({"train.time_budget", fmt::format("{:.0f}s", std::max(1.0, record_.trial_s))});
  const fs::path folder = size_.second_run ? file("trial") : options_.out;
  std::error_code ignored;
  const bool has_begun = !CheckpointFolder(folder).empty() || fs::exists(folder / "summary.json", ignored);
  Summary summary;
  try {
    summary = train(folder, recipe(start("trial.safetensors"), TrainOn::train, length));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage || length.empty() || has_begun) throw;
    // The real steps are so much slower than the estimate that the budget does not suffice.
    warn(fmt::format("the linear probe is the result: {}", error.what()));
    record_.trial_s = 0;
    return store();
  }
  // Of the weights in model.safetensors; of the best epoch, where these have not been validated.
  const double top1 = summary.saved_top1 >= 0 ? summary.saved_top1 : summary.best_top1;
  const bool keeps_probe = top1 < *record_.probe->val_top1;
  const fs::path best = keeps_probe ? start("trial.safetensors") : folder / "model.safetensors";
  const report::FinetuneCalibration calibration = calibrate(best, *data_.part(Part::val), pool_, options_.watch);
  if (!keeps_probe) store_calibration(calibration, best);  // RUN/trial is a MODEL too
  // Until store() nothing can be interrupted: a record with the calibration, but without the length of the final run,
  // would make the probe the result.
  const DeferInterrupts whole_record;
  record_.calibration = calibration;
  const std::int64_t images = calibration.images;  // those of val that can be decoded
  const auto right = std::llround(top1 / 100 * static_cast<double>(images));
  const metrics::Interval interval = metrics::wilson_95(std::clamp<std::int64_t>(right, 0, images), images);
  log(fmt::format(
      "after fine-tuning {:.1f} % of {} are right (95 % interval {:.1f} to {:.1f}), with "
      "the linear classifier {:.1f} %",
      top1, count_of(images, "validation image"), 100 * interval.low, 100 * interval.high, *record_.probe->val_top1));
  if (size_.second_run) record_.trial_top1 = top1;
  record_.trial_interval = interval;
  if (keeps_probe) {
    warn(fmt::format(
        "the fine-tuned network is less accurate than the linear probe on the validation images (got {:.1f} "
        "%, expected at least {:.1f} %): the linear probe is the result. {} or a lower optimizer.lr may help",
        top1, *record_.probe->val_top1, has_length() ? "A larger train.epochs" : "A longer --time-budget"));
    return store();
  }
  record_.final_epochs = summary.epochs;
  if (size_.second_run && !has_length() && summary.images_per_second > 0) {
    const auto trained_on = static_cast<double>(size_.train + (options_.final_on_all ? size_.test : 0) + size_.val);
    const double test_s = options_.final_on_all ? 0 : 2 * static_cast<double>(size_.test) / summary.images_per_second;
    const double left_s = *record_.budget_s * (1 - kBudgetReserve) - spent_s() - test_s;
    record_.final_epochs =
        std::clamp(left_s * summary.images_per_second / trained_on, 1.0, std::max(1.0, summary.epochs));
  }
  store();
}

Summary Finetune::final_run() {
  if (!size_.second_run && record_.final_epochs > 0) return parse_summary(read_text(file("summary.json")));
  const TrainOn on = options_.final_on_all ? TrainOn::all : TrainOn::train_val;
  const fs::path initial = start("final.safetensors");
  std::error_code ignored;
  if (!fs::exists(initial, ignored)) {
    std::vector<std::shared_ptr<const data::Dataset>> sets{data_.part(Part::train), data_.part(Part::val)};
    if (options_.final_on_all) sets.push_back(data_.part(Part::test));
    write_probe_model(initial, options_.model, rule_, std::move(sets), nullptr, record_.probe->l2, pool_,
                      options_.watch);
  }
  if (record_.final_epochs <= 0) return keep_probe();
  log(fmt::format("step 2 of 2: {} on {}", number_of(record_.final_epochs, "epoch"),
                  options_.final_on_all ? "all images" : "training and validation images"));
  return train(options_.out, recipe(initial, on, {{"train.epochs", fmt::format("{}", record_.final_epochs)}}));
}

// Writes the files of a run without training: the linear probe is the model.
Summary Finetune::keep_probe() {
  if (!record_.calibration)
    record_.calibration = calibrate(start("trial.safetensors"), *data_.part(Part::val), pool_, options_.watch);
  const formats::Model model = formats::read_model(start("final.safetensors"));
  const graph::Costs costs = graph::costs(graph::lower(model.arch, {.resolution = model.preprocessing.crop}));
  std::error_code ignored;
  fs::remove_all(file("checkpoints"), ignored);  // of a single run that is less accurate than the probe
  RunFolder folder(options_.out);
  folder.begin_metrics(0, [](const std::string&) {});
  folder.write_config(print(recipe(start("final.safetensors"), TrainOn::train_val, {})));
  formats::write_model(file("model.safetensors"), model);
  const Summary summary{.best_top1 = *record_.probe->val_top1,
                        .saved_top1 = *record_.probe->val_top1,
                        .seconds = spent_s(),
                        .params = costs.params,
                        .macs = costs.macs,
                        .device = "cpu",
                        .isa = "",
                        .data = record_.data.folder,
                        .test_top1 = {}};
  folder.write_summary(summary);
  return summary;
}

// The predictions of the linear probe that was trained on the same images as the measured network.
std::vector<report::Prediction> Finetune::probe_predictions(const data::Dataset& test) const {
  std::error_code ignored;
  fs::path probe = start("final.safetensors");
  if (options_.final_on_all || !fs::exists(probe, ignored)) probe = start("trial.safetensors");
  return measure_in_engine(probe, test, 1, pool_, options_.watch);
}

void Finetune::store_calibration(const report::FinetuneCalibration& calibration, const fs::path& model) {
  formats::Model calibrated = formats::read_model(model);
  calibrated.calibration = {.temperature = calibration.temperature, .min_score = calibration.min_score.value_or(0)};
  formats::write_model(model, calibrated);
}

// Measures the result on test, and stores the calibration in the model.
report::FinetuneResult Finetune::measure() {
  const std::shared_ptr<const data::Dataset> test = data_.part(Part::test);
  const bool trained = record_.final_epochs > 0;
  fs::path model = file("model.safetensors");
  if (options_.final_on_all) model = trained ? file("trial") / "model.safetensors" : start("trial.safetensors");
  const std::vector<report::Prediction> in_engine =
      measure_in_engine(model, *test, record_.calibration->temperature, pool_, options_.watch);
  const bool from_run = trained && size_.second_run && !options_.final_on_all;  // the run has evaluated test itself
  std::vector<report::Prediction> predictions =
      from_run ? report::read_predictions(file("predictions.csv")) : in_engine;
  if (from_run) copy_calibrated(in_engine, predictions);
  report::FinetuneResult result = result_of(predictions, data_.all->classes());
  result.model = options_.final_on_all ? "trial" : "final";
  result.metric = name_in(kMetrics, load_recipe(options_.recipe, options_.settings).expect.metric);
  result.engine_top1 = report::top1_percent(in_engine);
  write_text(file("predictions.csv"), report::predictions_text(predictions, data_.all->classes()));
  compare_with_probe(in_engine, trained ? probe_predictions(*test) : in_engine, *record_.probe);

  store_calibration(*record_.calibration, file("model.safetensors"));
  return result;
}

void Finetune::list_label_errors() {
  const std::vector<report::LabelError> errors =
      label_errors(options_.model, rule_, data_.all, *record_.probe->l2, pool_, options_.watch);
  write_text(file("label_errors.csv"), report::label_errors_text(errors));
  const std::int64_t count = std::ssize(errors);
  if (count == 0) return log("doubtful labels of all images: none found");
  constexpr double kFewMistakes = 90;  // percent: below it, many of the listed images are mistakes of the probe
  const double probe_top1 = *record_.probe->val_top1;
  std::string remark;
  if (probe_top1 < kFewMistakes) {
    remark = fmt::format(
        ". Many of these labels may be right, because the linear classifier that doubts them is right for only {:.1f} "
        "%",
        probe_top1);
  }
  warn(fmt::format("{} {} a doubtful label: label_errors.csv and the report list them, the most doubtful first{}",
                   count_of(count, "image"), count == 1 ? "has" : "have", remark));
}

// Stores the time that a stopped step has used.
FinetuneResult Finetune::run() {
  begin();
  try {
    return run_steps();
  } catch (const Error& error) {
    const DeferInterrupts held;
    if (error.code() == ErrorCode::interrupted && record_.probe) store();
    throw;
  }
}

FinetuneResult Finetune::run_steps() {
  if (record_.result) return {record_, parse_summary(read_text(file("summary.json")))};
  if (record_.probe) {
    rule_ = formats::read_model(start("trial.safetensors")).preprocessing;
  } else {
    probe();
  }
  const bool trains = record_.trial_s > 0 || has_length();
  if (trains && !record_.calibration) run_trial();
  const Summary summary = final_run();
  report::FinetuneResult result = measure();
  list_label_errors();
  record_.result = std::move(result);  // last: with a result --resume has nothing left to do
  store();
  return {record_, summary};
}

}  // namespace

FinetuneResult finetune(const FinetuneOptions& options) {
  std::error_code ignored;
  const bool fresh = !fs::exists(options.out / "finetune.json", ignored);
  check_out(options, fresh);
  check_settings(options.settings);
  check_texts(options);
  if (fresh) check_length(options);  // a resumed run has the options that it began with
  ThreadPool pool(options.threads);
  if (fresh) {  // throws if the model cannot be fine-tuned, before anything is written
    model::ModelHandle model(options.model, {}, pool);
    static_cast<void>(model::embedding_node(*model.graph()));
  }
  make_folders(options.out);
  const std::unique_ptr<FileLock> lock = FileLock::try_lock(options.out / "finetune.lock");
  if (!lock)
    throw environment_error("{}: another process is fine-tuning in this folder", options.out.string())
        .with_hint("wait for that process or stop it, or use another folder for --out");
  try {
    return Finetune(options, pool).run();
  } catch (const Error& error) {
    remove_traces(options.out);
    if (error.code() != ErrorCode::interrupted) throw;
    throw Error(ErrorCode::interrupted, error.what(), "the same command with --resume continues from here");
  }
}

}  // namespace effnet::train

#include "effnet/train/finetune/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "effnet/base/text.h"

namespace effnet::train {
namespace {

constexpr std::int64_t kResolutions[] = {192, 160, 128, 96, 64};  // below the model's own
constexpr double kFewestEpochs = 6;                               // a lower resolution is better than fewer epochs
constexpr double kMostEpochs = 60;
constexpr double kMaxEnlargement = 4;        // of small images
constexpr std::int64_t kManyImages = 20000;  // from here on batch norm can use statistics of its own
constexpr double kEvaluationCost = 0.25;     // time of one evaluated image / time of one image of training
constexpr double kTestPasses = 2;            // LibTorch and the engine
constexpr double kValidationPasses = 3;      // plain weights, averaged weights, predictions

struct Rates {
  double lr;
  double layer_decay;
};
// In the order [fewer than kManyImages, at least as many][the features do not fit the classes, they fit].
constexpr std::array<std::array<Rates, 2>, 2> kRates{{{{{5e-4, 0.9}, {2e-4, 0.85}}}, {{{2e-3, 1}, {1e-3, 0.85}}}}};

double pixels_ratio(std::int64_t resolution, std::int64_t own) {
  const double ratio = static_cast<double>(resolution) / static_cast<double>(own);
  return ratio * ratio;
}

// The images of one epoch of the trial, and of one epoch of each run, in images of training.
double images_of_trial(const DataSize& data) {
  return static_cast<double>(data.train) + kValidationPasses * kEvaluationCost * static_cast<double>(data.val);
}
double images_of_runs(const DataSize& data) {
  return images_of_trial(data) + (data.second_run ? static_cast<double>(data.train + data.val) : 0);
}

// The number of epochs that a user without a budget gets: small datasets need more passes.
double default_epochs(std::int64_t images) {
  struct Row {
    std::int64_t most_images;
    double epochs;
  };
  constexpr std::array<Row, 4> kRows{{{1000, 14}, {5000, 12}, {20000, 8}, {100000, 5}}};
  const auto row = std::ranges::find_if(kRows, [&](const Row& one) { return images <= one.most_images; });
  return row == kRows.end() ? 3 : row->epochs;
}

}  // namespace

bool needs_second_run(const DataSize& data) {
  constexpr std::int64_t kTrainPerVal = 3;  // from here on val has at most a quarter of the images
  return data.train < kManyImages || data.train < kTrainPerVal * data.val;
}

std::int64_t shift_at(std::int64_t resolution, const DataSize& data) {
  return data.median_side_px < static_cast<double>(resolution) ? resolution / 8 : 0;
}

InputPlan choose_input(const DataSize& data, std::int64_t own, double image_s, double budget_s) {
  InputPlan plan{.resolution = own, .shift_px = 0, .why = "the model's own"};
  const double most = kMaxEnlargement * data.median_side_px;
  const auto epochs_at = [&](std::int64_t resolution) {
    return budget_s / (image_s * pixels_ratio(resolution, own) * images_of_runs(data));
  };
  // If not even the lowest resolution allows an epoch, the network is not trained, and the probe needs no low
  // resolution.
  const bool trains = budget_s > 0 && epochs_at(std::min(own, kResolutions[4])) >= 1;
  for (const std::int64_t resolution : kResolutions) {
    const bool too_slow = trains && epochs_at(plan.resolution) < kFewestEpochs;
    const bool too_large = static_cast<double>(plan.resolution) > most;
    if (resolution >= plan.resolution || !(too_slow || too_large)) continue;
    plan.resolution = resolution;
    plan.why = too_large ? fmt::format("at most {:g} times the images' {:.0f} px", kMaxEnlargement, data.median_side_px)
                         : fmt::format("so that the time suffices for {:g} epochs", kFewestEpochs);
  }
  plan.shift_px = shift_at(plan.resolution, data);
  return plan;
}

double default_budget_s(const DataSize& data, double image_s, double spent_s) {
  constexpr double kLeast = 120, kMost = 2 * 3600;
  const double test = kTestPasses * kEvaluationCost * static_cast<double>(data.test);
  const double training = image_s * (default_epochs(data.train) * images_of_runs(data) + test);
  return std::clamp((spent_s + training) / (1 - kBudgetReserve), kLeast, kMost);
}

Durations choose_durations(const DataSize& data, double image_s, double budget_s, double spent_s) {
  const double test_s = kTestPasses * kEvaluationCost * static_cast<double>(data.test) * image_s;
  const double left_s = budget_s * (1 - kBudgetReserve) - spent_s - test_s;
  const double epochs = std::min(kMostEpochs, left_s / (image_s * images_of_runs(data)));
  if (epochs < 1) return {};
  return {.trial_s = epochs * image_s * images_of_trial(data), .epochs = epochs};
}

std::vector<report::FinetuneChoice> choose_settings(const DataSize& data, const InputPlan& input, double epochs,
                                                    double probe_top1) {
  std::vector<report::FinetuneChoice> choices;
  const auto choose = [&](const char* setting, const std::string& value, const std::string& why) {
    choices.push_back({setting, value, why});
  };
  const double per_class = static_cast<double>(data.train) / static_cast<double>(data.classes);
  const std::int64_t batch = std::clamp<std::int64_t>(data.train / 8, 8, data.train >= kManyImages ? 128 : 32);
  choose("train.batch", fmt::format("{}", std::min(batch, data.train)), count_of(data.train, "training image"));
  const double steps = std::max(1.0, std::floor(static_cast<double>(data.train) / static_cast<double>(batch)));
  choose("data.resolution", fmt::format("{}", input.resolution), input.why);
  if (input.shift_px > 0) {
    choose("data.shift", fmt::format("{}", input.shift_px), "the images are smaller than the network's input");
  }
  // Batch norm. Measured on 1,020 flowers, 6 epochs: 88.5 % with the pretrained statistics, 83.9 % with those of the
  // batches. With the latter the network computes other features than those that the classifier was trained on.
  const bool fixed_statistics = data.train < kManyImages;
  if (fixed_statistics)
    choose("bn.fixed", "true",
           fmt::format("fewer than {} training images: the pretrained statistics are better", grouped(kManyImages)));
  // A linear classifier that is nearly right says that the features fit: then they should change little. If it is not,
  // and there are many images, all blocks learn at the same high rate. Measured: docs/results/finetune.md.
  const bool features_fit = probe_top1 >= 95;
  const Rates rates = kRates[fixed_statistics ? 0 : 1][features_fit ? 1 : 0];
  const std::string probe = fmt::format("{}the linear probe is right for {:.1f} %",
                                        fixed_statistics ? "" : "many training images; ", probe_top1);
  choose("optimizer.lr", fmt::format("{:g}", rates.lr), probe);
  choose("optimizer.layer_decay", fmt::format("{:g}", rates.layer_decay), probe);
  if (per_class < 100 && input.shift_px == 0)
    choose("data.area_low", "0.3", "fewer than 100 training images per class");
  if (per_class < 30) choose("data.mixup", "0.2", "fewer than 30 training images per class");
  // An average over the last epoch or two, but not over most of a short run.
  const double average = std::clamp(std::min(2.0, epochs / 8) * steps, 5.0, 2000.0);
  choose("ema.decay", fmt::format("{:.4f}", 1 - 1 / average), fmt::format("averages over {:.0f} steps", average));
  return choices;
}

}  // namespace effnet::train

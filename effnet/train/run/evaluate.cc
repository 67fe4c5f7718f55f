#include "effnet/train/run/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"

namespace effnet::train {
namespace {

// One image's logits.
struct Row {
  const float* logits;
  std::int64_t classes;

  // The number of classes that rank before `label`: those with a larger logit, those with an equal logit and a smaller
  // index, and those with NaN.
  std::int64_t rank(std::int64_t label) const {
    const float own = logits[label];
    std::int64_t before = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      if (c != label) before += c < label ? !(logits[c] < own) : !(logits[c] <= own);
    }
    return before;
  }
  bool finite() const {
    return std::all_of(logits, logits + classes, [](float logit) { return std::isfinite(logit); });
  }
  double log_sum_exp() const {
    const double largest = *std::max_element(logits, logits + classes);
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
    return largest + std::log(sum);
  }
};

// Calls `use(row, i)` for each image i of the batch. `logits`: n x classes.
template <class Use>
void each_row(const torch::Tensor& logits, const Use& use) {
  const torch::Tensor plain = logits.contiguous();
  const std::int64_t classes = plain.size(1);
  for (std::int64_t i = 0; i < plain.size(0); ++i) use(Row{plain.data_ptr<float>() + i * classes, classes}, i);
}

std::int64_t label_of(const data::Batch& batch, std::int64_t i, std::int64_t classes) {
  const std::int64_t label = batch.labels[static_cast<std::size_t>(i)];
  if (label < 0 || label >= classes)
    throw input_error("a label is out of range (got {}, expected 0 to {})", label, classes - 1);
  return label;
}

}  // namespace

CorruptList gather_from_all_ranks(Group& group, const CorruptList& own) {
  using Json = nlohmann::json;
  CorruptList all = own;
  if (group.world() > 1) {
    all.clear();
    for (const std::string& text : group.gather(Json(own).dump(-1, ' ', false, Json::error_handler_t::replace))) {
      const auto list = Json::parse(text).get<CorruptList>();
      all.insert(all.end(), list.begin(), list.end());
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::optional<Validation> validate(Trainer& trainer, const ValidationSet& set, torch::Device device, Group& group,
                                   CorruptList& corrupt) {
  const bool average = trainer.has_average();
  Validation result;
  double loss = 0, top1 = 0, top5 = 0, average_top1 = 0, images = 0, stopped = 0, not_finite = 0;
  data::EvaluationLoader loader(set.set, set.rule, set.loader);
  while (const std::optional<data::Batch> batch = loader.next()) {
    if (interrupted()) {
      stopped = 1;
      break;
    }
    std::vector<bool> bad(static_cast<std::size_t>(batch->n()), false);
    each_row(trainer.evaluate(*batch, false), [&](const Row& row, std::int64_t i) {
      const std::int64_t label = label_of(*batch, i, row.classes), rank = row.rank(label);
      bad[static_cast<std::size_t>(i)] = !row.finite();
      loss += row.log_sum_exp() - row.logits[label];
      top1 += rank < 1;
      top5 += rank < 5;
      images += 1;
    });
    if (average) {
      each_row(trainer.evaluate(*batch, true), [&](const Row& row, std::int64_t i) {
        if (!row.finite()) bad[static_cast<std::size_t>(i)] = true;
        average_top1 += row.rank(label_of(*batch, i, row.classes)) < 1;
      });
    }
    const auto bad_here = static_cast<double>(std::count(bad.begin(), bad.end(), true));
    if (bad_here > 0 && !result.example) result.example = *batch;
    not_finite += bad_here;
  }
  for (const data::CorruptImage& image : loader.broken()) corrupt.emplace_back(image.name, image.why);

  torch::Tensor sums = torch::tensor({loss, top1, top5, average_top1, images, stopped, not_finite},
                                     torch::TensorOptions().dtype(torch::kDouble))
                           .to(device);
  group.sum(sums);
  sums = sums.cpu();
  const double* sum = sums.data_ptr<double>();
  if (sum[5] > 0) return std::nullopt;
  if (sum[4] < 1)
    throw input_error("no image of the validation set can be decoded (got {} corrupt images)", set.set->size());
  result.images = static_cast<std::int64_t>(sum[4]);
  result.not_finite = static_cast<std::int64_t>(sum[6]);
  result.loss = sum[0] / sum[4];
  result.top1 = 100 * sum[1] / sum[4];
  result.top5 = 100 * sum[2] / sum[4];
  if (average) result.average_top1 = 100 * sum[3] / sum[4];
  return result;
}

ValidationCost measure_validation(Trainer& trainer, const ValidationSet& set, double limit_s) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  data::EvaluationLoader loader(set.set, set.rule, set.loader);
  const Clock::time_point begin = Clock::now();
  Clock::time_point start = begin;
  std::int64_t images = 0;
  double all_s = 0, plain_s = 0;
  // The first batch is slower, because memory is allocated and threads are started. Its time counts only if there is no
  // second batch.
  for (int number = 0; number < 8 && (number < 2 || seconds(begin) < limit_s); ++number) {
    const std::optional<data::Batch> batch = loader.next();
    if (!batch) break;
    if (number == 1) {
      images = 0;
      all_s = plain_s = 0;
    }
    const Clock::time_point loaded = Clock::now();
    trainer.evaluate(*batch, false);
    if (trainer.has_average()) {
      plain_s += seconds(loaded);  // predict() skips this pass
      trainer.evaluate(*batch, true);
    }
    images += batch->n();
    all_s += seconds(start);
    start = Clock::now();
  }
  if (images == 0) return {};
  const double own = std::ceil(static_cast<double>(set.set->size()) / static_cast<double>(set.loader.world));
  const double times = own / static_cast<double>(images);
  return {.validate_s = times * all_s, .predict_s = times * (all_s - plain_s)};
}

std::optional<std::vector<report::Prediction>> predict(Trainer& trainer, const ValidationSet& set, Group& group,
                                                       CorruptList& corrupt) {
  using Json = nlohmann::json;
  Json rows = Json::array();
  bool stopped = false;
  data::EvaluationLoader loader(set.set, set.rule, set.loader);
  while (const std::optional<data::Batch> batch = loader.next()) {
    if ((stopped = interrupted())) break;
    each_row(trainer.evaluate(*batch, trainer.has_average()), [&](const Row& row, std::int64_t i) {
      const std::int64_t label = label_of(*batch, i, row.classes);
      const std::int64_t best = std::max_element(row.logits, row.logits + row.classes) - row.logits;
      const double all = row.log_sum_exp();
      rows.push_back({batch->indices[static_cast<std::size_t>(i)], label, best, std::exp(row.logits[best] - all),
                      std::exp(row.logits[label] - all)});
    });
  }
  for (const data::CorruptImage& image : loader.broken()) corrupt.emplace_back(image.name, image.why);
  const std::vector<std::string> texts = group.gather(stopped ? "stopped" : rows.dump());
  std::map<std::int64_t, report::Prediction> sorted;  // by the index in the dataset
  for (const std::string& text : texts) {
    if (text == "stopped") return std::nullopt;
    for (const Json& row : Json::parse(text)) {
      const auto index = row[0].get<std::int64_t>();
      sorted[index] = {.name = set.set->name(index),
                       .label = row[1],
                       .predicted = row[2],
                       .confidence = row[3].is_null() ? 0 : row[3].get<float>(),  // null if logits are NaN
                       .of_label = row[4].is_null() ? 0 : row[4].get<float>()};
    }
  }
  std::vector<report::Prediction> predictions;
  for (auto& [index, prediction] : sorted) predictions.push_back(std::move(prediction));
  return predictions;
}

}  // namespace effnet::train

#include "effnet/train/finetune/measure.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "effnet/base/error.h"
#include "effnet/metrics/confusion.h"
#include "effnet/metrics/intervals.h"
#include "effnet/metrics/paired.h"
#include "effnet/metrics/temperature.h"
#include "effnet/transfer/logits.h"

namespace effnet::train {
namespace {

transfer::ProbeOptions probe_options(const Preprocessing& rule, const Watch& watch) {
  return {.embed = {.preprocessing = rule}, .progress = watch.counted};
}

transfer::Done counted(const Watch& watch, std::string_view what) {
  if (!watch.counted) return {};
  return [&watch, what](std::int64_t done, std::int64_t total) { watch.counted(what, done, total); };
}

}  // namespace

transfer::ProbeReport write_probe_model(const std::filesystem::path& file, const std::string& model,
                                        const Preprocessing& rule,
                                        std::vector<std::shared_ptr<const data::Dataset>> training,
                                        const std::shared_ptr<const data::Dataset>& evaluation,
                                        std::optional<double> l2, ThreadPool& pool, const Watch& watch) {
  model::ModelHandle handle(model, {}, pool);
  const transfer::ProbeSets sets{std::move(training), evaluation, evaluation ? "val" : "cross_validation"};
  transfer::ProbeOptions options = probe_options(rule, watch);
  options.l2 = l2;
  options.cross_validation = options.neighbours = evaluation != nullptr;
  transfer::ProbeReport report = transfer::run_probe(sets, handle, pool, options);
  formats::write_model(file, transfer::with_probe(handle, report, rule));
  return report;
}

double training_image_s(const data::Dataset& set, const std::string& model, const Preprocessing& rule,
                        ThreadPool& pool) {
  constexpr std::int64_t kImages = 8;
  constexpr double kTrainingCost = 4;
  std::vector<std::int64_t> indices;
  const std::int64_t count = std::min(kImages, set.size());
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i * set.size() / count);
  const auto few = data::select(std::shared_ptr<const data::Dataset>(&set, [](const auto*) {}), std::move(indices));
  model::ModelHandle handle(model, {}, pool);
  const auto run = [&] {
    const auto start = std::chrono::steady_clock::now();
    const transfer::Embeddings done = transfer::embed(*few, handle, pool, {.preprocessing = rule, .cache = false});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
           static_cast<double>(done.images());
  };
  run();  // packs the weights
  return kTrainingCost * run();
}

std::vector<report::LabelError> label_errors(const std::string& model, const Preprocessing& rule,
                                             const std::shared_ptr<const data::Dataset>& set, double l2,
                                             ThreadPool& pool, const Watch& watch) {
  model::ModelHandle handle(model, {}, pool);
  transfer::ProbeOptions options = probe_options(rule, watch);
  options.l2 = l2;
  options.neighbours = false;
  const transfer::ProbeReport report = transfer::run_probe({{set}, nullptr, "cross_validation"}, handle, pool, options);
  const auto class_name = [&](std::int64_t index) { return report.classes[static_cast<std::size_t>(index)]; };
  std::vector<report::LabelError> errors;
  for (const auto& [name, error] : report.label_errors) {
    errors.push_back({.name = name,
                      .label = class_name(error.label),
                      .suggested = class_name(error.suggested),
                      .p_label = static_cast<float>(error.label_probability),
                      .p_suggested = static_cast<float>(error.suggested_probability)});
  }
  return errors;
}

report::FinetuneCalibration calibrate(const std::filesystem::path& model_file, const data::Dataset& validation,
                                      ThreadPool& pool, const Watch& watch) {
  model::ModelHandle handle(model_file.string(), {}, pool);
  const transfer::SetLogits rows =
      transfer::classify(validation, handle, pool, counted(watch, "calibrating on validation images"));
  const metrics::LabelledLogits images{.classes = rows.classes, .logits = rows.logits, .labels = rows.labels};
  const double temperature = metrics::calibrated_temperature(images);
  const std::vector<metrics::ScoredPrediction> scored = metrics::scored(images, temperature);
  // An answer with a lower calibrated score is more probably wrong than right.
  constexpr double kLeast = 0.5;
  const double min_score = std::max(kLeast, metrics::choose_min_score(scored).min_score);
  report::FinetuneCalibration result{.temperature = temperature, .min_score = min_score, .images = std::ssize(scored)};
  for (const metrics::ScoredPrediction& one : scored) {
    if (one.confidence < min_score) continue;
    ++result.accepted;
    result.right += one.right ? 1 : 0;
  }
  result.coverage = scored.empty() ? 1 : static_cast<double>(result.accepted) / static_cast<double>(result.images);
  return result;
}

std::vector<report::Prediction> measure_in_engine(const std::filesystem::path& model_file, const data::Dataset& set,
                                                  double temperature, ThreadPool& pool, const Watch& watch) {
  model::ModelHandle handle(model_file.string(), {}, pool);
  const transfer::SetLogits rows = transfer::classify(set, handle, pool, counted(watch, "measuring on test images"));
  const metrics::LabelledLogits images{.classes = rows.classes, .logits = rows.logits, .labels = rows.labels};
  const std::vector<metrics::ScoredPrediction> plain = metrics::scored(images, 1);
  const std::vector<metrics::ScoredPrediction> calibrated = metrics::scored(images, temperature);
  std::vector<report::Prediction> predictions;
  for (std::int64_t row = 0; row < rows.images(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    report::Prediction one{.name = set.name(rows.indices[at]),
                           .label = rows.labels[at],
                           .predicted = rows.predicted(row),
                           .confidence = static_cast<float>(plain[at].confidence),
                           .of_label = static_cast<float>(plain[at].of_label)};
    one.calibrated = {static_cast<float>(calibrated[at].confidence), static_cast<float>(calibrated[at].of_label)};
    predictions.push_back(std::move(one));
  }
  return predictions;
}

void copy_calibrated(const std::vector<report::Prediction>& from, std::vector<report::Prediction>& to) {
  std::map<std::string_view, const report::Prediction*> by_name;
  for (const report::Prediction& one : from) by_name[one.name] = &one;
  for (report::Prediction& one : to) {
    if (const auto found = by_name.find(one.name); found != by_name.end()) one.calibrated = found->second->calibrated;
  }
}

void compare_with_probe(const std::vector<report::Prediction>& of_network,
                        const std::vector<report::Prediction>& of_probe, report::FinetuneProbe& probe) {
  EFFNET_CHECK(of_network.size() == of_probe.size());
  metrics::PairedCounts counts;  // a: the probe
  for (std::size_t i = 0; i < of_probe.size(); ++i) {
    EFFNET_CHECK(of_network[i].name == of_probe[i].name);
    counts.add(of_probe[i].predicted == of_probe[i].label, of_network[i].predicted == of_network[i].label);
  }
  probe.test_top1 = report::top1_percent(of_probe);
  probe.test_interval = metrics::wilson_95(counts.only_a + counts.both, counts.images());
  probe.test_p = metrics::mcnemar_p(counts.only_a, counts.only_b);
}

report::FinetuneResult result_of(const std::vector<report::Prediction>& predictions,
                                 const std::vector<std::string>& classes) {
  metrics::Confusion confusion(std::ssize(classes));
  for (const report::Prediction& one : predictions) confusion.add(one.label, one.predicted);
  report::FinetuneResult result;
  result.images = confusion.images();
  result.test_top1 = report::top1_percent(predictions);
  result.mean_per_class = 100 * confusion.means().recall.value_or(0);
  result.interval = metrics::wilson_95(confusion.right(), confusion.images());
  double worst = 2;
  for (std::int64_t index = 0; index < confusion.classes(); ++index) {
    const metrics::ClassScore score = confusion.score(index);
    if (!score.recall || *score.recall >= worst) continue;
    worst = *score.recall;
    result.worst_class = {classes[static_cast<std::size_t>(index)], 100 * worst, score.support};
  }
  return result;
}

}  // namespace effnet::train

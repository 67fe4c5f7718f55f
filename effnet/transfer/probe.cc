#include "effnet/transfer/probe.h"

#include "effnet/base/error.h"
#include "effnet/graph/lower.h"
#include "effnet/metrics/accuracy.h"
#include "effnet/transfer/compute.h"
#include "effnet/transfer/cross_validation.h"
#include "effnet/transfer/knn.h"

namespace effnet::transfer {
namespace {

// The embeddings of one or several datasets.
struct Rows {
  std::vector<float> values;
  std::vector<std::int64_t> labels;
  std::vector<std::string> names;
};

void add(const data::Dataset& set, Embeddings embeddings, Rows& rows, ProbeReport& report) {
  rows.values.insert(rows.values.end(), embeddings.values.begin(), embeddings.values.end());
  for (const std::int64_t index : embeddings.indices) {
    rows.labels.push_back(set.label(index));
    rows.names.push_back(set.name(index));
  }
  std::ranges::move(embeddings.corrupt, std::back_inserter(report.corrupt));
}

// `scores` is rows x classes: logits or probabilities.
void set_accuracy(std::span<const float> scores, std::span<const std::int64_t> labels, ProbeReport& report) {
  const std::size_t classes = report.classes.size();
  metrics::Accuracy accuracy(static_cast<std::int64_t>(classes));
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::span<const float> row = scores.subspan(i * classes, classes);
    accuracy.add(row, labels[i]);
    right += std::ranges::max_element(row) - row.begin() == labels[i];
  }
  report.images = accuracy.images();
  report.top1 = accuracy.top1_percent();
  report.top5 = accuracy.top5_percent();
  report.mean_per_class = accuracy.mean_per_class_percent();
  report.interval = metrics::wilson_95(right, report.images);
}

double percent_right(const std::vector<std::int64_t>& predicted, const std::vector<std::int64_t>& labels) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += predicted[i] == labels[i];
  return 100 * static_cast<double>(right) / static_cast<double>(labels.size());
}

std::vector<std::int64_t> all_rows(std::int64_t count) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(i);
  return rows;
}

}  // namespace

ProbeSets open_probe_sets(const data::Source& source) {
  using data::Part;
  const data::AllImages all = data::open_all(source);
  const std::vector<Part> parts = all.parts();
  const auto part = [&](Part wanted) { return data::with_parts(all.set, parts, {wanted}); };
  const auto train = part(Part::train), val = part(Part::val), test = part(Part::test);
  if (!train) throw input_error("{}: no training images (got none in train/)", source.folder.string());
  if (test && val) return {{train, val}, test, "test"};
  if (test) return {{train}, test, "test"};
  if (val) return {{train}, val, "val"};
  return {{train}, nullptr, "cross_validation"};
}

ProbeReport run_probe(const ProbeSets& sets, model::ModelHandle& model, ThreadPool& pool, const ProbeOptions& options) {
  EFFNET_CHECK(!sets.training.empty());
  ProbeReport report;
  report.evaluated_on = sets.evaluated_on;
  report.classes = sets.training.front()->classes();
  const auto progress = [&](std::string_view what) -> Done {
    if (!options.progress) return {};
    return [&options, what](std::int64_t done, std::int64_t total) { options.progress(what, done, total); };
  };
  const auto embed_set = [&](const data::Dataset& set, std::string_view what, Rows& rows) {
    EmbedOptions embedding = options.embed;
    embedding.progress = progress(what);
    add(set, embed(set, model, pool, embedding), rows, report);
  };
  Rows training, evaluation;
  for (const auto& set : sets.training) embed_set(*set, "training images", training);
  if (sets.evaluation) embed_set(*sets.evaluation, "images to evaluate", evaluation);

  const Compute compute(pool.threads());
  const layers::Context& context = compute.context;
  const auto width = static_cast<std::int64_t>(training.values.size() / training.labels.size());
  const LabelledRows rows{training.values, training.labels, width, std::ssize(report.classes)};
  report.training_images = rows.rows();
  report.l2 = options.l2.value_or(kL2WithoutChoice);
  if (options.cross_validation && (!sets.evaluation || largest_class(rows) > 1)) {
    CrossValidationOptions folds{.seed = options.seed, .progress = progress("folds")};
    if (options.l2) folds.grid = {*options.l2};
    const CrossValidation validation = cross_validate(context, rows, folds);
    report.l2 = validation.l2;
    set_accuracy(validation.probabilities, training.labels, report);
    report.cross_validation = report.top1;
    for (const LabelError& error : find_label_errors(validation.probabilities, training.labels, rows.classes))
      report.label_errors.push_back({training.names[static_cast<std::size_t>(error.row)], error});
  }

  ProbeTraining fit(context, rows, all_rows(rows.rows()));
  fit.fit(report.l2);
  report.probe = fit.probe();
  if (sets.evaluation) set_accuracy(report.probe.logits(context, evaluation.values), evaluation.labels, report);
  if (options.neighbours) {
    const NearestNeighbours knn(context, rows);
    report.knn_k = knn.k();
    report.knn_top1 =
        sets.evaluation ? percent_right(knn.classify(evaluation.values), evaluation.labels) : 100 * knn.leave_one_out();
  }
  return report;
}

formats::Model with_probe(model::ModelHandle& model, const ProbeReport& report, const Preprocessing& rule) {
  formats::Model result = model.load_weights();
  const std::shared_ptr<const graph::Graph> graph = model.graph();
  const std::string classifier = graph->at(graph->logits).name;
  const LinearProbe& probe = report.probe;
  result.arch.classes = probe.classes;
  if (rule.crop.h == rule.crop.w) result.arch.resolution = rule.crop.h;
  result.preprocessing = rule;
  result.labels = report.classes;
  result.class_ids.clear();
  result.calibration.reset();  // of the earlier classifier
  result.weights.tensors[classifier + ".weight"] = tensor::make_tensor({probe.classes, probe.width}, probe.weight);
  result.weights.tensors[classifier + ".bias"] = tensor::make_tensor({probe.classes}, probe.bias);
  return result;
}

}  // namespace effnet::transfer

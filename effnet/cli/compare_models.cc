#include "effnet/cli/compare_models.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <numeric>

#include "effnet/base/text.h"
#include "effnet/cli/known_run.h"
#include "effnet/metrics/accuracy.h"

namespace effnet::cli {
namespace {

using Names = std::vector<std::string>;

// Returns up to three of `names` that are not in `others`, in quotes.
Names missing_in(const std::map<std::string, std::size_t>& others, const Names& names) {
  Names missing;
  for (const std::string& name : names) {
    if (!others.contains(name) && missing.size() < 3) missing.push_back(in_quotes(name));
  }
  return missing;
}

std::map<std::string, std::size_t> indices_of(const Names& names) {
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!indices.emplace(names[i], i).second)
      throw input_error("the models' classes cannot be matched by name (got two classes {}, expected different names)",
                        in_quotes(names[i]));
  }
  return indices;
}

}  // namespace

std::vector<std::size_t> matching_classes(const formats::Model& a, const formats::Model& b) {
  if (a.arch.classes != b.arch.classes)
    throw input_error("the models have different numbers of classes (got {} and {}, expected the same classes)",
                      a.arch.classes, b.arch.classes)
        .with_hint("effnet eval MODEL DIR measures each model on images of its own classes");
  std::vector<std::size_t> match(static_cast<std::size_t>(a.arch.classes));
  std::iota(match.begin(), match.end(), std::size_t{0});
  const bool by_id = !a.class_ids.empty() && !b.class_ids.empty();
  const Names& of_a = by_id ? a.class_ids : a.labels;
  const Names& of_b = by_id ? b.class_ids : b.labels;
  if (of_a == of_b) return match;
  if (of_a.empty() || of_b.empty())
    throw input_error("the models' classes cannot be matched (got class names in one model only, expected in both)");
  const std::map<std::string, std::size_t> a_indices = indices_of(of_a), b_indices = indices_of(of_b);
  const Names only_a = missing_in(b_indices, of_a), only_b = missing_in(a_indices, of_b);
  if (!only_a.empty() || !only_b.empty())
    throw input_error("the models have different classes (got {} in the first model only and {} in the second only)",
                      only_a.empty() ? "none" : fmt::format("{}", fmt::join(only_a, ", ")),
                      only_b.empty() ? "none" : fmt::format("{}", fmt::join(only_b, ", ")))
        .with_hint("compare models that were trained on the same class folders");
  for (std::size_t i = 0; i < of_a.size(); ++i) match[i] = b_indices.at(of_a[i]);
  return match;
}

void declare_options(CLI::App& command, CompareModelsOptions& options) {
  command.add_option("A", options.a, kModelHelp)->required();
  command.add_option("B", options.b, "The model to compare with A: as A, with the same classes")->required();
  command
      .add_option("--data", options.images.folder,
                  "Use this folder: class folders, or splits of which test is used, otherwise val; with --labels a "
                  "folder of images")
      ->type_name("DIR")
      ->required();
  command.add_option("--backend", options.backend, kBackendHelp);
  declare_labelled_options(command, options.images);
  options.load.declare(command);
}

CompareModelsResult run_compare_models(const CompareModelsOptions& o, const Globals& globals, Output& out) {
  check_backend_name(o.backend);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle a = load_model(o.a, o.load, pool, out);
  model::ModelHandle b = load_model(o.b, o.load, pool, out);
  const std::vector<std::size_t> in_b = matching_classes(a.info(), b.info());
  data::ImageSet set = read_labelled_images(o.images, a.info(), out);
  Runner run_a(a, o.backend, "", pool), run_b(b, o.backend, "", pool);
  metrics::Accuracy accuracy_a(a.arch().classes), accuracy_b(b.arch().classes);
  CompareModelsResult result;
  std::array<Runner*, 2> runners{&run_a, &run_b};
  const std::optional<KnownRun> known_a = find_known_run(o.a, o.load, out), known_b = find_known_run(o.b, o.load, out);
  std::vector<data::ImageContent> contents;
  run_on_images(
      set, o.images, runners, pool, !globals.json, out,
      [&](std::int64_t truth, std::span<const std::span<const float>> logits) {
        const bool a_right = accuracy_a.add(logits[0], truth) == 0;
        const std::size_t truth_b = in_b[static_cast<std::size_t>(truth)];
        const bool b_right = accuracy_b.add(logits[1], static_cast<std::int64_t>(truth_b)) == 0;
        result.counts.add(a_right, b_right);
      },
      known_a || known_b ? &contents : nullptr);
  const auto side = [](const std::string& name, const model::ModelHandle& model, const metrics::Accuracy& accuracy,
                       const Runner& runner) {
    return CompareModelsResult::Side{.model = name,
                                     .weights = std::string(model.weights_from()),
                                     .top1 = accuracy.top1_percent(),
                                     .mean_per_class = accuracy.mean_per_class_percent(),
                                     .interval = metrics::wilson_95(accuracy.right(), accuracy.images()),
                                     .images_per_second = static_cast<double>(accuracy.images()) / runner.seconds};
  };
  result.a = side(o.a, a, accuracy_a, run_a);
  result.b = side(o.b, b, accuracy_b, run_b);
  if (known_a) result.a.used_images = count_used(*known_a, contents, o.images.folder, out);
  if (known_b) result.b.used_images = count_used(*known_b, contents, o.images.folder, out);
  result.interval = metrics::bootstrap_95(result.counts);
  result.p = metrics::mcnemar_p(result.counts.only_a, result.counts.only_b);
  result.folder = folder_of_images(o.images);
  result.skipped = std::move(set.skipped);
  return result;
}

Json to_json(const CompareModelsResult& result) {
  const auto side = [](const CompareModelsResult::Side& one) -> Json {
    Json document{{"model", one.model},
                  {"weights", one.weights},
                  {"top1", one.top1},
                  {"interval", {100 * one.interval.low, 100 * one.interval.high}},
                  {"mean_per_class", one.mean_per_class},
                  {"images_per_second", one.images_per_second}};
    if (one.used_images) document["used_images"] = *one.used_images;
    return document;
  };
  return {{"a", side(result.a)},
          {"b", side(result.b)},
          {"difference", 100 * result.counts.difference()},
          {"interval", {100 * result.interval.low, 100 * result.interval.high}},
          {"p", result.p},
          {"only_a", result.counts.only_a},
          {"only_b", result.counts.only_b},
          {"both", result.counts.both},
          {"neither", result.counts.neither},
          {"images", result.counts.images()},
          {"data", result.folder},
          {"skipped", skipped_json(result.skipped)}};
}

std::string to_text(const CompareModelsResult& result) {
  const metrics::PairedCounts& counts = result.counts;
  std::string text = fmt::format("{} of {}\n", count_of(counts.images(), "image"), result.folder);
  for (const auto& [letter, side] : {std::pair{'A', &result.a}, std::pair{'B', &result.b}})
    text += fmt::format(
        "  {}  {}: top-1 {:.2f} % (95 % interval {:.2f} to {:.2f}), mean per class {:.2f} %, {:.1f} images/s\n", letter,
        side->model, side->top1, 100 * side->interval.low, 100 * side->interval.high, side->mean_per_class,
        side->images_per_second);
  text += fmt::format("right: both {}, only A {}, only B {}, neither {}\n", counts.both, counts.only_a, counts.only_b,
                      counts.neither);
  const double points = 100 * counts.difference();
  const std::string interval = fmt::format("95 % interval of B minus A: {:+.2f} to {:+.2f} points, p = {:.2g}",
                                           100 * result.interval.low, 100 * result.interval.high, result.p);
  if (points == 0) return text + fmt::format("Both models are equally accurate on these images ({}).\n", interval);
  const char better = points > 0 ? 'B' : 'A';
  if (result.p < metrics::kClearP)
    return text + fmt::format("{} is clearly more accurate, by {:.2f} percentage points ({}).\n", better,
                              std::abs(points), interval);
  return text + fmt::format("{} is more accurate by {:.2f} percentage points, but this may be chance ({}).\n", better,
                            std::abs(points), interval);
}

Body declare_compare_models(CLI::App& command, const Globals& globals) {
  return bind(command, globals, run_compare_models);
}

}  // namespace effnet::cli

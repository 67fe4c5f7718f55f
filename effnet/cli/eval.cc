#include "effnet/cli/eval.h"

#include <array>

#include "effnet/cli/arguments.h"
#include "effnet/cli/known_run.h"
#include "effnet/metrics/accuracy.h"

namespace effnet::cli {

void declare_options(CLI::App& command, EvalOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command
      .add_option("DIR", options.images.folder,
                  "A folder with class folders, or with splits of which test is used, otherwise val; with --labels a "
                  "folder of images")
      ->required();
  command.add_option("--precision", options.precision, kPrecisionHelp);
  command.add_option("--backend", options.backend, kBackendHelp);
  declare_labelled_options(command, options.images);
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  options.load.declare(command);
}

EvalResult run_eval(const EvalOptions& o, const Globals& globals, Output& out) {
  check_precision(o.precision);
  check_backend_name(o.backend);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  data::ImageSet set = read_labelled_images(o.images, model.info(), out);
  Runner runner(model, o.backend, o.resolution, pool);
  metrics::Accuracy accuracy(model.arch().classes);
  std::array<Runner*, 1> runners{&runner};
  const std::optional<KnownRun> run = find_known_run(o.model, o.load, out);
  std::vector<data::ImageContent> contents;
  const double seconds = run_on_images(
      set, o.images, runners, pool, !globals.json, out,
      [&](std::int64_t truth, std::span<const std::span<const float>> logits) { accuracy.add(logits.front(), truth); },
      run ? &contents : nullptr);
  const metrics::Accuracy::ClassRecall worst = *accuracy.worst_class();
  return {.images = accuracy.images(),
          .top1 = accuracy.top1_percent(),
          .top5 = accuracy.top5_percent(),
          .mean_per_class = accuracy.mean_per_class_percent(),
          .interval = metrics::wilson_95(accuracy.right(), accuracy.images()),
          .worst_class = {model.label(static_cast<std::size_t>(worst.index)), worst.images, worst.percent()},
          .images_per_second = static_cast<double>(accuracy.images()) / seconds,
          .weights = std::string(model.weights_from()),
          .used_images = run ? std::optional(count_used(*run, contents, o.images.folder, out)) : std::nullopt,
          .classes = model.arch().classes,
          .skipped = std::move(set.skipped)};
}

Json to_json(const EvalResult& result) {
  Json document{{"images", result.images},
                {"top1", result.top1},
                {"top5", result.top5},
                {"mean_per_class", result.mean_per_class},
                {"interval", {100 * result.interval.low, 100 * result.interval.high}},
                {"worst_class",
                 {{"name", result.worst_class.name},
                  {"images", result.worst_class.images},
                  {"recall", result.worst_class.recall}}},
                {"images_per_second", result.images_per_second},
                {"weights", result.weights},
                {"skipped", skipped_json(result.skipped)}};
  if (result.used_images) document["used_images"] = *result.used_images;
  return document;
}

std::string to_text(const EvalResult& result) {
  return fmt::format(
      "{}: top-1 {:.2f} %{}, mean per class {:.2f} %, {:.1f} images/s, {} skipped\n"
      "95 % interval of top-1: {:.2f} % to {:.2f} %\n"
      "worst class: {}, {:.2f} % of its {}\n",
      count_of(result.images, "image"), result.top1, top5_text(result.top5, result.classes), result.mean_per_class,
      result.images_per_second, result.skipped.size(), 100 * result.interval.low, 100 * result.interval.high,
      result.worst_class.name, result.worst_class.recall, count_of(result.worst_class.images, "image"));
}

Body declare_eval(CLI::App& command, const Globals& globals) { return bind(command, globals, run_eval); }

}  // namespace effnet::cli

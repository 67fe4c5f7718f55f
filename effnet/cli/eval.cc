#include "effnet/cli/eval.h"

#include <algorithm>
#include <chrono>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/metrics/accuracy.h"
#include "effnet/model/classifier.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

data::ImageSet read_set(const EvalOptions& o, const formats::Model& model, Output& out) {
  const data::ClassNames names{.classes = model.arch.classes,
                               .ids = model.class_ids,
                               .labels = model.labels,
                               .owner = "the model",
                               .hint = "give --classes FILE with lines 'index<TAB>name'"};
  data::ExtraNames extra;
  if (!o.classes.empty()) extra = data::read_class_file(o.classes, model.arch.classes);
  data::ImageSet set = o.labels.empty() ? data::read_class_folders(o.folder, names, extra)
                                        : data::read_labelled_folder(o.folder, o.labels, names, extra);
  for (const std::string& text : set.notes) out.warn(text);
  if (set.images.empty())
    throw input_error("{}: no images (got {} other files, expected {} files)", o.folder, set.skipped.size(),
                      vision::image_extensions());
  return set;
}

struct Loaded {
  vision::Sampled view;
  std::string why;  // why the image could not be read; empty: it was read
};
// Decodes and resizes a batch in parallel.
std::vector<Loaded> load(std::span<const data::LabelledImage> images, const model::Classifier& classifier,
                         ThreadPool& pool) {
  std::vector<Loaded> loaded(images.size());
  pool.parallel_for(static_cast<std::int64_t>(images.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        loaded[i].view = classifier.view(vision::read_image(images[i].path));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::input) throw;
        loaded[i].why = error.what();
      }
    }
  });
  return loaded;
}

// Warns about the first kShown skipped files; --json lists all.
void warn_skipped(const std::vector<data::SkippedFile>& skipped, Output& out) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(skipped.size(), kShown); ++i)
    out.warn(fmt::format("skipped {}: {}", in_quotes(skipped[i].path.string()), skipped[i].why));
  if (skipped.size() > kShown) out.warn(fmt::format("skipped {} more (--json lists all)", skipped.size() - kShown));
}

}  // namespace

void declare_options(CLI::App& command, EvalOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("DIR", options.folder, "A folder with class folders, or with --labels a folder of images")
      ->required();
  command.add_option("--precision", options.precision, kPrecisionHelp);
  command.add_option("--backend", options.backend, kBackendHelp);
  add_number(command, "--batch", options.batch, 1, 4096, "Process N images at once [8]");
  command
      .add_option("--classes", options.classes,
                  "Read class names from this file: lines 'index<TAB>name', or one name per line. These names have "
                  "priority over the model's")
      ->type_name("FILE");
  command
      .add_option("--labels", options.labels,
                  "Read the labels of the images in DIR from this file: lines 'file,class'. Either every class is an "
                  "index, or every class is a name")
      ->type_name("CSV");
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  options.load.declare(command);
}

EvalResult run_eval(const EvalOptions& o, const Globals& globals, Output& out) {
  check_precision(o.precision);
  check_backend_name(o.backend);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  data::ImageSet set = read_set(o, model.info(), out);
  model::Classifier classifier(model, {.executor = o.backend, .preprocessing = preprocessing_at(model, o.resolution)},
                               pool);

  metrics::Accuracy accuracy(model.arch().classes);
  Progress progress(out, "eval", static_cast<std::int64_t>(set.images.size()));
  const auto start = std::chrono::steady_clock::now();
  const auto classes = static_cast<std::size_t>(model.arch().classes);
  for (std::size_t first = 0; first < set.images.size(); first += static_cast<std::size_t>(o.batch)) {
    check_interrupt();
    const std::size_t count = std::min(static_cast<std::size_t>(o.batch), set.images.size() - first);
    const std::span<const data::LabelledImage> images(&set.images[first], count);
    std::vector<vision::Sampled> views;
    std::vector<std::int64_t> truth;
    std::vector<Loaded> loaded = load(images, classifier, pool);
    for (std::size_t i = 0; i < count; ++i) {
      if (!loaded[i].why.empty()) {
        set.skipped.push_back({images[i].path, loaded[i].why});
        continue;
      }
      views.push_back(std::move(loaded[i].view));
      truth.push_back(images[i].class_index);
    }
    if (truth.empty()) continue;
    const std::vector<float> logits = classifier.logits(views);
    for (std::size_t i = 0; i < truth.size(); ++i)
      accuracy.add(std::span(logits).subspan(i * classes, classes), truth[i]);
    progress.update(static_cast<std::int64_t>(first + count));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (accuracy.images() == 0)
    throw input_error("{}: no image could be read (first error: {})", o.folder, set.skipped.front().why);
  if (!globals.json) warn_skipped(set.skipped, out);
  return {accuracy.images(),
          accuracy.top1_percent(),
          accuracy.top5_percent(),
          accuracy.mean_per_class_percent(),
          static_cast<double>(accuracy.images()) / seconds,
          std::string(model.weights_from()),
          std::move(set.skipped)};
}

Json to_json(const EvalResult& result) {
  Json skipped = Json::array();
  for (const data::SkippedFile& file : result.skipped)
    skipped.push_back({{"path", file.path.string()}, {"why", file.why}});
  return {{"images", result.images},
          {"top1", result.top1},
          {"top5", result.top5},
          {"mean_per_class", result.mean_per_class},
          {"images_per_second", result.images_per_second},
          {"weights", result.weights},
          {"skipped", std::move(skipped)}};
}

std::string to_text(const EvalResult& result) {
  return fmt::format(
      "{} images: top-1 {:.2f} %, top-5 {:.2f} %, mean per class {:.2f} %, {:.1f} images/s, {} skipped\n",
      result.images, result.top1, result.top5, result.mean_per_class, result.images_per_second, result.skipped.size());
}

Body declare_eval(CLI::App& command, const Globals& globals) { return bind(command, globals, run_eval); }

}  // namespace effnet::cli

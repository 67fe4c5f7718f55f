// effnet eval MODEL DIR: accuracy on labelled pictures.
#include <algorithm>
#include <chrono>
#include <mutex>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/runner.h"
#include "effnet/data/image_folder.h"
#include "effnet/metrics/accuracy.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

struct Options {
  std::string model, folder, precision = "fp32", backend = "engine", classes, labels, resolution;
  int batch = 8;
  LoadOptions load;
};

data::ImageSet read_set(const Options& o, const formats::Model& model, Output& out) {
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
    throw input_error("{}: no pictures (got {} other files, expected {} files)", o.folder, set.skipped.size(),
                      vision::picture_extensions());
  return set;
}

// For people; --json has all.
void warn_skipped(const std::vector<data::SkippedFile>& skipped, Output& out) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(skipped.size(), kShown); ++i)
    out.warn(fmt::format("skipped {}: {}", in_quotes(skipped[i].path.string()), skipped[i].why));
  if (skipped.size() > kShown) out.warn(fmt::format("skipped {} more (--json lists all)", skipped.size() - kShown));
}

// Decodes and prepares a batch, one picture a task; a picture that fails leaves an empty input and its reason.
struct Loaded {
  std::vector<float> input;
  std::string why;
};
std::vector<Loaded> load(std::span<const data::LabelledImage> images, const Preprocessing& preprocessing,
                         ThreadPool& pool) {
  std::vector<Loaded> loaded(images.size());
  pool.parallel_for(static_cast<std::int64_t>(images.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        loaded[i].input = vision::prepare(vision::read_image(images[i].path), preprocessing).input;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::input) throw;
        loaded[i].why = error.what();
      }
    }
  });
  return loaded;
}

}  // namespace

Body declare_eval(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  command.add_option("DIR", o->folder, "Class folders, or one folder of pictures with --labels")->required();
  command.add_option("--precision", o->precision, "fp32 (bf16 and int8 are not built yet)");
  command.add_option("--backend", o->backend, "engine, or reference: the slow executor that it is compared with");
  add_number(command, "--batch", o->batch, 1, 4096, "Pictures at once [8]");
  command
      .add_option("--classes", o->classes,
                  "Names of classes, before the model's own: lines 'index<TAB>name' or one name a line")
      ->type_name("FILE");
  command
      .add_option("--labels", o->labels,
                  "Labels of the pictures in DIR: lines 'file,class', all indices or all ids or labels")
      ->type_name("CSV");
  command.add_option("--resolution", o->resolution, "Input size instead of the model's; the crop rule scales with it")
      ->type_name("R");
  o->load.declare(command);
  return [o, &globals](Output& out) {
    check_precision(o->precision);
    check_backend_name(o->backend);
    ThreadPool pool(thread_count(globals));
    LoadedModel model(o->model, o->load, pool, out);
    data::ImageSet set = read_set(*o, model.info(), out);
    Preprocessing preprocessing = model.preprocessing();
    if (!o->resolution.empty()) preprocessing = preprocessing.at(parse_resolution(o->resolution));

    Runner runner(model, make_backend(o->backend, model, pool));
    metrics::Accuracy accuracy(model.arch().classes);
    Progress progress(out, "eval", static_cast<std::int64_t>(set.images.size()));
    const auto start = std::chrono::steady_clock::now();
    const auto classes = static_cast<std::size_t>(model.arch().classes);
    for (std::size_t first = 0; first < set.images.size(); first += static_cast<std::size_t>(o->batch)) {
      check_interrupt();
      const std::size_t count = std::min(static_cast<std::size_t>(o->batch), set.images.size() - first);
      const std::span<const data::LabelledImage> images(&set.images[first], count);
      std::vector<float> inputs;
      std::vector<std::int64_t> truth;
      const std::vector<Loaded> loaded = load(images, preprocessing, pool);
      for (std::size_t i = 0; i < count; ++i) {
        if (!loaded[i].why.empty()) {
          set.skipped.push_back({images[i].path, loaded[i].why});
          continue;
        }
        inputs.insert(inputs.end(), loaded[i].input.begin(), loaded[i].input.end());
        truth.push_back(images[i].class_index);
      }
      if (truth.empty()) continue;
      const std::vector<float> logits =
          runner.logits(inputs, preprocessing.crop, static_cast<std::int64_t>(truth.size()));
      for (std::size_t i = 0; i < truth.size(); ++i)
        accuracy.add(std::span(logits).subspan(i * classes, classes), truth[i]);
      progress.update(static_cast<std::int64_t>(first + count));
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (accuracy.images() == 0)
      throw input_error("{}: no picture could be read (first: {})", o->folder, set.skipped.front().why);

    Json skipped = Json::array();
    for (const data::SkippedFile& file : set.skipped)
      skipped.push_back({{"path", file.path.string()}, {"why", file.why}});
    const double rate = static_cast<double>(accuracy.images()) / seconds;
    if (globals.json) {
      out.print_json({{"images", accuracy.images()},
                      {"top1", accuracy.top1_percent()},
                      {"top5", accuracy.top5_percent()},
                      {"mean_per_class", accuracy.mean_per_class_percent()},
                      {"images_per_second", rate},
                      {"weights", model.weights_from()},
                      {"skipped", std::move(skipped)}});
      return 0;
    }
    warn_skipped(set.skipped, out);
    out.print(fmt::format(
        "{} pictures: top-1 {:.2f} %, top-5 {:.2f} %, mean per class {:.2f} %, {:.1f} pictures/s, {} skipped\n",
        accuracy.images(), accuracy.top1_percent(), accuracy.top5_percent(), accuracy.mean_per_class_percent(), rate,
        set.skipped.size()));
    return 0;
  };
}

}  // namespace effnet::cli

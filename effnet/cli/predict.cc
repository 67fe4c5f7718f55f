#include "effnet/cli/predict.h"

#include <filesystem>
#include <set>

#include <unistd.h>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/path_list.h"
#include "effnet/formats/npy.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/formats.h"
#include "effnet/vision/resize.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Returns the unchanged image; the network then has its height and width.
vision::Sampled unchanged(vision::Image image) {
  const vision::Box all{0, 0, static_cast<double>(image.w), static_cast<double>(image.h)};
  return {std::move(image), {}, all};
}

Preprocessing preprocessing_of(const PredictOptions& o, const model::ModelHandle& model) {
  Preprocessing rule = preprocessing_at(model, o.resolution);
  if (!o.mean.empty()) rule.mean = parse_triple("--mean", o.mean, -1e6);
  if (!o.std.empty()) rule.std = parse_triple("--std", o.std, 0);
  return rule;
}

bool reads_paths(const PredictOptions& o) { return o.images.size() == 1 && o.images[0] == "-"; }

class Predictor {
 public:
  Predictor(const PredictOptions& options, model::ModelHandle& model, ThreadPool& pool)
      : options_(options),
        classifier_(model, {.executor = options.backend, .preprocessing = preprocessing_of(options, model)}, pool) {
    if (!options.cam.empty()) make_folders(options.cam);
  }

  // An unreadable file or a result that is not finite is stored as this image's error. Other errors end the command.
  PredictedImage run(const std::string& path) {
    PredictedImage predicted{path, {}, {}, options_.logits, {}};
    try {
      answer(predicted);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      predicted.error = error;
    }
    return predicted;
  }

 private:
  void answer(PredictedImage& predicted) {
    const vision::Image photo = vision::read_image(predicted.path, {.apply_orientation = !options_.raw});
    const vision::Sampled view = options_.raw ? unchanged(photo) : classifier_.view(photo);
    dump(view);
    predicted.answer =
        classifier_.classify(view, {.top = static_cast<std::size_t>(options_.top), .map = !options_.cam.empty()});
    if (!options_.logits) predicted.answer.logits = {};
    if (!predicted.answer.map) return;
    const fs::path out = cam_path(predicted.path);
    write_bytes(out, vision::encode_png(model::overlay(photo, *predicted.answer.map)));
    predicted.cam = out.string();
    predicted.answer.map = {};
  }

  void dump(const vision::Sampled& view) {
    const vision::Image pixels = view.exact.rgb.empty() ? view.pixels : vision::rounded(view.exact);
    if (!options_.dump_pixels.empty()) write_bytes(options_.dump_pixels, vision::encode_png(pixels));
    if (!options_.dump_input.empty())
      formats::write_npy(options_.dump_input, classifier_.values(view), {1, 3, pixels.h, pixels.w});
  }

  // Returns DIR/NAME_cam.png, or DIR/NAME_2_cam.png and so on if an earlier image has the same name.
  fs::path cam_path(const std::string& path) {
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem + "_cam.png";
    for (int i = 2; !cams_.insert(name).second; ++i) name = fmt::format("{}_{}_cam.png", stem, i);
    return fs::path(options_.cam) / name;
  }

  const PredictOptions& options_;
  model::Classifier classifier_;
  std::set<std::string> cams_;
};

void check(const PredictOptions& o) {
  check_precision(o.precision);
  check_backend_name(o.backend);
  check_no_stdout("--dump-pixels", o.dump_pixels);
  check_no_stdout("--dump-input", o.dump_input);
  const bool dumps = !o.dump_pixels.empty() || !o.dump_input.empty();
  if (dumps && (o.images.size() != 1 || reads_paths(o))) {
    throw usage_error("--dump-pixels and --dump-input write a single image (got {}, expected one IMAGE)",
                      reads_paths(o) ? "a list on stdin" : fmt::format("{} images", o.images.size()));
  }
  if (dumps) {
    check_not_input("--dump-pixels", o.dump_pixels, o.images[0]);
    check_not_input("--dump-input", o.dump_input, o.images[0]);
  }
  if (!o.dump_pixels.empty() && vision::image_encoder(o.dump_pixels) != vision::encode_png) {
    throw usage_error(
        "--dump-pixels: format not supported, because the pixels must stay exact (got {}, expected a .png "
        "file)",
        in_quotes(o.dump_pixels));
  }
  if (o.raw && !o.resolution.empty())
    throw usage_error(
        "--raw cannot be combined with --resolution, because it uses the image's own size (got both, "
        "expected one of them)");
}

}  // namespace

void declare_options(CLI::App& command, PredictOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command
      .add_option("IMAGE", options.images,
                  vision::image_formats() +
                      " files; /dev/stdin is accepted. '-' reads paths from stdin, one per line or with a NUL after "
                      "each path (find -print0), and prints one JSON line per image")
      ->required();
  add_number(command, "--top", options.top, 1, 1 << 20, "Show the N best classes [5]");
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  command.add_option("--precision", options.precision, kPrecisionHelp);
  command.add_option("--backend", options.backend, kBackendHelp);
  command.add_flag("--logits", options.logits, "Include all logits");
  command.add_option("--cam", options.cam, "Write each image with its class activation map to this folder")
      ->type_name("DIR");
  command.add_flag("--raw", options.raw, "Use the image unchanged: no resize, no crop, no EXIF orientation");
  command.add_option("--mean", options.mean, "Subtract these means of R, G, B from pixels in 0..1 [the model's]")
      ->type_name("A,B,C");
  command.add_option("--std", options.std, "Then divide by these standard deviations of R, G, B [the model's]")
      ->type_name("A,B,C");
  command.add_option("--dump-pixels", options.dump_pixels, "Write the resized and cropped pixels as PNG")
      ->type_name("FILE.png");
  command.add_option("--dump-input", options.dump_input, "Write the network's input, 1x3xHxW float32")
      ->type_name("FILE.npy");
  options.load.declare(command);
}

PredictResult run_predict(const PredictOptions& o, const Globals& globals, Output& out, const OnImage& each) {
  check(o);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  Predictor predictor(o, model, pool);
  PredictResult result{model.arch().name, std::string(model.weights_from()), {}};
  if (reads_paths(o)) {
    PathList paths(STDIN_FILENO, "stdin");
    while (const std::optional<std::string> path = paths.next()) each(predictor.run(*path), result);
    return result;
  }
  for (const std::string& path : o.images) {
    check_interrupt();
    result.images.push_back(predictor.run(path));
    each(result.images.back(), result);
  }
  return result;
}

Json to_json(const PredictedImage& predicted) {
  if (predicted.error) return {{"path", predicted.path}, {"error", predicted.error->what()}};
  Json top = Json::array();
  for (const model::Prediction& one : predicted.answer.top)
    top.push_back({{"index", one.index}, {"label", one.label}, {"score", one.score}});
  Json element{{"path", predicted.path}, {"top", std::move(top)}, {"ms", predicted.answer.ms}};
  if (predicted.logits) {
    Json values = Json::array();
    for (const float value : predicted.answer.logits) values.push_back(shortest(value));
    element["logits"] = std::move(values);
  }
  if (!predicted.cam.empty()) element["cam"] = predicted.cam;
  return element;
}

Json to_json(const PredictResult& result) {
  Json images = Json::array();
  for (const PredictedImage& predicted : result.images) images.push_back(to_json(predicted));
  return {{"model", result.model}, {"weights", result.weights}, {"images", std::move(images)}};
}

std::string to_text(const PredictedImage& predicted) {
  std::string text = predicted.path + "\n";
  for (const model::Prediction& one : predicted.answer.top)
    text += fmt::format("  {:6.2f} %  {} ({})\n", 100 * one.score, one.label, one.index);
  if (!predicted.cam.empty()) text += fmt::format("  map: {}\n", predicted.cam);
  return text;
}

Body declare_predict(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<PredictOptions>();
  declare_options(command, *o);
  return [o, &globals](Output& out) {
    const bool stream = reads_paths(*o);
    bool failed = false;
    std::optional<Progress> progress;
    if (!stream) progress.emplace(out, "predict", static_cast<std::int64_t>(o->images.size()));
    const auto show_one = [&](const PredictedImage& predicted, const PredictResult& so_far) {
      if (predicted.error) out.error(*predicted.error);
      failed |= predicted.error.has_value();
      if (stream) {
        Json element = to_json(predicted);
        element["weights"] = so_far.weights;
        out.print_json_line(element);
        return;
      }
      progress->update(static_cast<std::int64_t>(so_far.images.size()));
      if (!globals.json && !predicted.error) out.print(to_text(predicted));
    };
    const PredictResult result = run_predict(*o, globals, out, show_one);
    if (globals.json && !stream) out.print_json(to_json(result));
    return failed ? static_cast<int>(ErrorCode::input) : 0;
  };
}

}  // namespace effnet::cli

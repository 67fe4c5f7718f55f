#include "effnet/cli/predict.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include <unistd.h>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/image_paths.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/path_list.h"
#include "effnet/formats/find_model.h"
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

// What to do if MODEL has no calibration. effnet finetune stores it in the model of a run, not in its checkpoints.
std::string calibration_hint(const std::string& model) {
  std::error_code ignored;
  const fs::path file = fs::absolute(formats::find_model(model).file, ignored).lexically_normal();
  const fs::path run = file.parent_path().parent_path();
  if (file.parent_path().filename() == "checkpoints" && fs::exists(run / "model.safetensors", ignored) &&
      formats::describe(formats::find_model(run.string())).calibration) {
    return fmt::format(
        "a checkpoint has no calibration, but the model of its run has one: effnet predict {} IMAGE --min-score auto",
        path_in_shell(run.string()));
  }
  return "effnet finetune calibrates the models that it makes; or give a score such as --min-score 0.6";
}

// Returns the value of --min-score; empty if it is not given.
std::optional<double> min_score_of(const PredictOptions& options, const formats::Model& model) {
  const std::string& text = options.min_score;
  if (text.empty()) return {};
  if (text == "auto") {
    if (model.calibration) return model.calibration->min_score;
    throw usage_error("--min-score auto: {} has no calibration (got none, expected a model with one)", model.arch.name)
        .with_hint(calibration_hint(options.model));
  }
  double score = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), score);
  if (code != std::errc{} || end != text.data() + text.size() || !(score >= 0 && score <= 1))
    throw usage_error("--min-score: wrong value (got {}, expected a number from 0 to 1, or auto)", in_quotes(text));
  return score;
}

class Predictor {
 public:
  Predictor(const PredictOptions& options, model::ModelHandle& model, ThreadPool& pool)
      : options_(options),
        min_score_(min_score_of(options, model.info())),
        classifier_(model, {.executor = options.backend, .preprocessing = preprocessing_of(options, model)}, pool),
        cams_(options.cam) {
    if (!options.cam.empty()) make_folders(options.cam);
  }

  std::optional<double> min_score() const { return min_score_; }
  // An unreadable file or a result that is not finite is stored as this image's error. Other errors end the command.
  PredictedImage run(const std::string& path) {
    PredictedImage predicted{.path = path, .error = {}, .answer = {}, .logits = options_.logits, .cam = {}};
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
    if (min_score_) predicted.sure = predicted.answer.top.front().score >= *min_score_;
    if (!options_.logits) predicted.answer.logits = {};
    if (!predicted.answer.map) return;
    predicted.cam = cams_.next(predicted.path);
    write_bytes(predicted.cam, vision::encode_png(model::overlay(photo, *predicted.answer.map)));
    predicted.answer.map = {};
  }

  void dump(const vision::Sampled& view) {
    const vision::Image pixels = view.exact.rgb.empty() ? view.pixels : vision::rounded(view.exact);
    if (!options_.dump_pixels.empty()) write_bytes(options_.dump_pixels, vision::encode_png(pixels));
    if (!options_.dump_input.empty())
      formats::write_npy(options_.dump_input, classifier_.values(view), {1, 3, pixels.h, pixels.w});
  }

  const PredictOptions& options_;
  std::optional<double> min_score_;
  model::Classifier classifier_;
  CamPaths cams_;
};

void check(const PredictOptions& o) {
  check_precision(o.precision);
  check_backend_name(o.backend);
  check_no_stdout("--dump-pixels", o.dump_pixels);
  check_no_stdout("--dump-input", o.dump_input);
  const bool dumps = !o.dump_pixels.empty() || !o.dump_input.empty();
  if (dumps && (o.images.size() != 1 || reads_paths(o) || is_folder(o.images[0]))) {
    throw usage_error("--dump-pixels and --dump-input write a single image (got {}, expected one IMAGE)",
                      reads_paths(o)         ? "a list on stdin"
                      : o.images.size() == 1 ? "a folder"
                                             : fmt::format("{} images", o.images.size()));
  }
  if (dumps) {
    for (const std::string& input : {o.images[0], o.model}) {
      check_not_input("--dump-pixels", o.dump_pixels, input);
      check_not_input("--dump-input", o.dump_input, input);
    }
    check_two_files("--dump-pixels", o.dump_pixels, "--dump-input", o.dump_input);
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
                  vision::image_formats() + " files" + kFolderHelp +
                      "; /dev/stdin is accepted. '-' reads paths from stdin, one per line or with a NUL after "
                      "each path (find -print0), and prints one JSON line per image")
      ->required();
  add_number(command, "--top", options.top, 1, 1 << 20, "Show the N best classes [5]");
  command
      .add_option("--min-score", options.min_score,
                  "Answer \"not sure\" if the best score is below P (0 to 1); auto: the model's own threshold, which "
                  "effnet finetune stores")
      ->type_name("P|auto");
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
  add_output(command, "--dump-pixels", options.dump_pixels, "Write the resized and cropped pixels as PNG")
      ->type_name("FILE.png");
  add_output(command, "--dump-input", options.dump_input, "Write the network's input, 1x3xHxW float32")
      ->type_name("FILE.npy");
  options.load.declare(command);
}

PredictResult run_predict(const PredictOptions& o, const Globals& globals, Output& out, const OnImage& each) {
  check(o);
  const std::vector<std::string> images = image_paths(o.images);
  if (!o.cam.empty()) check_cam_folder("--cam", o.cam, images);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  Predictor predictor(o, model, pool);
  PredictResult result{model.arch().name, std::string(model.weights_from()), predictor.min_score(), images.size(), {}};
  if (o.min_score == "auto")
    out.say(fmt::format("--min-score auto: an answer with a score below {:.3f} is \"not sure\"", *result.min_score));
  if (reads_paths(o)) {
    PathList paths(STDIN_FILENO, "stdin");
    while (const std::optional<std::string> path = paths.next()) {
      if (!o.cam.empty()) check_cam_folder("--cam", o.cam, {*path});  // later paths are not known yet
      each(predictor.run(*path), result);
    }
    return result;
  }
  for (const std::string& path : images) {
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
  if (predicted.sure) element["sure"] = *predicted.sure;
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
  Json document{{"model", result.model}, {"weights", result.weights}};
  if (result.min_score) document["min_score"] = *result.min_score;
  document["images"] = std::move(images);
  return document;
}

namespace {

std::string not_sure(const model::Prediction& best) {
  return fmt::format("not sure (best guess: {} {:.0f} %)", best.label, 100 * best.score);
}

}  // namespace

std::string to_text(const PredictedImage& predicted) {
  std::string text = one_line(predicted.path) + "\n";
  const bool sure = predicted.sure.value_or(true);
  if (!sure) text += fmt::format("  {}\n", one_line(not_sure(predicted.answer.top.front())));
  for (const model::Prediction& one : predicted.answer.top)
    if (sure) text += fmt::format("  {:6.2f} %  {} ({})\n", 100 * one.score, one_line(one.label), one.index);
  if (predicted.logits) text += fmt::format("  logits: {}\n", fmt::join(predicted.answer.logits, " "));
  if (!predicted.cam.empty()) text += fmt::format("  map: {}\n", one_line(predicted.cam));
  return text;
}

std::string to_line(const PredictedImage& predicted) {
  const model::Prediction& best = predicted.answer.top.front();
  const std::string answer =
      predicted.sure.value_or(true) ? fmt::format("{} {:.1f} %", best.label, 100 * best.score) : not_sure(best);
  const std::string map = predicted.cam.empty() ? "" : fmt::format("  map: {}", predicted.cam);
  return one_line(fmt::format("{}: {}{}", predicted.path, answer, map)) + "\n";
}

std::string summary(const PredictResult& result) {
  std::map<std::string, std::int64_t> counts;
  std::int64_t not_sure = 0, failed = 0;
  for (const PredictedImage& image : result.images) {
    if (image.error) {
      ++failed;
    } else if (!image.sure.value_or(true)) {
      ++not_sure;
    } else {
      ++counts[image.answer.top.front().label];
    }
  }
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &std::pair<std::string, std::int64_t>::second);
  std::vector<std::string> parts;
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, sorted.size()); ++i)
    parts.push_back(fmt::format("{} {}", sorted[i].first, sorted[i].second));
  if (sorted.size() > kShown)
    parts.push_back(count_of(static_cast<std::int64_t>(sorted.size() - kShown), "more class"));
  if (not_sure > 0) parts.push_back(fmt::format("not sure {}", not_sure));
  if (failed > 0) parts.push_back(fmt::format("unreadable {}", failed));
  return one_line(fmt::format("{}: {}", count_of(std::ssize(result.images), "image"), fmt::join(parts, ", "))) + "\n";
}

Body declare_predict(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<PredictOptions>();
  declare_options(command, *o);
  const auto long_form = [&command, o] { return command.get_option("--top")->count() > 0 || o->logits; };
  return [o, long_form, &globals](Output& out) {
    const bool stream = reads_paths(*o);
    bool failed = false;
    std::optional<Progress> progress;
    const auto show_one = [&](const PredictedImage& predicted, const PredictResult& so_far) {
      if (predicted.error) out.error(*predicted.error);
      failed |= predicted.error.has_value();
      if (stream) {
        Json element = to_json(predicted);
        element["weights"] = so_far.weights;
        if (so_far.min_score) element["min_score"] = *so_far.min_score;
        out.print_json_line(element);
        return;
      }
      if (!progress) progress.emplace(out, "predict", static_cast<std::int64_t>(so_far.total));
      progress->update(static_cast<std::int64_t>(so_far.images.size()));
      if (globals.json || predicted.error) return;
      // A list of many images gets one line for each of them, unless --top or --logits asks for more.
      out.print(so_far.total > kManyImages && !long_form() ? to_line(predicted) : to_text(predicted));
    };
    const PredictResult result = run_predict(*o, globals, out, show_one);
    if (globals.json && !stream) out.print_json(to_json(result));
    if (!globals.json && !stream && result.total > kManyImages) out.print(summary(result));
    return failed ? static_cast<int>(ErrorCode::input) : 0;
  };
}

}  // namespace effnet::cli

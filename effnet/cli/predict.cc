// effnet predict MODEL IMAGE...: the classes of pictures.
#include <chrono>
#include <filesystem>
#include <set>

#include <unistd.h>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/cli/path_list.h"
#include "effnet/cli/runner.h"
#include "effnet/formats/npy.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::vector<std::string> images;
  int top = 5;
  std::string resolution, cam, dump_pixels, dump_input, mean, std;
  std::string precision = "fp32", backend = "engine";
  bool logits = false, raw = false;
  LoadOptions load;
};

// The picture as it is: the network takes its height and width.
vision::Prepared raw_input(vision::Image image, const Preprocessing& preprocessing) {
  vision::Prepared prepared;
  prepared.input = vision::normalise(image, preprocessing.mean, preprocessing.std);
  prepared.crop = {0, 0, static_cast<double>(image.w), static_cast<double>(image.h)};
  prepared.pixels = std::move(image);
  return prepared;
}

class Predictor {
 public:
  Predictor(const Options& options, Runner& runner, Output& out)
      : options_(options), runner_(runner), out_(out), preprocessing_(runner.model().preprocessing) {
    if (!options.resolution.empty()) preprocessing_ = preprocessing_.at(parse_resolution(options.resolution));
    if (!options.mean.empty()) preprocessing_.mean = parse_triple("--mean", options.mean, -1e6);
    if (!options.std.empty()) preprocessing_.std = parse_triple("--std", options.std, 0);
  }

  // One element of `images`; a file that fails gives {"path","error"}.
  Json element(const std::string& path) {
    try {
      return predict(path);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      failed_ = true;
      out_.error(error);
      return {{"path", path}, {"error", error.what()}};
    }
  }
  bool failed() const { return failed_; }

 private:
  Json predict(const std::string& path) {
    const vision::Image photo = vision::read_image(path, {.exif_turn = !options_.raw});
    const vision::Prepared prepared =
        options_.raw ? raw_input(photo, preprocessing_) : vision::prepare(photo, preprocessing_);
    const Size size{prepared.pixels.h, prepared.pixels.w};
    if (!options_.dump_pixels.empty()) write_bytes(options_.dump_pixels, vision::encode_png(prepared.pixels));
    if (!options_.dump_input.empty()) formats::write_npy(options_.dump_input, prepared.input, {1, 3, size.h, size.w});

    const auto start = std::chrono::steady_clock::now();
    const Runner::Answer answer = options_.cam.empty() ? Runner::Answer{runner_.logits(prepared.input, size), {}, {}}
                                                       : runner_.answer_with_features(prepared.input, size);
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();

    const std::vector<double> scores = engine::softmax(answer.logits);
    const std::vector<engine::Ranked> best = engine::top_k(answer.logits, static_cast<std::size_t>(options_.top));
    Json top = Json::array();
    for (const engine::Ranked& one : best) {
      top.push_back({{"index", one.index}, {"label", runner_.label(one.index)}, {"score", scores[one.index]}});
    }
    Json element{{"path", path}, {"top", top}, {"ms", ms}};
    if (options_.logits) {
      Json values = Json::array();
      for (const float value : answer.logits) values.push_back(shortest(value));
      element["logits"] = std::move(values);
    }
    if (!options_.cam.empty()) {
      const fs::path out = cam_path(path);
      write_bytes(out, vision::encode_png(draw_cam(runner_, photo, prepared, answer, best.front().index)));
      element["cam"] = out.string();
    }
    return element;
  }

  // DIR/NAME_cam.png; a second picture of the same name gets a number.
  fs::path cam_path(const std::string& path) {
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem + "_cam.png";
    for (int i = 2; !cams_.insert(name).second; ++i) name = fmt::format("{}_{}_cam.png", stem, i);
    return fs::path(options_.cam) / name;
  }

  const Options& options_;
  Runner& runner_;
  Output& out_;
  Preprocessing preprocessing_;
  std::set<std::string> cams_;
  bool failed_ = false;
};

std::string text_of(const Json& element) {
  std::string text = element["path"].get<std::string>() + "\n";
  for (const Json& one : element["top"]) {
    text += fmt::format("  {:6.2f} %  {} ({})\n", 100 * one["score"].get<double>(), one["label"].get<std::string>(),
                        one["index"].get<std::int64_t>());
  }
  if (element.contains("cam")) text += fmt::format("  map: {}\n", element["cam"].get<std::string>());
  return text;
}

void check(const Options& o) {
  check_precision(o.precision);
  check_backend_name(o.backend);
  check_no_stdout("--dump-pixels", o.dump_pixels);
  check_no_stdout("--dump-input", o.dump_input);
  const bool dumps = !o.dump_pixels.empty() || !o.dump_input.empty();
  if (dumps && (o.images.size() != 1 || o.images[0] == "-")) {
    throw usage_error("--dump-pixels and --dump-input write one picture (got {}, expected 1)", o.images.size());
  }
  if (dumps) {
    check_not_input("--dump-pixels", o.dump_pixels, o.images[0]);
    check_not_input("--dump-input", o.dump_input, o.images[0]);
  }
  if (!o.dump_pixels.empty() && vision::picture_encoder(o.dump_pixels) != vision::encode_png) {
    throw usage_error("--dump-pixels writes exact pixels (got {}, expected a .png file)", in_quotes(o.dump_pixels));
  }
  if (o.raw && !o.resolution.empty())
    throw usage_error("--raw takes the picture's own size (got --resolution too, expected one of them)");
}

}  // namespace

Body declare_predict(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  command
      .add_option("IMAGE", o->images,
                  vision::picture_formats() +
                      " files, /dev/stdin too; - reads paths from stdin, one a line or (find -print0) with a "
                      "NUL behind each, and answers line by line")
      ->required();
  add_number(command, "--top", o->top, 1, 1 << 20, "How many classes to show [5]");
  command.add_option("--resolution", o->resolution, "Input size instead of the model's; the crop rule scales with it")
      ->type_name("R");
  command.add_option("--precision", o->precision, "fp32 (bf16 and int8 are not built yet)");
  command.add_option("--backend", o->backend, "engine, or reference: the slow executor that it is compared with");
  command.add_flag("--logits", o->logits, "All logits too");
  command.add_option("--cam", o->cam, "Write each picture with its class activation map into this folder")
      ->type_name("DIR");
  command.add_flag("--raw", o->raw, "The picture goes in as it is: no resize, crop or EXIF turn");
  command.add_option("--mean", o->mean, "Channel means of RGB in 0..1 instead of the model's")->type_name("A,B,C");
  command.add_option("--std", o->std, "Channel deviations instead of the model's")->type_name("A,B,C");
  command.add_option("--dump-pixels", o->dump_pixels, "Write the resized and cropped pixels, exactly: as PNG")
      ->type_name("FILE.png");
  command.add_option("--dump-input", o->dump_input, "Write the network's input, 1x3xHxW float32")
      ->type_name("FILE.npy");
  o->load.declare(command);
  return [o, &globals](Output& out) {
    check(*o);
    ThreadPool pool(thread_count(globals));
    LoadedModel model(o->model, o->load, pool, out);
    Runner runner(model, make_backend(o->backend, model, pool));
    Predictor predictor(*o, runner, out);
    if (!o->cam.empty()) make_folders(o->cam);

    const bool stream = o->images.size() == 1 && o->images[0] == "-";
    if (stream) {
      PathList paths(STDIN_FILENO, "stdin");
      while (const std::optional<std::string> path = paths.next()) {
        Json element = predictor.element(*path);
        element["weights"] = model.weights_from();
        out.print_json_line(element);
      }
    } else {
      Json images = Json::array();
      Progress progress(out, "predict", static_cast<std::int64_t>(o->images.size()));
      for (std::size_t i = 0; i < o->images.size(); ++i) {
        check_interrupt();
        Json element = predictor.element(o->images[i]);
        progress.update(static_cast<std::int64_t>(i + 1));
        if (!globals.json && !element.contains("error")) out.print(text_of(element));
        images.push_back(std::move(element));
      }
      if (globals.json)
        out.print_json(
            {{"model", model.arch().name}, {"weights", model.weights_from()}, {"images", std::move(images)}});
    }
    return predictor.failed() ? static_cast<int>(ErrorCode::input) : 0;
  };
}

}  // namespace effnet::cli

#include "effnet/cli/cam.h"

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {

void declare_options(CLI::App& command, CamOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("IMAGE", options.image, "An image: " + vision::image_formats())->required();
  command
      .add_option("-o,--out", options.out,
                  "Write the image to this file; the extension decides the format: " + vision::written_extensions())
      ->type_name("OUT.png")
      ->required();
  add_number(command, "--class", options.class_index, 0, 1 << 20, "Show class N [the predicted class]");
  command
      .add_option("--resolution", options.resolution,
                  "Use this input size: pixels, or HxW; a larger one gives a finer map [the model's]")
      ->type_name("R");
  command.add_option("--backend", options.backend, kBackendHelp);
  options.load.declare(command);
}

CamResult run_cam(const CamOptions& o, const Globals& globals, Output& out) {
  check_backend_name(o.backend);
  check_no_stdout("-o", o.out);
  check_not_input("-o", o.out, o.image);
  const vision::Encoder encode = vision::image_encoder(o.out);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  if (o.class_index >= model.arch().classes)
    throw usage_error("--class: out of range (got {}, expected 0 to {})", o.class_index, model.arch().classes - 1);
  const Preprocessing preprocessing = preprocessing_at(model, o.resolution);
  const vision::Image photo = vision::read_image(o.image);

  model::Classifier classifier(model, {.executor = o.backend, .preprocessing = preprocessing}, pool);
  model::AnswerOptions options{.top = 1, .map = true};
  if (o.class_index >= 0) options.map_class = static_cast<std::size_t>(o.class_index);
  const model::ActivationMap map = *classifier.classify(photo, options).map;
  write_bytes(o.out, encode(model::overlay(photo, map)));
  return {map.shown, std::string(model.weights_from()), o.out};
}

Json to_json(const CamResult& result) {
  return {{"class", result.shown.index},
          {"label", result.shown.label},
          {"score", result.shown.score},
          {"weights", result.weights},
          {"path", result.path}};
}

std::string to_text(const CamResult& result) {
  const auto& [index, label, score] = result.shown;
  return fmt::format("{} ({}) {:.2f} %: written to {}\n", label, index, 100 * score, result.path);
}

Body declare_cam(CLI::App& command, const Globals& globals) { return bind(command, globals, run_cam); }

}  // namespace effnet::cli

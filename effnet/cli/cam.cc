// effnet cam MODEL IMAGE -o OUT.png|jpg|webp [--class K]: the class activation map of the paper's Figure 7 over the
// photograph.
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/model/classifier.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {

namespace {

struct CamOptions {
  std::string model, image, out, resolution, backend = "engine";
  int class_index = -1;  // the predicted one
  LoadOptions load;
};

struct CamResult {
  model::Prediction shown;
  std::string weights, path;
};

CamResult run_cam(const CamOptions& o, int threads) {
  check_backend_name(o.backend);
  check_no_stdout("-o", o.out);
  check_not_input("-o", o.out, o.image);
  const vision::Encoder encode = vision::picture_encoder(o.out);
  ThreadPool pool(threads);
  model::ModelHandle model = load_model(o.model, o.load, pool);
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

}  // namespace

Body declare_cam(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<CamOptions>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  command.add_option("IMAGE", o->image, "A picture: " + vision::picture_formats())->required();
  command.add_option("-o,--out", o->out, "The picture to write: " + vision::written_extensions() + " by its name")
      ->type_name("OUT.png")
      ->required();
  add_number(command, "--class", o->class_index, 0, 1 << 20, "The class whose evidence is shown [the predicted one]");
  command.add_option("--resolution", o->resolution, "Input size instead of the model's; larger gives a finer map")
      ->type_name("R");
  command.add_option("--backend", o->backend, kBackendHelp);
  o->load.declare(command);
  return [o, &globals] {
    const CamResult result = run_cam(*o, thread_count(globals));
    if (globals.json) {
      print_json(to_json(result));
    } else {
      print(to_text(result));
    }
    return 0;
  };
}

}  // namespace effnet::cli

// effnet cam MODEL IMAGE -o OUT.png|jpg|webp [--class K]: the class activation map of the paper's Figure 7 over the
// photograph.
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/runner.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {

Body declare_cam(CLI::App& command, const Globals& globals) {
  struct Options {
    std::string model, image, out, resolution, backend = "engine";
    int class_index = -1;
    LoadOptions load;
  };
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  command.add_option("IMAGE", o->image, "A picture: " + vision::picture_formats())->required();
  command.add_option("-o,--out", o->out, "The picture to write: " + vision::written_extensions() + " by its name")
      ->type_name("OUT.png")
      ->required();
  add_number(command, "--class", o->class_index, 0, 1 << 20, "The class whose evidence is shown [the predicted one]");
  command.add_option("--resolution", o->resolution, "Input size instead of the model's; larger gives a finer map")
      ->type_name("R");
  command.add_option("--backend", o->backend, "engine, or reference: the slow executor that it is compared with");
  o->load.declare(command);
  return [o, &globals](Output& out) {
    check_backend_name(o->backend);
    check_no_stdout("-o", o->out);
    check_not_input("-o", o->out, o->image);
    const vision::Encoder encode = vision::picture_encoder(o->out);
    ThreadPool pool(thread_count(globals));
    LoadedModel model(o->model, o->load, pool, out);
    if (o->class_index >= model.arch().classes) {
      throw usage_error("--class: out of range (got {}, expected 0 to {})", o->class_index, model.arch().classes - 1);
    }
    Preprocessing preprocessing = model.preprocessing();
    if (!o->resolution.empty()) preprocessing = preprocessing.at(parse_resolution(o->resolution));
    const vision::Image photo = vision::read_image(o->image);
    const vision::Prepared prepared = vision::prepare(photo, preprocessing);

    Runner runner(model, make_backend(o->backend, model, pool));
    const Runner::Answer answer = runner.answer_with_features(prepared.input, preprocessing.crop);
    const std::size_t shown =
        o->class_index >= 0 ? static_cast<std::size_t>(o->class_index) : engine::top_k(answer.logits, 1).front().index;
    write_bytes(o->out, encode(draw_cam(runner, photo, prepared, answer, shown)));

    const double score = engine::softmax(answer.logits)[shown];
    if (globals.json) {
      out.print_json({{"class", shown},
                      {"label", runner.label(shown)},
                      {"score", score},
                      {"weights", model.weights_from()},
                      {"path", o->out}});
    } else {
      out.print(fmt::format("{} ({}) {:.2f} %: written to {}\n", runner.label(shown), shown, 100 * score, o->out));
    }
    return 0;
  };
}

}  // namespace effnet::cli

// effnet cam --method gradcam: effnet's command with maps from LibTorch's gradients (nn/grad_cam.h).
#include "effnet/cli/cam.h"

#include <torch/types.h>

#include "effnet/cli_train/commands.h"
#include "effnet/engine/classify.h"
#include "effnet/nn/grad_cam.h"

namespace effnet::cli {
namespace {

MapOf gradient_maps(model::ModelHandle& model, const CamOptions& o, ThreadPool& pool) {
  if (o.method == "cam") return engine_maps(model, o, pool);
  const Preprocessing rule = preprocessing_at(model, o.resolution);
  nn::grad_cam_layer(*model.graph(rule.crop), o.layer);  // refuses a wrong layer before an image is read
  model.load_weights();
  return [&model, rule, layer = o.layer](const vision::Image& photo, std::optional<std::size_t> shown) {
    const vision::Sampled view = vision::sample_crop(photo, rule);
    const std::vector<float> values = view.exact.rgb.empty() ? vision::normalise(view.pixels, rule.mean, rule.std)
                                                             : vision::normalise(view.exact, rule.mean, rule.std);
    const nn::GradCam cam = nn::grad_cam(*model.graph(rule.crop), model.load_weights().weights, values, layer, shown);
    const double temperature = model.info().calibration.value_or(formats::Calibration{}).temperature;
    const double score = engine::softmax(cam.logits, temperature)[cam.class_index];
    return model::ActivationMap{{cam.class_index, model.label(cam.class_index), score}, cam.size, cam.map, view.crop};
  };
}

}  // namespace

Body declare_gradient_cam(CLI::App& command, const Globals& globals) {
  const Body body = declare_cam_with(command, globals, gradient_maps);
  return [body, &globals](Output& out) {
    at::set_num_threads(thread_count(globals));
    return body(out);
  };
}

}  // namespace effnet::cli

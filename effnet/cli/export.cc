// effnet export MODEL (--safetensors FILE | --pth FILE) [--names SOURCE] [--verify]
#include "effnet/formats/export.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/formats/import.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"
#include "effnet/model/executor.h"
#include "effnet/model/measure.h"

namespace effnet::cli {
namespace {

struct Options {
  std::string model, onnx, safetensors, pth, names;
  bool verify = false;
  LoadOptions load;
};

// Reads the file back as a stranger's and runs both networks on one seeded picture.
double verify(model::ModelHandle& model, const std::string& path, ThreadPool& pool) {
  formats::ImportOptions options;
  options.spec = model.arch();
  options.padding = model.arch().padding;
  options.bn_epsilon = model.arch().bn_epsilon;
  model::ModelHandle again(formats::import_weights(path, options).model, pool);
  const Size size{model.arch().resolution, model.arch().resolution};
  const std::vector<float> values = model::seeded_input(size, 0);
  const model::Input input{.size = size, .values = values};
  const std::vector<float> a = model::make_executor("reference", model, pool)->logits(input);
  const std::vector<float> b = model::make_executor("reference", again, pool)->logits(input);
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

// What effnet trained goes into safetensors as a model file, which any reader of safetensors opens, too; weights that
// came from elsewhere keep the names they came with.
std::string names_for(const Options& o, const model::ModelHandle& model) {
  if (!o.names.empty()) return o.names;
  const std::string& from = model.info().provenance.names;
  const bool trained = model.weights_from() == "file" && (from.empty() || from == "effnet");
  if (o.pth.empty() && trained) return "effnet";
  return formats::default_names(model.info());
}

}  // namespace

Body declare_export(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<Options>();
  command.add_option("MODEL", o->model, kModelHelp)->required();
  command.add_option("--safetensors", o->safetensors, "Write named tensors as safetensors, or a model file")
      ->type_name("FILE");
  command.add_option("--pth", o->pth, "Write a state dict that torch.load opens")->type_name("FILE");
  command.add_option("--onnx", o->onnx, "Write ONNX (not built yet)")->type_name("FILE");
  command
      .add_option(
          "--names", o->names,
          "Tensor names: torchvision, timm, lukemelas, or effnet, which in safetensors makes a model file [those the "
          "weights came with; of a trained model effnet in safetensors, torchvision in .pth]")
      ->type_name("S");
  command.add_flag("--verify", o->verify, "Read the file back and compare the logits");
  o->load.declare(command);
  return [o, &globals] {
    if (!o->onnx.empty())
      throw environment_error("export --onnx is not built yet (got --onnx, expected --pth or --safetensors)");
    if (o->safetensors.empty() == o->pth.empty()) {
      throw usage_error("say what to write (got {}, expected one of --safetensors FILE and --pth FILE)",
                        o->pth.empty() ? "nothing" : "both");
    }
    check_no_stdout("--safetensors", o->safetensors);
    check_no_stdout("--pth", o->pth);
    ThreadPool pool(thread_count(globals));
    model::ModelHandle model = load_model(o->model, o->load, pool);
    const std::string path = o->pth.empty() ? o->safetensors : o->pth;
    const std::string names = names_for(*o, model);
    const auto tensors = formats::named_tensors(model.whole(), names);
    if (o->pth.empty() && names == "effnet") {
      formats::write_model(path, model.whole());
    } else if (o->pth.empty()) {
      formats::Weights weights;
      for (const auto& [name, tensor] : tensors) weights.tensors.emplace(name, tensor);
      formats::write_safetensors(path, weights);
    } else {
      formats::write_pth(path, tensors);
    }
    Json document{{"path", path},
                  {"format", o->pth.empty() ? "safetensors" : "pth"},
                  {"names", names},
                  {"tensors", tensors.size()},
                  {"weights", model.weights_from()},
                  {"max_abs_diff", Json()}};
    if (o->verify) document["max_abs_diff"] = verify(model, path, pool);
    if (globals.json) {
      print_json(document);
      return 0;
    }
    print(fmt::format("{} tensors written to {}\n", tensors.size(), path));
    if (o->verify)
      print(fmt::format("read back: logits differ by at most {}\n", document["max_abs_diff"].get<double>()));
    return 0;
  };
}

}  // namespace effnet::cli

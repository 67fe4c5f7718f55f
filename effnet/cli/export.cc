#include "effnet/cli/export.h"

#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/formats/export.h"
#include "effnet/formats/import.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"
#include "effnet/model/executor.h"
#include "effnet/model/measure.h"

namespace effnet::cli {
namespace {

// Reads the written file back as a foreign checkpoint. Runs the original model and the read model on one seeded random
// image. Returns the largest difference of their logits.
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

// Returns whose tensor names the file gets: "torchvision", "timm", "lukemelas" or "effnet". Without --names: weights
// that effnet trained get effnet's names in a safetensors file, which is then a model file; in all other cases
// formats::default_names() decides, so imported weights keep their original names.
std::string names_for(const ExportOptions& options, const model::ModelHandle& model) {
  if (!options.names.empty()) return options.names;
  const std::string& from = model.info().provenance.names;
  const bool trained = model.weights_from() == "file" && (from.empty() || from == "effnet");
  if (options.pth.empty() && trained) return "effnet";
  return formats::default_names(model.info());
}

}  // namespace

void declare_options(CLI::App& command, ExportOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  add_output(command, "--safetensors", options.safetensors,
             "Write a safetensors file: a model file, or tensors with another program's names (see --names)")
      ->type_name("FILE");
  add_output(command, "--pth", options.pth, "Write a state dict that torch.load can open")->type_name("FILE");
  command.add_option("--onnx", options.onnx, "Write ONNX (not built yet)")->type_name("FILE");
  add_number(command, "--opset", options.opset, 1, 1000, "Write this version of ONNX's operators (not built yet)");
  command
      .add_option("--names", options.names,
                  "Use the tensor names of torchvision, timm, lukemelas or effnet; a safetensors file with effnet's "
                  "names is a model file [imported weights: their original names; a trained model: effnet in "
                  "safetensors, torchvision in .pth]")
      ->type_name("S");
  command.add_flag("--verify", options.verify, "Read the file back and compare the logits");
  options.load.declare(command);
}

ExportResult run_export(const ExportOptions& options, const Globals& globals, Output& out) {
  if (!options.onnx.empty() || options.opset > 0) {
    const char* const flag = options.onnx.empty() ? "--opset" : "--onnx";
    throw environment_error("export {0} is not built yet (got {0}, expected --pth or --safetensors)", flag);
  }
  if (options.safetensors.empty() == options.pth.empty()) {
    throw usage_error("choose one output (got {}, expected either --safetensors FILE or --pth FILE)",
                      options.pth.empty() ? "nothing" : "both");
  }
  check_no_stdout("--safetensors", options.safetensors);
  check_no_stdout("--pth", options.pth);
  check_weights_output("--safetensors", options.safetensors);
  check_weights_output("--pth", options.pth);
  check_not_input("--safetensors", options.safetensors, options.model);
  check_not_input("--pth", options.pth, options.model);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(options.model, options.load, pool, out);
  const bool pth = !options.pth.empty();
  const std::string path = pth ? options.pth : options.safetensors;
  const std::string names = names_for(options, model);
  const auto tensors = formats::named_tensors(model.load_weights(), names);
  if (pth) {
    formats::write_pth(path, tensors);
  } else if (names == "effnet") {
    formats::write_model(path, model.load_weights());
  } else {
    tensor::Weights weights;
    for (const auto& [name, tensor] : tensors) weights.tensors.emplace(name, tensor);
    formats::write_safetensors(path, weights);
  }
  ExportResult result{path, pth ? "pth" : "safetensors", names, std::string(model.weights_from()), tensors.size(), {}};
  if (options.verify) result.max_abs_diff = verify(model, path, pool);
  return result;
}

Json to_json(const ExportResult& result) {
  return {{"path", result.path},       {"format", result.format},
          {"names", result.names},     {"tensors", result.tensors},
          {"weights", result.weights}, {"max_abs_diff", result.max_abs_diff ? Json(*result.max_abs_diff) : Json()}};
}

std::string to_text(const ExportResult& result) {
  std::string text = fmt::format("{} tensors written to {}\n", result.tensors, result.path);
  if (result.max_abs_diff) text += fmt::format("read back: logits differ by at most {}\n", *result.max_abs_diff);
  return text;
}

Body declare_export(CLI::App& command, const Globals& globals) { return bind(command, globals, run_export); }

}  // namespace effnet::cli

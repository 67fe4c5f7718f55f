#include "effnet/cli/import.h"

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/formats/find_model.h"

namespace effnet::cli {
namespace {

// Parses --padding. Published weights use only these two kinds; no network uses "valid".
arch::Padding parse_padding(const std::string& text) {
  if (text == "same") return arch::Padding::same;
  if (text == "symmetric") return arch::Padding::symmetric;
  throw usage_error("--padding: unknown padding (got {}, expected same or symmetric)", in_quotes(text));
}

// Parses --weights. Returns true for averaged weights, false for weights that are not averaged, and std::nullopt if the
// option is not given.
std::optional<bool> parse_weights(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "model" || text == "ema") return text == "ema";
  throw usage_error("--weights: unknown choice (got {}, expected model or ema)", in_quotes(text));
}

}  // namespace

void declare_options(CLI::App& command, ImportOptions& options) {
  command.add_option("FILE", options.file, "A checkpoint: .pth or safetensors; the content decides which")->required();
  command
      .add_option("--arch", options.arch, "Use this architecture: a name or an arch file [detected from the tensors]")
      ->type_name("NAME");
  add_number(command, "--classes", options.classes, 1, 1 << 20, "Require N classes [any number]");
  command
      .add_option("--source", options.source,
                  "Use the batch-norm epsilon and padding of this source: tf, timm, torchvision, lukemelas [detected]")
      ->type_name("S");
  command.add_option("--padding", options.padding,
                     "Use this padding: same (TensorFlow) or symmetric (PyTorch) [the source's]");
  command.add_option("--bn-epsilon", options.bn_epsilon, "Use this batch-norm epsilon [the source's]")->type_name("E");
  command
      .add_option("--weights", options.weights,
                  "Use these weights of the file: model (not averaged) or ema (moving average) [ema if present]")
      ->type_name("W");
  command.add_flag("--strict", options.strict, "Reject a file with tensors that the network does not use");
  add_output(command, "-o,--out", options.out, "Write the model to this file")
      ->type_name("OUT.safetensors")
      ->required();
}

ImportResult run_import(const ImportOptions& options, const Globals& /*globals*/, Output& out) {
  check_no_stdout("-o", options.out);
  check_weights_output("-o", options.out);
  for (const std::string& input : {options.file, options.arch}) check_not_input("-o", options.out, input);
  formats::ImportOptions wanted;
  if (!options.arch.empty())
    wanted.spec = formats::describe(formats::find_model(options.arch, formats::Pulled::ignore)).arch;
  if (options.classes > 0) wanted.classes = options.classes;
  wanted.source = options.source;
  if (!options.padding.empty()) wanted.padding = parse_padding(options.padding);
  wanted.bn_epsilon = options.bn_epsilon;
  wanted.averaged = parse_weights(options.weights);
  wanted.strict = options.strict;
  formats::ImportResult imported = formats::import_weights(options.file, wanted);
  for (const std::string& warning : imported.report.warnings) out.warn(warning);
  formats::write_model(options.out, imported.model);
  return {options.file, options.out, std::move(imported.model.arch), std::move(imported.report)};
}

Json to_json(const ImportResult& result) {
  const formats::ImportReport& report = result.report;
  return {{"arch", result.arch.name},
          {"format", report.format},
          {"source", report.source},
          {"tensors", report.tensors},
          {"params", report.params},
          {"bn_epsilon", result.arch.bn_epsilon},
          {"padding", arch::name(result.arch.padding)},
          {"prefix", report.prefix},
          {"averaged", report.averaged},
          {"unused", report.unused},
          {"path", result.out}};
}

std::string to_text(const ImportResult& result) {
  const formats::ImportReport& report = result.report;
  std::string text = fmt::format("{}: {} from {}, {} tensors, {} parameters\n", result.file, result.arch.name,
                                 report.source, report.tensors, grouped(report.params));
  text += fmt::format("batch-norm epsilon {}, padding {}, {} classes\n", result.arch.bn_epsilon,
                      arch::name(result.arch.padding), result.arch.classes);
  if (!report.unused.empty())
    text += fmt::format("not used: {} tensors ({}, ...)\n", report.unused.size(), in_quotes(report.unused.front()));
  return text + fmt::format("written to {}; try: effnet predict {} IMAGE\n", result.out, path_in_shell(result.out));
}

Body declare_import(CLI::App& command, const Globals& globals) { return bind(command, globals, run_import); }

}  // namespace effnet::cli

// effnet import FILE [--arch NAME] ... -o OUT.safetensors
#include "effnet/formats/import.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::cli {

// The two dialects of published weights; "valid" is no network's.
static arch::Padding parse_padding(const std::string& text) {
  if (text == "same") return arch::Padding::same;
  if (text == "symmetric") return arch::Padding::symmetric;
  throw usage_error("--padding: unknown dialect (got {}, expected same or symmetric)", in_quotes(text));
}

// Which of a file's weights, where it has an average of them too.
static std::optional<bool> parse_weights(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "model" || text == "ema") return text == "ema";
  throw usage_error("--weights: unknown choice (got {}, expected model or ema)", in_quotes(text));
}

Body declare_import(CLI::App& command, const Globals& globals) {
  struct Options {
    std::string file, arch, source, padding, out;
    std::string weights;
    int classes = 0;
    bool strict = false;
    std::optional<double> bn_epsilon;
  };
  auto o = std::make_shared<Options>();
  command.add_option("FILE", o->file, "A .pth or .safetensors checkpoint, told by content")->required();
  command.add_option("--arch", o->arch, "The architecture: a name or an arch file [found from the tensors]")
      ->type_name("NAME");
  add_number(command, "--classes", o->classes, 1, 1 << 20, "Classes the file must have [as many as it has]");
  command
      .add_option("--source", o->source,
                  "Where the weights come from, which decides epsilon and padding: tf, timm, torchvision, lukemelas")
      ->type_name("S");
  command.add_option("--padding", o->padding, "Padding dialect: same or symmetric [the source's]");
  command.add_option("--bn-epsilon", o->bn_epsilon, "Batch-norm epsilon [the source's]")->type_name("E");
  command
      .add_option("--weights", o->weights,
                  "Which weights where the file has both: model, or ema, their average [ema where there is one]")
      ->type_name("W");
  command.add_flag("--strict", o->strict, "Refuse a file with tensors that the network has no place for");
  command.add_option("-o,--out", o->out, "The model file to write")->type_name("OUT.safetensors")->required();
  return [o, &globals] {
    check_no_stdout("-o", o->out);
    check_not_input("-o", o->out, o->file);
    formats::ImportOptions options;
    if (!o->arch.empty()) options.spec = formats::describe(formats::find_model(o->arch, formats::Pulled::ignore)).arch;
    if (o->classes > 0) options.classes = o->classes;
    options.source = o->source;
    if (!o->padding.empty()) options.padding = parse_padding(o->padding);
    options.bn_epsilon = o->bn_epsilon;
    options.averaged = parse_weights(o->weights);
    options.strict = o->strict;
    const formats::ImportResult imported = formats::import_weights(o->file, options);
    for (const std::string& warning : imported.report.warnings) warn(warning);
    formats::write_model(o->out, imported.model);

    const formats::ImportReport& report = imported.report;
    if (globals.json) {
      print_json({{"arch", imported.model.arch.name},
                  {"format", report.format},
                  {"source", report.source},
                  {"tensors", report.tensors},
                  {"params", report.params},
                  {"bn_epsilon", imported.model.arch.bn_epsilon},
                  {"padding", arch::name(imported.model.arch.padding)},
                  {"prefix", report.prefix},
                  {"averaged", report.averaged},
                  {"unused", report.unused},
                  {"path", o->out}});
      return 0;
    }
    std::string text = fmt::format("{}: {} with {}'s names, {} tensors, {} parameters\n", o->file,
                                   imported.model.arch.name, report.source, report.tensors, grouped(report.params));
    text += fmt::format("batch-norm epsilon {}, padding {}, {} classes\n", imported.model.arch.bn_epsilon,
                        arch::name(imported.model.arch.padding), imported.model.arch.classes);
    if (!report.unused.empty())
      text += fmt::format("not used: {} tensors ({}, ...)\n", report.unused.size(), in_quotes(report.unused.front()));
    print(text + fmt::format("written to {}; try: effnet predict {} PICTURE\n", o->out, o->out));
    return 0;
  };
}

}  // namespace effnet::cli

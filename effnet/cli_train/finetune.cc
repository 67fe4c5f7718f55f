// effnet finetune DIR --out RUN: makes a classifier from a folder of images.
#include <fmt/chrono.h>

#include <chrono>
#include <cstdlib>

#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/cli/known_run.h"
#include "effnet/cli/published.h"
#include "effnet/cli/pull.h"
#include "effnet/cli/report.h"
#include "effnet/cli/version.h"
#include "effnet/cli_train/commands.h"
#include "effnet/cli_train/progress_line.h"
#include "effnet/formats/find_model.h"
#include "effnet/train/finetune/finetune.h"
#include "effnet/train/step/device.h"
#include "effnet/transfer/known_images.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

struct FinetuneCommand {
  std::string data, out, model = "efficientnet_lite0", from, recipe = "finetune", labels, budget, device = "auto";
  std::vector<std::string> settings;
  bool final_on_all = false, resume = false;
};

// Downloads the weights of a named model if they are published and missing. Throws Error(input) if the model has no
// weights.
void require_weights(const std::string& model, const Globals& globals, Output& out) {
  const formats::FoundModel found = formats::find_model(model);
  if (!found.file.empty()) return;
  if (!found.name.empty() && can_be_pulled(found.name)) {
    PullOptions options;
    options.name = found.name;
    run_pull(options, globals, out);
    return;
  }
  throw input_error("--model: fine-tuning needs pretrained weights (got {}, which has none)", in_quotes(model))
      .with_hint(
          "use a model file, a run folder, or a model that effnet pull can download, such as efficientnet_lite0");
}

// The model of --from: that of the trial, which was not trained on the run's val and test images. If the linear probe
// was the result, the run's own model: its features are the pretrained ones.
std::string model_of_run(const fs::path& run) {
  const fs::path record = run / "finetune.json", trial = run / "trial" / "model.safetensors";
  std::error_code ignored;
  if (!fs::exists(record, ignored) || !fs::exists(run / transfer::kKnownImagesFile, ignored))
    throw input_error("--from: {}: not a run of effnet finetune (expected finetune.json and {})", run.string(),
                      transfer::kKnownImagesFile)
        .with_hint("--model starts from the weights of any other run or model file");
  const bool trained = report::read_finetune(record).final_epochs > 0;
  return trained && fs::exists(trial, ignored) ? trial.string() : run.string();
}

Json json_of(const train::FinetuneResult& result) {
  Json document = Json::parse(train::summary_text(result.summary));
  const Json record = Json::parse(report::finetune_text(result.record));
  for (const char* key :
       {"probe", "split", "plan", "budget_s", "calibration", "trial_top1", "trial_interval", "warnings"}) {
    if (record.contains(key)) document[key] = record[key];
  }
  const Json& measured = record["result"];
  document["test_top1"] = measured["test_top1"];
  for (const char* key : {"interval", "mean_per_class", "metric", "engine_top1", "worst_class"}) {
    if (measured.contains(key)) document[key] = measured[key];
  }
  document["weights"] = "file";
  return document;
}

std::string text_of(const train::FinetuneResult& result, const FinetuneCommand& o) {
  const report::FinetuneResult& r = *result.record.result;
  const std::int64_t used = result.record.split ? result.record.split->used_test : 0;
  std::string text =
      fmt::format("test top-1 {:.1f} % (95 % interval {:.1f} to {:.1f}) on {}{}; mean per class {:.1f} %{}\n",
                  *r.test_top1, 100 * r.interval->low, 100 * r.interval->high, count_of(*r.images, "image"),
                  used == 0 ? " that no choice has seen" : "", *r.mean_per_class,
                  r.metric == "mean_per_class" ? ", the metric of this dataset" : "");
  if (used > 0)
    text +=
        fmt::format("  an earlier run has used {} of them for training or choices: new images may be less accurate\n",
                    grouped(used));
  if (r.model == "trial") text += "  measured with the model of the trial; the saved model was trained on all images\n";
  if (const auto& probe = result.record.probe; probe && probe->test_top1 && result.record.final_epochs > 0) {
    text += fmt::format("  the linear probe, without fine-tuning: {:.1f} % (95 % interval {:.1f} to {:.1f})\n",
                        *probe->test_top1, 100 * probe->test_interval->low, 100 * probe->test_interval->high);
    text += fmt::format("  {}\n", report::gain_text(result.record));
  }
  if (const auto& worst = r.worst_class)
    text +=
        fmt::format("worst class: {}, {:.1f} % of {}\n", worst->name, worst->recall, count_of(worst->images, "image"));
  text += fmt::format("the engine, which effnet predict uses: {:.1f} %\n", *r.engine_top1);
  if (const auto& facts = result.record.calibration) {
    text += fmt::format(
        "--min-score auto answers \"not sure\" below a score of {:.3f}; {:.0f} % of the validation images "
        "are above\n",
        facts->min_score.value_or(0), 100 * facts->coverage.value_or(1));
    if (const std::string support = report::support_text(*facts); !support.empty())
      text += fmt::format("  {}\n", support);
  }
  const std::string run = path_in_shell(o.out), data = path_in_shell(o.data);
  text +=
      fmt::format("\n{}/report.html shows mistakes, doubtful labels and duplicates with their images. Next:\n", run);
  text += fmt::format("  effnet predict {} IMAGE\n", run);
  text += fmt::format("  effnet cam {} IMAGE -o cam.png\n", run);
  text += fmt::format("  effnet finetune {} --from {} --out {}   (after you added images or classes)\n", data, run,
                      path_in_shell(o.out + "-2"));
  return text;
}

train::FinetuneOptions options_of(const FinetuneCommand& o, const Globals& globals, ProgressLine& line) {
  train::FinetuneOptions options{.data = o.data,
                                 .labels = o.labels,
                                 .out = o.out,
                                 .model = o.from.empty() ? o.model : model_of_run(o.from),
                                 .recipe = o.recipe,
                                 .from = o.from,
                                 .command = command_line(),
                                 .version = kVersion,
                                 .time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
                                 .budget_s = o.budget.empty() ? 0 : train::parse_seconds(o.budget),
                                 .final_on_all = o.final_on_all,
                                 .resume = o.resume,
                                 .settings = {},
                                 .device = o.device,
                                 .threads = thread_count(globals)};
  for (const std::string& setting : o.settings) options.settings.push_back(train::parse_override(setting));
  options.started -=
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(process_age_s()));
  options.watch = {.log = [&line](const std::string& text) { line.say(text); },
                   .counted = [&line](std::string_view what, std::int64_t done,
                                      std::int64_t total) { line.show(what, done, total); },
                   .training = [&line](const train::Progress& progress) { line.show(progress); }};
  return options;
}

}  // namespace

Body declare_finetune(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<FinetuneCommand>();
  command
      .add_option("DIR", o->data,
                  "A folder with one folder of images for each class, or with train/ and val/ (and test/), or with "
                  "--labels a folder of images")
      ->required();
  command.add_option("--out", o->out, "Write the model, the report and everything else to this run folder")
      ->type_name("RUN")
      ->required();
  command
      .add_option("--model", o->model, "Start from this MODEL; published weights are downloaded [efficientnet_lite0]")
      ->type_name("MODEL");
  command
      .add_option("--from", o->from,
                  "Continue from the model of this run, with more images or classes; images of that run stay training, "
                  "val or test images")
      ->type_name("RUN");
  command
      .add_option(
          "--recipe", o->recipe,
          "Use the settings of this recipe, such as finetune_flowers102, which also checks the number of images "
          "[finetune]")
      ->type_name("RECIPE");
  command.add_option("--labels", o->labels, "A CSV with lines 'file,class' or 'file,class,split'")->type_name("CSV");
  command
      .add_option("--time-budget", o->budget,
                  "Use this time for everything: 5m, 1h30m [by the number of images; it is printed before training]")
      ->type_name("T");
  command.add_flag("--final", o->final_on_all,
                   "Train the final model on all images, those of test too; the result is then that of the trial");
  command
      .add_option("--set", o->settings, "Choose a setting of the recipe yourself (docs/recipes.md); may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--resume", o->resume, "Continue a command that was stopped");
  command.add_option("--device", o->device, "Train on this device: auto, cpu or cuda")->type_name("D");
  command.get_option("--model")->excludes("--from");
  return [o, &globals](Output& out) {
    turn_warnings_off();
    const char* world = std::getenv("WORLD_SIZE");
    if (world != nullptr && std::atoi(world) > 1)
      throw usage_error("finetune runs in one process (got WORLD_SIZE={})", world)
          .with_hint("effnet launch can run train; finetune needs no launch");
    static_cast<void>(train::device_named(o->device, 0));
    require_weights(o->from.empty() ? o->model : model_of_run(o->from), globals, out);
    ProgressLine line(out);
    train::FinetuneOptions options = options_of(*o, globals, line);
    if (o->from.empty()) {
      if (const auto run = find_known_run(o->model, {}, out))
        options.used = transfer::used_by(run->images, run->test_too);
    }
    const InterruptNotice notice = stopping_notice(globals.quiet);
    const train::FinetuneResult result = train::finetune(options);
    line.clear();
    run_report({.runs = {o->out}}, globals, out);
    if (globals.json) {
      out.print_json(json_of(result));
    } else {
      out.print(printable(text_of(result, *o)));  // paths and classes may have control characters
    }
    return 0;
  };
}

}  // namespace effnet::cli

// effnet train [RECIPE] --data DIR --out RUN [--set key=value]... [--resume]
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "effnet/base/cpu.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/process.h"
#include "effnet/base/process_limits.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/cli/version.h"
#include "effnet/cli_train/commands.h"
#include "effnet/cli_train/progress_line.h"
#include "effnet/train/run/run.h"
#include "effnet/train/step/device.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Returns --threads or EFFNET_THREADS; else the usable cores divided by the number of processes on this machine.
int threads_of(const Globals& globals) {
  const int all = thread_count(globals);
  const char* given = std::getenv("EFFNET_THREADS");
  if (!globals.threads.empty() || (given != nullptr && *given != '\0')) return all;
  const char* local = std::getenv("LOCAL_WORLD_SIZE");
  const int processes = local != nullptr ? std::max(1, std::atoi(local)) : 1;
  return std::max(1, all / processes);
}

// Returns the number of threads that a run needs: `threads` for OpenMP and `threads` for effnet's kernels, LibTorch's
// pool (one per processor), the loaders of training and of validation, and 12 for communication and heartbeats if there
// are several processes.
int threads_needed(int threads, int workers, int world) {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  const int loaders = 2 * (workers > 0 ? workers : std::max(1, usable_cores() - threads));
  return 2 * threads + std::max(threads, processors) + loaders + (world > 1 ? 12 : 0);
}

train::Recipe recipe_of(const std::string& name, std::vector<train::Override> overrides, const std::string& budget,
                        const std::string& data, const fs::path& run, bool resume) {
  if (!budget.empty()) overrides.push_back({"train.time_budget", budget});
  std::error_code ignored;
  const fs::path config = run / "config.toml";
  const bool has_config = fs::exists(config, ignored);
  const bool from_run = name.empty() && resume && has_config;
  if (resume && name.empty() && data.empty() && !has_config)
    throw input_error("{}: no run to resume (got no config.toml in this folder)", run.string())
        .with_hint("effnet train RECIPE --data DIR --out RUN starts one");
  return train::load_recipe(from_run ? config.string() : name, overrides);
}

// Returns --data, else the recipe's data.folder. Stores the absolute path in the recipe, which is written to the run's
// config.toml; --resume reads it from there.
fs::path data_of(const std::string& given, train::Recipe& recipe) {
  if (given.empty()) return recipe.data.folder;
  std::error_code failure;
  const std::string absolute = fs::absolute(given, failure).lexically_normal().string();
  recipe.data.folder = !failure && is_utf8(absolute) ? absolute : "";  // TOML texts must be UTF-8
  return given;
}

void print_summary(const train::Summary& summary, bool averaged, const fs::path& run, const Globals& globals,
                   Output& out) {
  if (globals.json) {
    out.print(train::summary_text(summary));
    return;
  }
  std::string text;
  if (summary.saved_top1 >= 0) {
    const bool best = summary.saved_epoch == summary.best_epoch;
    text += fmt::format("validation top-1 of the saved model {:.2f} % ({}epoch {}, the {})\n", summary.saved_top1,
                        averaged ? "averaged weights, " : "", summary.saved_epoch, best ? "best" : "last");
    if (!best)
      text += fmt::format("best validation top-1 {:.2f} % (epoch {})\n", summary.best_top1, summary.best_epoch);
  }
  if (summary.test_top1)
    text += fmt::format("top-1 on images that did not affect the training: {:.2f} %\n", *summary.test_top1);
  text += fmt::format("{} in {:.0f} s, {:.1f} images/s on {}{}\n", number_of(summary.epochs, "epoch"), summary.seconds,
                      summary.images_per_second, train::device_text(summary.device, summary.isa),
                      summary.world_size > 1 ? fmt::format(", {} processes", summary.world_size) : "");
  text += fmt::format("{}: model.safetensors, metrics.csv, report.html; try: effnet predict {} IMAGE\n", run.string(),
                      path_in_shell((run / "model.safetensors").string()));
  out.print(printable(text));  // a path may have control characters
}

}  // namespace

Body declare_train(CLI::App& command, const Globals& globals) {
  struct Options {
    std::string recipe, data, labels, out, device = "auto", budget;
    std::vector<std::string> settings;
    bool resume = false;
  };
  auto o = std::make_shared<Options>();
  command.add_option("RECIPE", o->recipe,
                     fmt::format("A recipe: {}, or a TOML file [B0 as in the paper; with --resume the run's recipe]",
                                 one_of(train::recipe_names())));
  command
      .add_option(
          "--data", o->data,
          "Train on this folder, which has train/ and val/ (or test/) with class folders [data.folder of the recipe; "
          "with --resume, of the run's config.toml]")
      ->type_name("DIR");
  command.add_option("--labels", o->labels, kLabelsHelp)->type_name("CSV");
  command.add_option("--out", o->out, "Write checkpoints, metrics, model and report to this run folder")
      ->type_name("RUN")
      ->required();
  command.add_option("--set", o->settings, "Change a setting of the recipe; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--resume", o->resume,
                   "Resume from the last good checkpoint; start from the beginning if there is none");
  command.add_option("--device", o->device, "Train on this device: auto, cpu or cuda")->type_name("D");
  command
      .add_option("--time-budget", o->budget, "Choose the number of epochs so that the run takes this time: 20m, 2h")
      ->type_name("T");
  return [o, &globals](Output& out) {
    turn_warnings_off();
    train::RunOptions options;
    options.started -=
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(process_age_s()));
    std::vector<train::Override> overrides;
    for (const std::string& setting : o->settings) overrides.push_back(train::parse_override(setting));
    if (!o->labels.empty()) overrides.push_back({"data.labels", o->labels});
    options.recipe = recipe_of(o->recipe, std::move(overrides), o->budget, o->data, o->out, o->resume);
    options.data = data_of(o->data, options.recipe);
    options.out = o->out;
    options.resume = o->resume;
    options.threads = threads_of(globals);
    const train::RankInfo rank_info =
        train::rank_info_of([](const char* name) -> const char* { return std::getenv(name); });
    const torch::Device device = train::device_named(o->device, rank_info.local_rank);
    options.device = device.str();
    // If the system refuses a thread, LibTorch and Gloo wait forever. So the limit is checked here.
    check_thread_limit(threads_needed(options.threads, options.recipe.data.workers, rank_info.world));
    check_interrupt();  // for a Ctrl-C during the loading of LibTorch
    ProgressLine line(out);
    options.progress = [&line](const train::Progress& progress) { line.show(progress); };
    const std::unique_ptr<train::Group> group =
        train::join(rank_info, device, {{"effnet's version", kVersion}}, [&line](const std::string& message) {
          train::Progress progress;
          progress.message = message;
          line.show(progress);
        });
    const InterruptNotice notice = stopping_notice(globals.quiet || group->rank() != 0);
    const train::Summary summary = train::run(options, *group);
    if (group->rank() == 0) print_summary(summary, options.recipe.ema_decay > 0, o->out, globals, out);
    return 0;
  };
}

// effnet searches for this text in the file of effnet-train (version.h.in).
extern const char* const program_mark;
[[gnu::used]] const char* const program_mark = kTrainMark;

Json train_program_facts() {
  return {{"version", kVersion},
          {"libtorch", TORCH_VERSION},
          {"cuda", torch::cuda::is_available()},
          {"gpus", static_cast<int>(torch::cuda::device_count())},
#ifdef USE_C10D_GLOO
          {"gloo", true}};
#else
          {"gloo", false}};
#endif
}

}  // namespace effnet::cli

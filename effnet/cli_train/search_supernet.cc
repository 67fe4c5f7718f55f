// effnet search supernet SPACE --data DIR --out FILE: trains one set of weights for all networks of a search space.
#include "effnet/cli_train/search_supernet.h"

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/search.h"
#include "effnet/cli/study_options.h"
#include "effnet/cli_train/commands.h"
#include "effnet/cli_train/progress_line.h"
#include "effnet/train/step/device.h"

namespace effnet::cli {
namespace {

train::Recipe recipe_of(const SearchSupernetOptions& o) {
  train::Recipe recipe = train::load_recipe(o.recipe, overrides_of(o.settings, fixed_in_supernets()));
  set_data_folder(o.data, recipe);
  return recipe;
}

SearchSupernetResult run_search_supernet(const SearchSupernetOptions& o, const Globals& globals, Output& out) {
  turn_warnings_off();
  check_no_stdout("-o", o.out);
  for (const std::string& input : {o.space, o.data, o.recipe}) check_not_input("-o", o.out, input);
  const search::Space space = load_space(o.space);
  ProgressLine line(out);
  const InterruptNotice notice = stopping_notice(globals.quiet);
  return {.space = space.name,
          .given = o.space,
          .file = o.out,
          .summary =
              lab::train_supernet(space, {.recipe = recipe_of(o),
                                          .file = o.out,
                                          .sandwich = o.sandwich,
                                          .device = train::device_named(o.device).str(),
                                          .threads = thread_count(globals),
                                          .progress = [&](const train::Progress& progress) { line.show(progress); }})};
}

}  // namespace

void declare_options(CLI::App& command, SearchSupernetOptions& o) {
  command.add_option("SPACE", o.space, kSpaceHelp)->required();
  command.add_option("--data", o.data, "Train on this folder [data.folder of the recipe]")->type_name("DIR");
  add_output(command, "-o,--out", o.out,
             "Write the weights to this file. The state of a training that was stopped is in FILE.checkpoint; the "
             "same command continues it")
      ->type_name("FILE")
      ->required();
  command.add_option("--recipe", o.recipe, "Train with this recipe [search_supernet]")->type_name("RECIPE");
  command.add_option("--set", o.settings, "Change a setting of the recipe; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag(
      "--sandwich", o.sandwich,
      "Train the smallest, the largest and two random networks in each step, instead of one random network");
  command.add_option("--device", o.device, "Train on this device: auto, cpu or cuda")->type_name("D");
}

Json to_json(const SearchSupernetResult& result) {
  const lab::SupernetSummary& summary = result.summary;
  return {{"space", result.space},  {"file", result.file},        {"params", summary.params},
          {"steps", summary.steps}, {"epochs", summary.epochs},   {"loss", summary.loss},
          {"top1", summary.top1},   {"seconds", summary.seconds}, {"device", summary.device}};
}

std::string to_text(const SearchSupernetResult& result) {
  const lab::SupernetSummary& summary = result.summary;
  return fmt::format(
      "supernet of {}: {} parameters, {} in {:.0f} s on {}\n"
      "loss {:.4f}, top-1 {:.2f} % of the training images in the last epoch, mean of the trained networks\n"
      "try: effnet search run STUDY --space {} --evaluator supernet --supernet {}\n",
      result.space, grouped(summary.params), number_of(summary.epochs, "epoch"), summary.seconds, summary.device,
      summary.loss, summary.top1, path_in_shell(result.given), path_in_shell(result.file));
}

Body declare_search_supernet(CLI::App& search, const Globals& globals) {
  CLI::App& command = *search.add_subcommand("supernet", "Train one set of weights for all networks of a search space");
  return bind(command, globals, run_search_supernet);
}

}  // namespace effnet::cli

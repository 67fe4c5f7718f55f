#include "effnet/train/run/prepare.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/train/distributed/run_on_ranks.h"
#include "effnet/train/run/checks.h"
#include "effnet/train/run/identity.h"
#include "effnet/train/run/resume.h"
#include "effnet/train/run/compared_values.h"
#include "effnet/train/step/precision.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// Rank 0's part of open_folder(): the summary of a run that is finished and stays so, else empty. `told`: a line for
// the person.
std::string finished_summary(const RunOptions& options, const RunFolder& folder, const Log& tell, std::string& told) {
  if (folder.contains_run() && !options.resume)
    throw usage_error("{}: holds a run already (expected an empty or a new folder)", options.out.string())
        .with_hint("--resume goes on with it; another --out begins anew");
  const std::optional<Summary> summary = folder.finished();
  if (!summary) return "";
  const bool stays = stays_finished(*summary, folder, options.recipe, told);
  if (stays && folder.has_model()) return summary_text(*summary);
  const bool no_checkpoint = CheckpointFolder(options.out).empty();
  if (!stays && no_checkpoint)
    throw input_error("{}: the run is finished, but the checkpoints to go on from are gone", options.out.string())
        .with_hint("model.init=" + options.out.string() + " begins a run of its own with its weights");
  if (!stays) return "";
  if (no_checkpoint)
    throw input_error("{}: the run is finished, but model.safetensors and the checkpoint to make it from are gone",
                      options.out.string())
        .with_hint(
            "checkpoints/best or an epoch's, if one is left, is a MODEL too; else train again in another folder");
  tell("model.safetensors is gone: it is made again from the checkpoints");
  return "";
}

std::optional<Summary> open_folder(const RunOptions& options, Group& group, RunContext& setup) {
  std::string done, told;
  run_on_rank0(group, [&] {
    setup.folder = std::make_unique<RunFolder>(options.out);
    done = finished_summary(options, *setup.folder, setup.tell, told);
  });
  done = broadcast_from_rank0(group, done);
  if (done.empty()) return std::nullopt;
  setup.tell(told);
  return parse_summary(done);
}

data::LoaderOptions loader_options(const RunOptions& options, const Group& group) {
  const Recipe& recipe = options.recipe;
  data::LoaderOptions loader;
  loader.batch = recipe.train.batch;
  loader.rank = group.rank();
  loader.world = group.world();
  loader.seed = recipe.seed;
  loader.shuffle = recipe.data.shuffle;
  loader.workers = recipe.data.workers > 0 ? recipe.data.workers : std::max(1, usable_cores() - options.threads);
  loader.broken_limit = recipe.data.broken_limit;
  return loader;
}

// Model, images and their loaders. Returns what identity_of() says of them.
Identity open_model_and_data(const RunOptions& options, Group& group, RunContext& setup) {
  const Recipe& recipe = options.recipe;
  Identity identity;
  run_on_all_ranks(group, [&] {
    at::set_num_threads(options.threads);
    setup.model = open_run_model(recipe);
    setup.data = open_run_data(recipe, options.data, setup.model.resolution());
    setup.model.arch.classes = setup.data.classes;
    setup.graph = graph::lower(setup.model.arch, {.resolution = setup.model.resolution()});
    identity = identity_of(recipe, setup.model, setup.data);

    data::LoaderOptions loader = loader_options(options, group), evaluation = loader;
    evaluation.batch =
        std::max<std::int64_t>(recipe.train.batch / std::max<std::int64_t>(recipe.train.accumulate, 1), group.world());
    if (setup.data.validation) setup.validation = {setup.data.validation, setup.model.evaluation, evaluation};
    if (setup.data.test) setup.test = {setup.data.test, setup.model.evaluation, evaluation};
    loader.mixup = recipe.data.mixup;
    loader.cutmix = recipe.data.cutmix;
    setup.loader = std::make_unique<data::TrainingLoader>(setup.data.train, training_view(recipe, setup.model), loader);
  });
  if (const std::string slow = slow_precision(recipe.train.precision, setup.device); !slow.empty()) setup.tell(slow);
  for (const std::string& warning : setup.model.warnings) setup.tell(warning);
  for (const std::string& note : setup.data.notes) setup.tell(note);
  return identity;
}

void log_start(const RunContext& setup, const Group& group) {
  const std::vector<std::string>& classes = setup.data.train->classes();
  setup.tell(fmt::format("{}: {} parameters at {} px, {} images of {} classes, {} steps an epoch on {}{}",
                         setup.model.arch.name, grouped(graph::costs(setup.graph).params),
                         to_string(setup.model.resolution()), grouped(setup.data.train->size()), classes.size(),
                         setup.batches(), device_text(setup.device.str(), setup.trainer->isa()),
                         group.world() > 1 ? fmt::format(", {} processes", group.world()) : ""));
  setup.tell(describe_initial_weights(setup.model));
}

// The trainer, its state and the run's files: those of the newest whole checkpoint, or their beginning.
void resume_or_start(const RunOptions& options, Group& group, RunContext& setup) {
  const Recipe& recipe = options.recipe;
  std::string from;
  std::vector<std::string> changed;
  run_on_rank0(group, [&] {
    const CheckpointFolder checkpoints(options.out);
    if (!checkpoints.empty()) from = checkpoints.newest_intact(setup.tell).string();
  });
  from = broadcast_from_rank0(group, from);
  const Timeline timeline(recipe, setup.batches(), setup.position);
  run_on_all_ranks(group, [&] {
    auto store = initial_weights(setup.model, setup.graph, recipe.seed);
    store->to(setup.device);
    setup.trainer = std::make_unique<Trainer>(setup.graph, std::move(store), recipe, setup.device, group);
    if (from.empty()) return;
    const CheckpointFile checkpoint = open_checkpoint(from);
    restore(checkpoint, from, *setup.trainer, setup.identity);
    setup.position = checkpoint.position;
    changed = describe_changes(changes_on_resume(setup.identity, checkpoint.identity), timeline.epochs_done(),
                             timeline.learning_rate_of_step(timeline.steps_done()));
  });
  run_on_rank0(group, [&] {
    check_run_can_finish(*setup.folder, recipe, *setup.trainer);
    setup.recorder = std::make_unique<Recorder>(
        *setup.folder, recipe, setup.identity,
        formats::model_metadata(finished_model(setup.model, {}, setup.data.train->classes(), recipe)), setup.position,
        setup.tell);
    if (!from.empty()) setup.recorder->resume_from(from, setup.position, timeline.steps_done() + 1);
  });
  setup.loader->seek(setup.position.epoch, setup.position.batch);
  if (from.empty()) return log_start(setup, group);
  setup.tell(fmt::format("going on from {} at epoch {:.4g} of {:.4g} on {}", from, timeline.epochs_done(),
                         timeline.epochs(), device_text(setup.device.str(), setup.trainer->isa())));
  for (const std::string& line : changed) setup.tell(line);
}

}  // namespace

std::optional<Summary> prepare_run(const RunOptions& options, Group& group, RunContext& setup) {
  const bool alone = group.world() == 1;  // then no digest is computed
  if (!alone) agree(group, compared_settings(options.recipe));
  if (std::optional<Summary> done = open_folder(options, group, setup)) return done;
  const Identity identity = open_model_and_data(options, group, setup);
  setup.identity = to_text(identity);
  if (!alone) agree(group, compared_data(setup.data, identity));
  resume_or_start(options, group, setup);
  if (!alone) agree(group, compared_start(setup.position, *setup.trainer));
  return std::nullopt;
}

}  // namespace effnet::train

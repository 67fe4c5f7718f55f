#include "effnet/train/run/prepare.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/train/distributed/run_on_ranks.h"
#include "effnet/train/run/checks.h"
#include "effnet/train/run/compared_values.h"
#include "effnet/train/run/identity.h"
#include "effnet/train/run/resume.h"
#include "effnet/train/step/device.h"
#include "effnet/train/step/loss.h"
#include "effnet/train/step/precision.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// Rank 0's part of open_folder(). If the run is finished and needs no further work, returns its summary as text and
// sets `message` to a line for the log. Else returns an empty text.
std::string finished_summary(const RunOptions& options, const RunFolder& folder, const Log& log, std::string& message) {
  if (folder.contains_run() && !options.resume)
    throw usage_error("{}: already contains a run (expected an empty or a new folder)", options.out.string())
        .with_hint("--resume continues that run; another --out starts a new one");
  const std::optional<Summary> summary = folder.finished();
  if (!summary) return "";
  const bool stays = stays_finished(*summary, folder, options.recipe, message);
  if (stays && folder.has_model()) return summary_text(*summary);
  const bool no_checkpoint = CheckpointFolder(options.out).empty();
  if (!stays && no_checkpoint)
    throw input_error("{}: the run is finished and cannot be extended, because its checkpoints are missing",
                      options.out.string())
        .with_hint("--set model.init=" + options.out.string() + " starts a new run from the weights of this run");
  if (!stays) return "";
  if (no_checkpoint)
    throw input_error("{}: the run is finished, but model.safetensors and the checkpoints are missing",
                      options.out.string())
        .with_hint("if checkpoints/best or a checkpoints/epoch-N still exists, use it as a MODEL; else train again");
  log("model.safetensors is missing; writing it again from the checkpoints");
  return "";
}

std::optional<Summary> open_folder(const RunOptions& options, Group& group, RunContext& context) {
  std::string done, message;
  run_on_rank0(group, [&] {
    context.folder = std::make_unique<RunFolder>(options.out);
    done = finished_summary(options, *context.folder, context.log, message);
  });
  done = broadcast_from_rank0(group, done);
  if (done.empty()) return std::nullopt;
  context.log(message);
  return parse_summary(done);
}

// Opens the model, the datasets and the loaders. Returns the identity of the run.
Identity open_model_and_data(const RunOptions& options, Group& group, RunContext& context) {
  const Recipe& recipe = options.recipe;
  Identity identity;
  run_on_all_ranks(group, [&] {
    at::set_num_threads(options.threads);
    context.model = open_run_model(recipe);
    context.data = open_run_data(recipe, options.data, context.model.resolution());
    context.model.arch.classes = context.data.classes;
    context.graph = graph::lower(context.model.arch, {.resolution = context.model.resolution()});
    identity = identity_of(recipe, context.model, context.data);

    data::LoaderOptions loader = loader_options(recipe, options.threads);
    loader.rank = group.rank();
    loader.world = group.world();
    data::LoaderOptions evaluation = loader;
    evaluation.batch =
        std::max<std::int64_t>(recipe.train.batch / std::max<std::int64_t>(recipe.train.accumulate, 1), group.world());
    if (context.data.validation) context.validation = {context.data.validation, context.model.evaluation, evaluation};
    if (context.data.test) context.test = {context.data.test, context.model.evaluation, evaluation};
    loader.mixup = recipe.data.mixup;
    loader.cutmix = recipe.data.cutmix;
    context.loader =
        std::make_unique<data::TrainingLoader>(context.data.train, training_view(recipe, context.model), loader);
  });
  if (const std::string slow = slow_precision(recipe.train.precision, context.device); !slow.empty()) context.log(slow);
  for (const std::string& warning : context.model.warnings) context.log(warning);
  for (const std::string& note : context.data.notes) context.log(note);
  return identity;
}

void log_start(const RunContext& context, const Group& group) {
  const std::vector<std::string>& classes = context.data.train->classes();
  context.log(fmt::format("{}: {} parameters at {} px, {} of {}, {} per epoch on {}{}", context.model.arch.name,
                          grouped(graph::costs(context.graph).params), to_string(context.model.resolution()),
                          count_of(context.data.train->size(), "image"), count_of(std::ssize(classes), "class"),
                          count_of(context.batches(), "step"),
                          device_text(context.device.str(), context.trainer->isa()),
                          group.world() > 1 ? fmt::format(", {} processes", group.world()) : ""));
  context.log(describe_initial_weights(context.model));
}

// Creates the trainer and the recorder. Loads the newest intact checkpoint if there is one, else starts the run.
void resume_or_start(const RunOptions& options, Group& group, RunContext& context) {
  const Recipe& recipe = options.recipe;
  std::string from;
  std::vector<std::string> changed;
  run_on_rank0(group, [&] {
    const CheckpointFolder checkpoints(options.out);
    if (!checkpoints.empty()) from = checkpoints.newest_intact(context.log).string();
  });
  from = broadcast_from_rank0(group, from);
  const Timeline timeline(recipe, context.batches(), context.position);
  run_on_all_ranks(group, [&] {
    auto store = initial_weights(context.model, context.graph, recipe.seed);
    store->to(context.device);
    std::vector<float> class_weights;
    if (recipe.train.class_weights == ClassWeights::balanced)
      class_weights = balanced_weights(*context.data.train, context.data.classes);
    context.trainer = std::make_unique<Trainer>(context.graph, std::move(store), recipe, context.device, group,
                                                std::move(class_weights));
    if (from.empty()) return;
    const CheckpointFile checkpoint = open_checkpoint(from);
    restore(checkpoint, from, *context.trainer, context.identity);
    context.position = checkpoint.position;
    const bool fitted = context.position.epochs > 0;
    const std::string length = drop_fitted_length(recipe, timeline, context.position);
    changed = describe_changes(changes_on_resume(context.identity, checkpoint.identity), timeline.epochs_done(),
                               timeline.learning_rate_of_step(timeline.steps_done()), fitted);
    if (!length.empty()) changed.insert(changed.begin(), length);
  });
  run_on_rank0(group, [&] {
    if (context.validation && context.position.epochs <= 0 && timeline.run_is_over())
      require_validated_end(*context.folder, static_cast<std::int64_t>(context.position.epoch));
    check_run_can_finish(*context.folder, recipe, *context.trainer);
    context.recorder = std::make_unique<Recorder>(
        *context.folder, recipe, context.identity,
        formats::model_metadata(finished_model(context.model, {}, context.data.train->classes(), recipe)),
        context.position, context.log);
    if (!from.empty()) context.recorder->resume_from(from, context.position, timeline.steps_done() + 1);
  });
  context.loader->seek(context.position.epoch, context.position.batch);
  if (from.empty()) return log_start(context, group);
  context.log(fmt::format("resuming from {} at epoch {:.4g} of {:.4g} on {}", from, timeline.epochs_done(),
                          timeline.epochs(), device_text(context.device.str(), context.trainer->isa())));
  for (const std::string& line : changed) context.log(line);
}

}  // namespace

std::optional<Summary> prepare_run(const RunOptions& options, Group& group, RunContext& context) {
  const bool alone = group.world() == 1;  // with one rank there is nothing to compare, so no digests are computed
  if (!alone) require_same_on_all_ranks(group, compared_settings(options.recipe));
  if (std::optional<Summary> done = open_folder(options, group, context)) return done;
  const Identity identity = open_model_and_data(options, group, context);
  context.identity = to_text(identity);
  if (!alone) require_same_on_all_ranks(group, compared_data(context.data, identity));
  resume_or_start(options, group, context);
  if (!alone) require_same_on_all_ranks(group, compared_start(context.position, *context.trainer));
  return std::nullopt;
}

}  // namespace effnet::train

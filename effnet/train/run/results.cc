#include "effnet/train/run/results.h"

#include <torch/utils.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/report/run_report.h"
#include "effnet/report/run_warnings.h"
#include "effnet/report/thumbnails.h"
#include "effnet/train/distributed/run_on_ranks.h"
#include "effnet/train/run/checkpoint_folder.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// Images per second over all epochs. Each epoch has the same number of images, so this is the harmonic mean of the
// epochs' rates.
double mean_rate(const std::vector<report::EpochMetrics>& rows) {
  double seconds = 0, epochs = 0;
  for (const report::EpochMetrics& row : rows) {
    if (row.images_per_second <= 0) continue;
    seconds += 1 / row.images_per_second;
    epochs += 1;
  }
  return epochs > 0 ? epochs / seconds : 0;
}

std::string data_folder(const RunOptions& options) {
  std::error_code ignored;
  return options.data.empty() || options.recipe.data.synthetic > 0 ? "" : fs::absolute(options.data, ignored).string();
}

// Loads the weights of the best epoch from `file` into the trainer and returns an empty text. If the file is damaged or
// contains another epoch, returns a message that says so and does not change the trainer.
std::string load_best_weights(RunContext& context, const fs::path& file) {
  const std::int64_t best = context.position.best_epoch;
  try {
    const CheckpointFile checkpoint = open_checkpoint(file);
    if (checkpoint.position.batch != 0 || static_cast<std::int64_t>(checkpoint.position.epoch) != best)
      return fmt::format("{}: checkpoint of another epoch (got {}, expected {})", file.string(),
                         checkpoint.position.epoch, best);
    restore(checkpoint, file, *context.trainer, context.identity);
    return "";
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    return error.what();
  }
}

// Copies rank 0's state to all ranks. Only rank 0 reads the checkpoint: on another machine the same path may be another
// folder.
void broadcast_state(Trainer& trainer, Group& group) {
  if (group.world() == 1) return;
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : trainer.state()) {
    torch::Tensor values = tensor.contiguous();
    group.broadcast(values, 0);
    if (!values.is_same(tensor)) tensor.copy_(values);
  }
}

// Loads the weights that become the model into the trainer and returns their epoch.
std::int64_t load_result_weights(const RunOptions& options, RunContext& context, Group& group) {
  const auto last = static_cast<std::int64_t>(context.position.epoch);
  if (options.recipe.checkpoint_result != SavedEpoch::best || context.position.best_epoch == last) return last;
  std::string why;
  run_on_rank0(group, [&] { why = load_best_weights(context, CheckpointFolder(options.out).best()); });
  why = broadcast_from_rank0(group, why);
  if (!why.empty()) {
    context.log(fmt::format("warning: {}: saving the weights of the last epoch instead of those of the best epoch {}",
                            why, context.position.best_epoch));
    return last;
  }
  broadcast_state(*context.trainer, group);
  return context.position.best_epoch;
}

// The validation top-1 of an epoch in percent; below 0 if it was not validated.
double top1_of(const std::vector<report::EpochMetrics>& rows, std::int64_t epoch) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.epoch == epoch; });
  return row == rows.end() ? -1 : row->score().value_or(-1);
}

Summary summary_of(const RunOptions& options, const RunContext& context, double epochs, std::int64_t saved,
                   const Group& group) {
  const std::vector<report::EpochMetrics>& rows = context.folder->metrics();
  const Position& position = context.position;
  const graph::Costs costs = graph::costs(context.graph);
  return {.best_top1 = position.best_top1,
          .best_epoch = position.best_epoch,
          .saved_top1 = saved == position.best_epoch ? position.best_top1 : top1_of(rows, saved),
          .saved_epoch = saved,
          .epochs = epochs,
          .images_per_second = mean_rate(rows),
          .seconds = position.seconds,
          .params = costs.params,
          .macs = costs.macs,
          .device = context.device.str(),
          .isa = context.trainer->isa(),
          .world_size = group.world(),
          .peak_rss_bytes = peak_rss_bytes(),
          .data = data_folder(options),
          .test_top1 = {}};
}

}  // namespace

Summary write_results(const RunOptions& options, RunContext& context, double epochs, Group& group) {
  const std::int64_t saved = load_result_weights(options, context, group);
  const std::optional<ValidationSet>& images = context.test ? context.test : context.validation;
  const std::vector<std::string>& classes = context.data.train->classes();
  // The model is written first, because predict() fails if too many images are corrupt.
  run_on_rank0(group, [&] {
    formats::write_model(context.folder->path() / "model.safetensors",
                         finished_model(context.model, context.trainer->averaged_weights(), classes, options.recipe));
  });
  std::optional<std::vector<report::Prediction>> predictions;
  CorruptList corrupt;
  if (images) {
    predictions = predict(*context.trainer, *images, group, corrupt);
    if (!predictions)
      throw Error(ErrorCode::interrupted, "interrupted after the last epoch; the state is saved",
                  "the same command with --resume completes the run");
    corrupt = gather_from_all_ranks(group, corrupt);
  }

  std::string text;
  run_on_rank0(group, [&] {
    const fs::path& run = context.folder->path();
    Summary summary = summary_of(options, context, epochs, saved, group);
    if (!corrupt.empty()) context.folder->add_corrupt(corrupt);
    // The epoch lines have the number of the other images.
    if (!corrupt.empty() && context.test)
      context.log(fmt::format("{} among the images of the final evaluation, see broken.csv",
                              count_of(std::ssize(corrupt), "corrupt image")));
    if (predictions) {
      write_text(run / "predictions.csv", report::predictions_text(*predictions, classes));
      if (context.test && !predictions->empty()) summary.test_top1 = report::top1_percent(*predictions);
      for (const std::string& warning : report::result_warnings(context.folder->metrics(), saved, *predictions))
        context.log("warning: " + warning);
    }
    context.folder->write_summary(summary);
    const auto shown = report::images_by_name(images ? images->set : nullptr);
    write_text(run / "report.html",
               report::run_report(run, {.classes = classes, .thumbnail = report::thumbnails(shown)}));
    text = summary_text(summary);
  });
  return parse_summary(broadcast_from_rank0(group, text));
}

}  // namespace effnet::train

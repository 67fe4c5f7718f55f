#include "effnet/train/run/finish.h"

#include <sys/resource.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/report/run_report.h"
#include "effnet/report/run_warnings.h"
#include "effnet/report/thumbnails.h"
#include "effnet/train/distributed/together.h"
#include "effnet/train/run/checkpoint_folder.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// Images over seconds of all epochs: rows are means of equal numbers of images.
double mean_rate(const std::vector<report::EpochMetrics>& rows) {
  double seconds = 0, epochs = 0;
  for (const report::EpochMetrics& row : rows) {
    if (row.images_per_second <= 0) continue;
    seconds += 1 / row.images_per_second;
    epochs += 1;
  }
  return epochs > 0 ? epochs / seconds : 0;
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

std::string data_folder(const RunOptions& options) {
  std::error_code ignored;
  return options.data.empty() || options.recipe.data.synthetic > 0 ? "" : fs::absolute(options.data, ignored).string();
}

// Why `file` does not hold the best epoch's weights, which the trainer then has not got; else empty.
std::string take_best(Setup& setup, const fs::path& file) {
  const std::int64_t best = setup.position.best_epoch;
  try {
    const CheckpointFile checkpoint = open_checkpoint(file);
    if (checkpoint.position.batch != 0 || static_cast<std::int64_t>(checkpoint.position.epoch) != best)
      return fmt::format("{}: of another epoch (got {}, expected {})", file.string(), checkpoint.position.epoch, best);
    restore(checkpoint, file, *setup.trainer, setup.identity);
    return "";
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    return error.what();
  }
}

// Rank 0's weights on all ranks: their folders may be others.
void share_state(Trainer& trainer, Group& group) {
  if (group.world() == 1) return;
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : trainer.state()) {
    torch::Tensor values = tensor.contiguous();
    group.broadcast(values, 0);
    if (!values.is_same(tensor)) tensor.copy_(values);
  }
}

// Gives the trainer the weights that become the model; returns the epoch they are of.
std::int64_t take_result(const RunOptions& options, Setup& setup, Group& group) {
  const auto last = static_cast<std::int64_t>(setup.position.epoch);
  if (options.recipe.checkpoint_result != SavedEpoch::best || setup.position.best_epoch == last) return last;
  std::string why;
  run_on_rank0(group, [&] { why = take_best(setup, CheckpointFolder(options.out).best()); });
  why = broadcast_from_rank0(group, why);
  if (!why.empty()) {
    setup.tell(fmt::format("warning: {}: the weights of the last epoch become the model instead of those of epoch {}",
                           why, setup.position.best_epoch));
    return last;
  }
  share_state(*setup.trainer, group);
  return setup.position.best_epoch;
}

// Below 0: not validated.
double top1_of(const std::vector<report::EpochMetrics>& rows, std::int64_t epoch) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.epoch == epoch; });
  return row == rows.end() ? -1 : row->score().value_or(-1);
}

Summary summary_of(const RunOptions& options, const Setup& setup, double epochs, std::int64_t saved,
                   const Group& group) {
  const std::vector<report::EpochMetrics>& rows = setup.folder->metrics();
  const Position& position = setup.position;
  const graph::Costs costs = graph::costs(setup.graph);
  return {.best_top1 = position.best_top1,
          .best_epoch = position.best_epoch,
          .saved_top1 = saved == position.best_epoch ? position.best_top1 : top1_of(rows, saved),
          .saved_epoch = saved,
          .epochs = epochs,
          .images_per_second = mean_rate(rows),
          .seconds = position.seconds,
          .params = costs.params,
          .macs = costs.macs,
          .device = setup.device.str(),
          .isa = setup.trainer->isa(),
          .world_size = group.world(),
          .peak_rss_bytes = peak_rss_bytes(),
          .data = data_folder(options),
          .test_top1 = {}};
}

// Percent.
double top1_of(const std::vector<report::Prediction>& predictions) {
  const auto right = std::count_if(predictions.begin(), predictions.end(),
                                   [](const report::Prediction& one) { return one.predicted == one.label; });
  return 100 * static_cast<double>(right) / static_cast<double>(predictions.size());
}

}  // namespace

Summary finish_run(const RunOptions& options, Setup& setup, double epochs, Group& group) {
  const std::int64_t saved = take_result(options, setup, group);
  const std::optional<ValidationSet>& images = setup.test ? setup.test : setup.validation;
  std::optional<std::vector<report::Prediction>> predictions;
  if (images) {
    predictions = predict(*setup.trainer, *images, group);
    if (!predictions)
      throw Error(ErrorCode::interrupted, "interrupted after the last epoch; the state is saved",
                  "the same command with --resume finishes the run");
  }

  std::string text;
  run_on_rank0(group, [&] {
    const fs::path& run = setup.folder->path();
    Summary summary = summary_of(options, setup, epochs, saved, group);
    const std::vector<std::string>& classes = setup.data.train->classes();
    formats::write_model(run / "model.safetensors",
                         finished_model(setup.model, setup.trainer->averaged_weights(), classes, options.recipe));
    if (predictions) {
      write_text(run / "predictions.csv", report::predictions_text(*predictions));
      if (setup.test && !predictions->empty()) summary.test_top1 = top1_of(*predictions);
      for (const std::string& warning : report::result_warnings(setup.folder->metrics(), saved, *predictions))
        setup.tell("warning: " + warning);
    }
    setup.folder->write_summary(summary);
    write_text(run / "report.html",
               report::run_report(run, classes, report::thumbnails(images ? images->set : nullptr)));
    text = summary_text(summary);
  });
  return parse_summary(broadcast_from_rank0(group, text));
}

}  // namespace effnet::train

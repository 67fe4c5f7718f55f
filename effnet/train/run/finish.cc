#include "effnet/train/run/finish.h"

#include <sys/resource.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/report/run_doubts.h"
#include "effnet/report/run_report.h"
#include "effnet/report/thumbnails.h"
#include "effnet/train/distributed/together.h"
#include "effnet/train/run/checkpoint_file.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// Images over seconds of all epochs: rows are means of equal numbers of pictures.
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
std::string take_best(const Finish& finish, const fs::path& file, Trainer& trainer) {
  try {
    const CheckpointFile checkpoint = open_checkpoint(file);
    if (checkpoint.position.batch != 0 ||
        static_cast<std::int64_t>(checkpoint.position.epoch) != finish.position.best_epoch)
      return fmt::format("{}: of another epoch (got {}, expected {})", file.string(), checkpoint.position.epoch,
                         finish.position.best_epoch);
    restore(checkpoint, file, trainer, finish.identity);
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
std::int64_t take_result(const Finish& finish, Trainer& trainer, Group& group) {
  const auto last = static_cast<std::int64_t>(finish.position.epoch);
  if (finish.options.recipe.checkpoint_result != SavedEpoch::best || finish.position.best_epoch == last) return last;
  std::string why;
  on_first(group, [&] { why = take_best(finish, finish.checkpoints.best(), trainer); });
  why = from_first(group, why);
  if (!why.empty()) {
    finish.tell(fmt::format("warning: {}: the weights of the last epoch become the model instead of those of epoch {}",
                            why, finish.position.best_epoch));
    return last;
  }
  share_state(trainer, group);
  return finish.position.best_epoch;
}

// Below 0: not validated.
double top1_of(const std::vector<report::EpochMetrics>& rows, std::int64_t epoch) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.epoch == epoch; });
  return row == rows.end() ? -1 : row->score().value_or(-1);
}

}  // namespace

Summary finish_run(const Finish& finish, Trainer& trainer, Group& group) {
  const std::int64_t saved = take_result(finish, trainer, group);
  std::optional<std::vector<report::Prediction>> predictions;
  if (finish.pictures) {
    predictions = predict(trainer, *finish.pictures, group);
    if (!predictions)
      throw Error(ErrorCode::interrupted, "interrupted after the last epoch; the state is saved",
                  "the same command with --resume finishes the run");
  }

  Summary summary;
  on_first(group, [&] {
    const fs::path& run = finish.folder->path();
    const graph::Costs costs = graph::costs(finish.graph);
    summary = {.best_top1 = finish.position.best_top1,
               .best_epoch = finish.position.best_epoch,
               .saved_top1 = saved == finish.position.best_epoch ? finish.position.best_top1
                                                                 : top1_of(finish.folder->metrics(), saved),
               .saved_epoch = saved,
               .epochs = finish.epochs,
               .images_per_second = mean_rate(finish.folder->metrics()),
               .seconds = finish.position.seconds,
               .params = costs.params,
               .macs = costs.macs,
               .device = finish.device.str(),
               .isa = trainer.isa(),
               .world_size = group.world(),
               .peak_rss_bytes = peak_rss_bytes(),
               .data = data_folder(finish.options),
               .test_top1 = {}};
    const std::vector<std::string>& classes = finish.data.train->classes();
    formats::write_model(run / "model.safetensors",
                         finished_model(finish.model, trainer.averaged_weights(), classes, finish.options.recipe));
    if (predictions) {
      write_text(run / "predictions.csv", report::predictions_text(*predictions));
      double right = 0;
      for (const report::Prediction& prediction : *predictions) right += prediction.predicted == prediction.label;
      if (finish.data.test && !predictions->empty())
        summary.test_top1 = 100 * right / static_cast<double>(predictions->size());
    }
    if (predictions) {
      for (const std::string& doubt : report::doubts(finish.folder->metrics(), saved, *predictions))
        finish.tell("warning: " + doubt);
    }
    finish.folder->write_summary(summary);
    write_text(run / "report.html",
               report::run_report(run, classes, report::thumbnails(finish.pictures ? finish.pictures->set : nullptr)));
  });
  return parse_summary(from_first(group, group.rank() == 0 ? summary_text(summary) : ""));
}

}  // namespace effnet::train

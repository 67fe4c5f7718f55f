#include "effnet/train/run_finish.h"

#include <sys/resource.h>

#include "effnet/base/error.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/costs.h"
#include "effnet/report/run_report.h"
#include "effnet/report/thumbnails.h"
#include "effnet/train/checkpoint_file.h"
#include "effnet/train/together.h"

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

formats::Tensor integers(const std::vector<std::int64_t>& values) {
  const auto owner = std::make_shared<std::vector<std::int64_t>>(values);
  formats::Tensor tensor;
  tensor.dtype = formats::Dtype::i64;
  tensor.dims = {static_cast<std::int64_t>(values.size())};
  tensor.bytes = std::as_bytes(std::span(*owner));
  tensor.owner = owner;
  return tensor;
}

}  // namespace

Summary finish_run(const Finish& finish, Trainer& trainer, Group& group) {
  if (finish.chosen) {
    on_each(group, [&] {
      std::error_code ignored;
      if (fs::exists(finish.best, ignored)) read_checkpoint(finish.best, trainer, finish.identity);
    });
  }
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
    finish.folder->write_summary(summary);
    write_text(run / "report.html",
               report::run_report(run, classes, report::thumbnails(finish.pictures ? finish.pictures->set : nullptr)));
  });
  return parse_summary(from_first(group, group.rank() == 0 ? summary_text(summary) : ""));
}

Error with_batch_saved(const Error& error, const data::Batch& batch, Size resolution, const fs::path& run, int rank,
                       std::int64_t step) {
  const fs::path file = run / (rank == 0 ? "not_finite.safetensors" : fmt::format("not_finite.{}.safetensors", rank));
  formats::Weights weights;
  weights.tensors["images"] = formats::make_tensor({batch.n(), resolution.h, resolution.w, 3}, batch.images);
  weights.tensors["labels"] = integers(batch.labels);
  weights.tensors["indices"] = integers(batch.indices);
  if (!batch.other_labels.empty()) {
    weights.tensors["other_labels"] = integers(batch.other_labels);
    weights.tensors["own_share"] =
        formats::make_tensor({static_cast<std::int64_t>(batch.own_share.size())}, batch.own_share);
  }
  weights.metadata["epoch"] = std::to_string(batch.epoch);
  weights.metadata["batch"] = std::to_string(batch.number);
  weights.metadata["error"] = error.what();
  try {
    formats::write_safetensors(file, weights);
  } catch (const Error& unwritable) {
    return Error(error.code(),
                 fmt::format("step {}: {} (its batch could not be saved: {})", step, error.what(), unwritable.what()),
                 error.hint());
  }
  return Error(error.code(), fmt::format("step {}: {}; its batch is in {}", step, error.what(), file.string()),
               error.hint().empty() ? "a lower learning rate, a longer warm-up or train.clip_norm may help; the last "
                                      "checkpoint is as it was"
                                    : error.hint());
}

}  // namespace effnet::train

// When a loss, a gradient or logits are not finite, the batch is saved and the error names the file.
#pragma once

#include <filesystem>

#include "effnet/data/loader.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// Writes the batch to RUN/not_finite.safetensors and returns the error with the name of the file added. On ranks above
// 0 the file is not_finite.RANK.safetensors. Tensors: `images` (n, h, w, 3), `labels`, `indices` in the dataset; with
// mixup or CutMix also `labels_b` and `lambda`. Metadata: epoch and batch, counted from 1, and the error.
NotFinite with_batch_saved(const NotFinite& error, const data::Batch& batch, Size resolution,
                           const std::filesystem::path& run, int rank);

// Throws NotFinite if the logits of a validation image are not finite. `epoch`, `step`: the number of epochs and of
// steps done.
void require_finite(const Validation& validation, Size resolution, const std::filesystem::path& run, int rank,
                    std::int64_t epoch, std::int64_t step);

}  // namespace effnet::train

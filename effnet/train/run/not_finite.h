// What happens when numbers are no longer finite: the batch that led to it is kept, and the error says where it lies.
#pragma once

#include <filesystem>

#include "effnet/data/loader.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// The same error, with the batch that led to it in RUN/not_finite.safetensors (`images` (n, h, w, 3), `labels`,
// `indices` in the data set; with mixed images `labels_b` and `lambda`; epoch and batch, counted from 1, in
// the metadata) and the error's text naming the file.
Error with_batch_saved(const Error& error, const data::Batch& batch, Size resolution, const std::filesystem::path& run,
                       int rank);

// Throws NotFinite if the network answers some validation image with what is no number. `epoch` and `step` are what
// is done.
void require_finite(const Validation& validation, Size resolution, const std::filesystem::path& run, int rank,
                    std::int64_t epoch, std::int64_t step);

}  // namespace effnet::train

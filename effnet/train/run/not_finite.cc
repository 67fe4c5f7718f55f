#include "effnet/train/run/not_finite.h"

#include <memory>

#include "effnet/base/error.h"
#include "effnet/formats/safetensors.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

tensor::Tensor integers(const std::vector<std::int64_t>& values) {
  const auto owner = std::make_shared<std::vector<std::int64_t>>(values);
  tensor::Tensor tensor;
  tensor.dtype = tensor::Dtype::i64;
  tensor.dims = {static_cast<std::int64_t>(values.size())};
  tensor.bytes = std::as_bytes(std::span(*owner));
  tensor.owner = owner;
  return tensor;
}

}  // namespace

NotFinite with_batch_saved(const NotFinite& error, const data::Batch& batch, Size resolution, const fs::path& run,
                           int rank) {
  const fs::path file = run / (rank == 0 ? "not_finite.safetensors" : fmt::format("not_finite.{}.safetensors", rank));
  tensor::Weights weights;
  weights.tensors["images"] = tensor::make_tensor({batch.n(), resolution.h, resolution.w, 3}, batch.images);
  weights.tensors["labels"] = integers(batch.labels);
  weights.tensors["indices"] = integers(batch.indices);
  if (!batch.labels_b.empty()) {
    weights.tensors["labels_b"] = integers(batch.labels_b);
    weights.tensors["lambda"] = tensor::make_tensor({static_cast<std::int64_t>(batch.lambda.size())}, batch.lambda);
  }
  weights.metadata["epoch"] = std::to_string(batch.epoch + 1);
  weights.metadata["batch"] = std::to_string(batch.number + 1);
  weights.metadata["error"] = error.what();
  try {
    formats::write_safetensors(file, weights);
  } catch (const Error& unwritable) {
    return NotFinite(fmt::format("{} (the batch could not be saved: {})", error.what(), unwritable.what()),
                     error.hint());
  }
  return NotFinite(fmt::format("{}; the batch is saved in {}", error.what(), file.string()), error.hint());
}

void require_finite(const Validation& validation, Size resolution, const fs::path& run, int rank, std::int64_t epoch,
                    std::int64_t step) {
  if (validation.not_finite == 0) return;
  const NotFinite error(
      fmt::format("the network has diverged after step {}, epoch {} (got logits that are not finite for {} of {} "
                  "validation images, expected finite numbers)",
                  step, epoch, validation.not_finite, validation.images),
      kDivergedHint);
  if (!validation.example) throw error;
  throw with_batch_saved(error, *validation.example, resolution, run, rank);
}

}  // namespace effnet::train

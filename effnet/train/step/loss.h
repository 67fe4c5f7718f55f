// Cross entropy with soft targets: label smoothing (docs/reference/paper.md, section D: target * (1 - s) + s /
// classes), and mixup and CutMix, where an image has two labels.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>

#include "effnet/data/loader.h"

namespace effnet::train {

// The targets of images [first, first + n) of a batch: (n, classes), float32 on the CPU; each row sums to 1. Throws
// Error(input) for a label out of range.
torch::Tensor soft_targets(const data::Batch& batch, std::int64_t first, std::int64_t n, std::int64_t classes,
                           double smoothing);

// The sum (not the mean) over n of -sum_c targets log softmax(logits): a 0-dimensional tensor in the targets' dtype.
// The loss of a batch is the sum over its micro-batches divided by the batch size.
torch::Tensor cross_entropy_sum(const torch::Tensor& logits, const torch::Tensor& targets);

// The class that a prediction of image i is compared with: its label. For a mixed image: the label with the larger
// weight, or the first label if the weights are equal.
std::int64_t main_label(const data::Batch& batch, std::int64_t i);

}  // namespace effnet::train

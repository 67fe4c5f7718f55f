// Cross entropy against soft targets: label smoothing (docs/reference/paper.md, section D: target * (1 - s) +
// s / classes), mixup and cutmix, where an image is part of two classes.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>

#include "effnet/data/loader.h"

namespace effnet::train {

// (n, classes) float32 on the CPU, rows that sum to 1, of the batch's images first .. first + n - 1. Throws
// Error(input) for a label that is no class.
torch::Tensor soft_targets(const data::Batch& batch, std::int64_t first, std::int64_t n, std::int64_t classes,
                           double smoothing);

// The sum (not the mean) over n of -sum_c targets log softmax(logits): a 0-dimensional tensor in the targets' dtype. In
// a batch that goes through in parts, the parts' sums over the batch's size add up to its mean.
torch::Tensor cross_entropy_sum(const torch::Tensor& logits, const torch::Tensor& targets);

// The class that a prediction is compared with: the label, of a mixed image that of the larger share (its own if they
// are equal).
std::int64_t main_label(const data::Batch& batch, std::int64_t i);

}  // namespace effnet::train

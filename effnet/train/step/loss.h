// Cross entropy with soft targets: label smoothing (docs/reference/paper.md, section D: target * (1 - s) + s /
// classes), and mixup and CutMix, where an image has two labels.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "effnet/data/loader.h"

namespace effnet::train {

// Returns the targets of images [first, first + n) of a batch: (n, classes), float32 on the CPU. Each row sums to 1, or
// with `class_weights` (one per class) to the weight of the image's class; a mixed image has the weighted mean of both
// classes. Throws Error(input) for a label out of range.
torch::Tensor soft_targets(const data::Batch& batch, std::int64_t first, std::int64_t n, std::int64_t classes,
                           double smoothing, std::span<const float> class_weights = {});

// The weights of train.class_weights = balanced: images / (classes with images * images of the class). So each class
// has the same sum over its images, and the mean over all images is 1. A class without images gets 0.
std::vector<float> balanced_weights(const data::Dataset& set, std::int64_t classes);

// Returns the sum (not the mean) over the n images of -sum_c targets log softmax(logits), where c are the classes: a
// 0-dimensional tensor in the dtype of the targets. The loss of a batch is the sum over its micro-batches divided by
// the batch size.
torch::Tensor cross_entropy_sum(const torch::Tensor& logits, const torch::Tensor& targets);

// Returns the class that the prediction for image i is compared with: the image's label. For a mixed image: the label
// with the larger weight, or the first label if the weights are equal.
std::int64_t main_label(const data::Batch& batch, std::int64_t i);

}  // namespace effnet::train

// Compares two models that classified the same images. The images that only one of the models classifies correctly
// decide; images that both or neither classify correctly say nothing about the difference.
#pragma once

#include <cstdint>

#include "effnet/metrics/intervals.h"

namespace effnet::metrics {

struct PairedCounts {  // images by which model classified them correctly
  std::int64_t only_a = 0, only_b = 0, both = 0, neither = 0;
  void add(bool a_right, bool b_right);
  std::int64_t images() const { return only_a + only_b + both + neither; }
  double difference() const;  // accuracy of b minus accuracy of a, -1..1; 0 if there are no images
};

// A difference with a smaller p-value is called clear.
inline constexpr double kClearP = 0.05;

// The two-sided p-value of McNemar's test (1947) in its exact form: if both models are equally accurate, each of the
// only_a + only_b images belongs to either group with probability 1/2, so only_b is binomial. Twice the smaller tail,
// at most 1. The exact form is used, not mid-p: its false alarm rate never exceeds the level, for any number of images.
// If no image tells the models apart, the result is 1. Requires counts of 0 or more.
double mcnemar_p(std::int64_t only_a, std::int64_t only_b);

// The two-sided 95 % percentile interval of the paired bootstrap (Efron & Tibshirani 1993) for difference(). Resampling
// N images with replacement draws N numbers from {+1: only b, -1: only a, 0}. The distribution of their sum is computed
// exactly, which is the limit of infinitely many resamples, so the result needs no random numbers. `low` and `high` are
// the smallest differences whose cumulative probability is at least 2.5 % and 97.5 %. For 0 images the interval is
// -1..1. The interval has width 0 if all images belong to one group: then N is too small for this method.
// Counts further than 9 standard deviations + 20 from the mean are left out, so the time grows with N, not with N^2.
Interval bootstrap_95(const PairedCounts& counts);

}  // namespace effnet::metrics

// Calibration of a finished classifier on validation images: a temperature for its scores, and the score below which it
// should answer "not sure".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "effnet/metrics/calibration.h"
#include "effnet/metrics/intervals.h"

namespace effnet::metrics {

// Logits of images whose classes are known.
struct LabelledLogits {
  std::int64_t classes = 0;
  std::span<const float> logits;         // images x classes, all finite
  std::span<const std::int64_t> labels;  // the true class of each image, 0..classes - 1
};

inline constexpr double kMinTemperature = 0.2, kMaxTemperature = 10;

// The mean of -ln softmax(logits / temperature)[label]. Requires at least one image and a temperature above 0.
double nll_at(const LabelledLogits& images, double temperature);

// Temperature scaling (Guo et al. 2017): the T in kMinTemperature..kMaxTemperature with the smallest nll_at(). The NLL
// is convex in 1 / T; Newton's method inside a bracket finds the zero of its derivative to a relative accuracy of 1e-9.
// Dividing by T changes no prediction. A bound is the result if the NLL still falls there, for example if all images
// are classified correctly. For 0 images the result is 1. Throws Error(input) if a logit is not finite. Requires
// images x classes logits and labels within range.
double fit_temperature(const LabelledLogits& images);

// The softmax of logits / temperature as predictions, for calibrate() and choose_min_score(). Among equal logits the
// class with the smallest index is predicted.
std::vector<ScoredPrediction> scored(const LabelledLogits& images, double temperature);

struct MinScore {
  double min_score = 0;  // a prediction with this score or a higher one is accepted
  double coverage = 1;   // accepted images / all images
  double accuracy = 0;   // of the accepted images, 0..1
  Interval interval;     // wilson_95 of this accuracy
  bool reaches = false;  // whether interval.low reaches the target
};

// Returns the smallest min_score for which the 95 % interval of the accepted images' accuracy (wilson_95) has a lower
// bound of at least `target` (0..1). If no score reaches the target, returns the one with the highest lower bound; of
// equal ones the smallest. Candidates are the images' confidences, and 0, which accepts all images. Images with a
// confidence that is not finite are skipped; without images the result is the default.
MinScore choose_min_score(const std::vector<ScoredPrediction>& predictions, double target = 0.95);

}  // namespace effnet::metrics

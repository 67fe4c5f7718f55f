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

// The number of images that the temperature 1 counts like in calibrated_temperature(). In a usual network ln T is
// between -0.5 and 0.5, which is a prior with the precision 1 / 0.5^2 = 4. One image has about 0.2 of this precision:
// the second derivative of its NLL with respect to ln T is p (1 - p) ln^2(p / (1 - p)) for two classes, 0.15 at p =
// 0.7, 0.43 at 0.9 and 0.21 at 0.99. So the prior counts like 4 / 0.2 = 20 images.
inline constexpr double kPriorImages = 20;

// The temperature for the scores of new images, fitted on n images:
//   1. T = fit_temperature() ^ (n / (n + kPriorImages)): between 1 and the fitted temperature. With few images the
//      fitted one is extreme, because all of them may be classified correctly by chance: 0.255 from 13 images becomes
//      0.58.
//   2. T is increased until the mean confidence is at most (right + 1) / (n + 2), the accuracy by Laplace's rule of
//      succession, but not above kMaxTemperature. Otherwise n right images of n would give scores near 100 %.
// For 0 images the result is 1. Requires and throws what fit_temperature() does.
double calibrated_temperature(const LabelledLogits& images);

// The softmax of logits / temperature as predictions, for calibrate() and choose_min_score(). Among equal logits the
// class with the smallest index is predicted.
std::vector<ScoredPrediction> scored(const LabelledLogits& images, double temperature);

// The accuracy that the answers above a model's min_score should have.
inline constexpr double kSureAccuracy = 0.95;

struct MinScore {
  double min_score = 0;  // a prediction with this score or a higher one is accepted
  double coverage = 1;   // accepted images / all images
  double accuracy = 0;   // of the accepted images, 0..1
  Interval interval;     // wilson_95 of this accuracy
  bool reaches = false;  // whether interval.low reaches the target
};

// The number of images without a mistake whose wilson_95 interval has a lower bound of at least `target` (0 to below
// 1): 73 for 0.95.
std::int64_t images_for(double target);

// Returns the smallest min_score for which the 95 % interval of the accepted images' accuracy (wilson_95) has a lower
// bound of at least `target` (0..1). If no score reaches the target, returns the one with the highest lower bound; of
// equal ones the smallest. Candidates are the images' confidences, and 0, which accepts all images. Images with a
// confidence that is not finite are skipped; without images the result is the default.
MinScore choose_min_score(const std::vector<ScoredPrediction>& predictions, double target = kSureAccuracy);

}  // namespace effnet::metrics

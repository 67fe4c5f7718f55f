// Calibration of a network's probabilities: of the predictions with 80 % confidence, 80 % should be right.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace effnet::metrics {

struct ScoredPrediction {  // the prediction for one image
  double confidence = 0;   // probability of the predicted class, 0..1
  double of_label = 0;     // probability of the true class, 0..1
  bool right = false;
};

struct ReliabilityBin {
  double low = 0, high = 0;  // confidences in (low, high]; the first bin includes 0
  std::int64_t images = 0;
  double confidence = 0;  // mean confidence of the bin's images; 0 if there are none
  double accuracy = 0;    // fraction of right predictions; 0 if there are no images
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  std::int64_t images = 0;
  std::int64_t skipped = 0;             // images whose probability is not finite; not part of the other figures
  double confidence = 0, accuracy = 0;  // means over all images
  // Expected calibration error (Naeini et al. 2015; Guo et al. 2017): the sum over all bins of (images of the bin / all
  // images) * |accuracy - confidence|. `mce` is the maximum calibration error: the largest |accuracy - confidence| of a
  // bin.
  double ece = 0, mce = 0;
  // Negative log-likelihood: mean of -ln(of_label). Infinite if a true class has a probability of 0; `zero_probability`
  // is the number of such images.
  double nll = 0;
  std::int64_t zero_probability = 0;
  // Brier score of the event "the prediction is right": mean of (confidence - right)^2. (The Brier score over all
  // classes needs all probabilities, which predictions.csv does not have.)
  double brier = 0;
};

// The default of 15 bins is that of Guo et al. If there are no images, all figures are 0.
Calibration calibrate(const std::vector<ScoredPrediction>& predictions, int bins = 15);

}  // namespace effnet::metrics

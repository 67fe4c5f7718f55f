// Whether a network's probabilities mean what they say: of the images it is 80 % sure of, 80 % should be right.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace effnet::metrics {

struct Judged {           // an image
  double confidence = 0;  // probability of the predicted class, 0..1
  double of_label = 0;    // probability of the true one, 0..1
  bool right = false;
};

struct ReliabilityBin {
  double low = 0, high = 0;  // confidences in (low, high]; the first bin has 0 too
  std::int64_t images = 0;
  double confidence = 0;  // mean; 0 without images
  double accuracy = 0;    // share that was right; 0 without images
};

struct Calibration {
  std::vector<ReliabilityBin> bins;
  std::int64_t images = 0;
  std::int64_t left_out = 0;            // images with a probability that is no number; in none of the figures
  double confidence = 0, accuracy = 0;  // means
  // Expected calibration error (Naeini et al. 2015; Guo et al. 2017): sum over bins of images / all * |accuracy -
  // confidence|. The largest single bin's difference is `worst`.
  double ece = 0, worst = 0;
  // Mean of -ln(of_label). Infinite if an image's own class got a probability of 0; `impossible` counts those.
  double nll = 0;
  std::int64_t impossible = 0;
  // Brier score of the statement "the prediction is right": mean of (confidence - right)^2. (The score over all classes
  // needs every probability, which predictions.csv does not keep.)
  double brier = 0;
};

// 15 bins as in Guo et al. All figures are 0 without images.
Calibration calibrate(const std::vector<Judged>& judged, int bins = 15);

}  // namespace effnet::metrics

// Finds images whose label is probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021, "Confident
// Learning: Estimating Uncertainty in Dataset Labels"). It compares the labels with probabilities that a classifier
// gave to images it was not trained on (cross_validation.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace effnet::transfer {

struct LabelError {
  std::int64_t row = 0;
  std::int64_t label = 0, suggested = 0;                    // classes
  double label_probability = 0, suggested_probability = 0;  // 0..1
  double margin() const { return suggested_probability - label_probability; }
};

// Each class has a threshold: the mean probability of the class over the images that have it as label. A row is listed
// if another class is at or above its threshold and more probable than the label; `suggested` is the most probable of
// such classes. The largest margin is first; equal margins are sorted by row. `probabilities` is rows x classes.
std::vector<LabelError> find_label_errors(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                          std::int64_t classes);

}  // namespace effnet::transfer

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

// Each class has a threshold: the mean probability of the class over the images that have it as label. An image counts
// confidently for the most probable of the classes that are at or above their threshold. For each label the fraction of
// confident images that count for another class, times the number of images with this label, estimates how many of its
// labels are wrong (the paper's calibrated confident joint). The sum of these estimates, rounded, is the number of rows
// that are listed: of the rows that have a class more probable than their label, those with the largest margin ("prune
// by noise rate"). The largest margin is first; equal margins are sorted by row. `probabilities` is rows x classes.
std::vector<LabelError> find_label_errors(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                          std::int64_t classes);

}  // namespace effnet::transfer

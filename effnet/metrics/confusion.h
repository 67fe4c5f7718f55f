// The confusion matrix: counts of (true class, predicted class), and the scores of each class.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace effnet::metrics {

struct ClassScore {
  std::int64_t support = 0;    // images of the class
  std::int64_t predicted = 0;  // images predicted as the class
  std::int64_t right = 0;      // images of the class that are predicted as the class
  // recall = right / support, precision = right / predicted, f1 = 2 right / (support + predicted). Empty if the divisor
  // is 0.
  std::optional<double> recall, precision, f1;
};

// A cell of the matrix outside the diagonal.
struct ConfusedPair {
  std::int64_t truth = 0, predicted = 0, count = 0;
};

// Stores only cells that are not 0, so memory is proportional to the images, not to the square of the classes.
class Confusion {
 public:
  explicit Confusion(std::int64_t classes);
  void add(std::int64_t truth, std::int64_t predicted);  // both 0..classes - 1

  std::int64_t classes() const { return static_cast<std::int64_t>(support_.size()); }
  std::int64_t images() const { return images_; }
  std::int64_t right() const { return right_; }
  std::int64_t at(std::int64_t truth, std::int64_t predicted) const;
  ClassScore score(std::int64_t class_index) const;
  // Means over the classes that have images, with equal weights. A class without predictions counts with precision 0.
  // Empty if there are no images.
  struct Means {
    std::optional<double> recall, precision, f1;
  };
  Means means() const;
  // The largest cells outside the diagonal, at most `max_pairs`, largest first; equal counts are sorted by truth, then
  // predicted.
  std::vector<ConfusedPair> most_confused(std::size_t max_pairs) const;
  // The wrong class that is predicted most often for images of class `truth`. Empty if no image of the class is
  // misclassified.
  std::optional<ConfusedPair> most_frequent_mistake(std::int64_t truth) const;
  const std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>& cells() const { return cells_; }

 private:
  std::int64_t images_ = 0, right_ = 0;
  std::vector<std::int64_t> support_, predicted_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> cells_;  // (truth, predicted) -> images
};

}  // namespace effnet::metrics

// Which classes are taken for which, and what that says of each class.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace effnet::metrics {

struct ClassScore {
  std::int64_t support = 0;    // images of the class
  std::int64_t predicted = 0;  // images taken for it
  std::int64_t right = 0;      // both
  // Empty where nothing is there to judge by: recall without an image of the class, precision where nothing was taken
  // for it. f1 = 2 right / (support + predicted), empty if both are 0.
  std::optional<double> recall, precision, f1;
};

// A cell beside the diagonal.
struct Confused {
  std::int64_t truth = 0, predicted = 0, count = 0;
};

// Only the cells that are not 0 are kept: memory follows the images, not the square of the classes.
class Confusion {
 public:
  explicit Confusion(std::int64_t classes);
  void add(std::int64_t truth, std::int64_t predicted);  // both 0..classes - 1

  std::int64_t classes() const { return static_cast<std::int64_t>(support_.size()); }
  std::int64_t images() const { return images_; }
  std::int64_t right() const { return right_; }
  std::int64_t at(std::int64_t truth, std::int64_t predicted) const;
  ClassScore score(std::int64_t class_index) const;
  // Means over the classes that have images, each class with the same weight; precision counts as 0 for one of them
  // that nothing was taken for. Empty fields if there is no image.
  struct Means {
    std::optional<double> recall, precision, f1;
  };
  Means means() const;
  // Cells beside the diagonal, largest first; equal ones in the order of truth, then predicted. At most `most`.
  std::vector<Confused> confused(std::size_t most) const;
  // What images of the class were most often taken for, other than itself.
  std::optional<Confused> rival(std::int64_t truth) const;
  const std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>& cells() const { return cells_; }

 private:
  std::int64_t images_ = 0, right_ = 0;
  std::vector<std::int64_t> support_, predicted_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> cells_;  // (truth, predicted) -> images
};

}  // namespace effnet::metrics

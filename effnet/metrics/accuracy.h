// Accuracy of ranked predictions: top-1, top-5, and mean top-1 per class.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace effnet::metrics {

class Accuracy {
 public:
  explicit Accuracy(std::int64_t classes);
  // `logits` has one value per class. The rank of the true class is the number of classes that have a larger logit, or
  // an equal logit and a smaller index. So, of classes with equal logits, only the one with the smallest index counts
  // as predicted. Returns the rank; 0: the prediction is right.
  std::int64_t add(std::span<const float> logits, std::int64_t true_class);

  std::int64_t images() const { return images_; }
  std::int64_t right() const { return top1_; }  // images whose true class has rank 0
  double top1_percent() const;
  double top5_percent() const;
  double mean_per_class_percent() const;  // over the classes that have images

  struct ClassRecall {
    std::int64_t index = 0, images = 0, right = 0;
    double percent() const { return 100 * static_cast<double>(right) / static_cast<double>(images); }
  };
  // The class with the smallest recall; of equal ones the class with most images, then the smallest index. Empty if
  // there are no images.
  std::optional<ClassRecall> worst_class() const;

 private:
  std::int64_t images_ = 0, top1_ = 0, top5_ = 0;
  std::vector<std::int64_t> seen_, right_;  // per class
};

}  // namespace effnet::metrics

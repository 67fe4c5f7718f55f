// Accuracy of ranked predictions: top-1, top-5, and mean top-1 per class.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace effnet::metrics {

class Accuracy {
 public:
  explicit Accuracy(std::int64_t classes);
  // `logits` has one value per class. The rank of the true class is the number of classes that have a larger logit, or
  // an equal logit and a smaller index. So, of classes with equal logits, only the one with the smallest index counts
  // as predicted.
  void add(std::span<const float> logits, std::int64_t true_class);

  std::int64_t images() const { return images_; }
  double top1_percent() const;
  double top5_percent() const;
  double mean_per_class_percent() const;  // over the classes that have images

 private:
  std::int64_t images_ = 0, top1_ = 0, top5_ = 0;
  std::vector<std::int64_t> seen_, right_;  // per class
};

}  // namespace effnet::metrics

// Accuracy of ranked predictions: top-1, top-5, and the mean over classes of top-1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace effnet::metrics {

class Accuracy {
 public:
  explicit Accuracy(std::int64_t classes);
  // `logits`: one per class. The rank of the true class counts the classes with a larger logit and, among equals, those
  // with a smaller index, so ties never favour us by chance.
  void add(std::span<const float> logits, std::int64_t true_class);

  std::int64_t images() const { return images_; }
  double top1_percent() const;
  double top5_percent() const;
  double mean_per_class_percent() const;  // over the classes that occurred

 private:
  std::int64_t images_ = 0, top1_ = 0, top5_ = 0;
  std::vector<std::int64_t> seen_, right_;  // per class
};

}  // namespace effnet::metrics

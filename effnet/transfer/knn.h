// Nearest neighbours by cosine similarity, exact, and a classifier by their majority.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "effnet/layers/context.h"
#include "effnet/transfer/linear_probe.h"

namespace effnet::transfer {

struct Neighbour {
  std::int64_t row = 0;  // of the searched rows
  float similarity = 0;  // cosine of the angle between the two vectors: -1..1; 0 if one of them is zero
};

// Scales each row of rows x width values to length 1; a row of zeros stays.
void normalise_rows(std::span<float> values, std::int64_t width);

// Returns for each query row the `count` most similar rows (fewer if there are fewer), most similar first; of equal
// similarities the smaller row first. `rows` and `queries` are rows x width, scaled by normalise_rows(). With
// `leave_own_row_out` query i is not compared with row i. Computes the similarities in blocks of at most 16 MB. Results
// do not depend on the number of threads. Throws Error(interrupted) after Ctrl-C.
std::vector<std::vector<Neighbour>> nearest(const layers::Context& context, std::span<const float> rows,
                                            std::span<const float> queries, std::int64_t width, std::int64_t count,
                                            bool leave_own_row_out = false);

// A classifier: the most frequent class among the k nearest training rows. Of equally frequent classes the one with the
// larger sum of similarities wins, then the smaller index.
class NearestNeighbours {
 public:
  static constexpr std::int64_t kChoices[] = {1, 5, 10, 20};
  // Chooses k by leave-one-out on the training rows: the one with the most right answers, of equal ones the smallest.
  // `context` must outlive the object; the rows are copied.
  NearestNeighbours(const layers::Context& context, const LabelledRows& training);

  std::int64_t k() const { return k_; }
  double leave_one_out() const { return leave_one_out_; }  // fraction of right answers with this k, 0..1
  // Returns the class of each row of `values` (rows x width, not normalised).
  std::vector<std::int64_t> classify(std::span<const float> values) const;

 private:
  std::int64_t vote(const std::vector<Neighbour>& neighbours, std::int64_t k) const;

  const layers::Context& context_;
  std::int64_t width_;
  std::vector<float> rows_;
  std::vector<std::int64_t> labels_;
  std::int64_t k_ = 1;
  double leave_one_out_ = 0;
};

}  // namespace effnet::transfer

// Helpers of the tests of effnet/transfer.
#pragma once

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "effnet/base/philox.h"
#include "effnet/transfer/linear_probe.h"

namespace effnet::transfer::testkit {

inline std::vector<std::int64_t> all_rows(std::int64_t count) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// Rows of `classes` clusters: the label of row i is i % classes. `noise` is the standard deviation around the cluster's
// centre, whose values have the standard deviation 1.
struct Clusters {
  Clusters(std::int64_t rows, std::int64_t row_width, std::int64_t class_count, float noise)
      : width(row_width), classes(class_count) {
    std::vector<float> centres(static_cast<std::size_t>(classes * width));
    Philox(3, stream_of("centres")).fill_normal(centres, 0, 1);
    values.resize(static_cast<std::size_t>(rows * width));
    Philox(4, stream_of("noise")).fill_normal(values, 0, noise);
    for (std::int64_t i = 0; i < rows; ++i) {
      labels.push_back(i % classes);
      for (std::int64_t c = 0; c < width; ++c)
        values[static_cast<std::size_t>(i * width + c)] += centres[static_cast<std::size_t>(labels.back() * width + c)];
    }
  }
  LabelledRows rows() const { return {values, labels, width, classes}; }

  std::int64_t width, classes;
  std::vector<float> values;
  std::vector<std::int64_t> labels;
};

}  // namespace effnet::transfer::testkit

// Rows of one channel block of an image, kept while windows need them: row r lies in slot r mod slots. Rows above and
// below the image are zeros.
#pragma once

#include <cstdint>

namespace effnet::primitives {

class RowRing {
 public:
  // `memory` holds slots x row_floats floats, `zeros` one row of zeros; both outlive the ring. row_floats includes the
  // padding columns, which the owner of the memory sets to zero.
  RowRing(float* memory, std::int64_t slots, std::int64_t row_floats, const float* zeros)
      : memory_(memory), slots_(slots), row_floats_(row_floats), zeros_(zeros) {}

  std::int64_t offset(std::int64_t row) const { return row % slots_ * row_floats_; }  // floats from `memory`; row >= 0
  float* slot(std::int64_t row) const { return memory_ + offset(row); }
  const float* row(std::int64_t row, std::int64_t height) const {
    return row >= 0 && row < height ? slot(row) : zeros_;
  }

 private:
  float* memory_;
  std::int64_t slots_, row_floats_;
  const float* zeros_;
};

}  // namespace effnet::primitives

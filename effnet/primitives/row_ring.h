// A buffer of the last rows of an image: row r is in slot r mod `slots`, so that a new row overwrites the oldest one.
// For a row above or below the image, row() returns a row of zeros.
#pragma once

#include <cstdint>

namespace effnet::primitives {

class RowRing {
 public:
  // `memory` has slots x row_floats floats; `zeros` is one row of zeros. Both must outlive the ring. row_floats
  // includes the padding columns; the caller sets them to zero.
  RowRing(float* memory, std::int64_t slots, std::int64_t row_floats, const float* zeros)
      : memory_(memory), slots_(slots), row_floats_(row_floats), zeros_(zeros) {}

  // Returns the offset of the row's slot from `memory`, in floats. row >= 0.
  std::int64_t offset(std::int64_t row) const { return row % slots_ * row_floats_; }
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

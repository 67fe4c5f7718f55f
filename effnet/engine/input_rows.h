// Writes the images of a run into the padded HWC rows that the first convolutions read (ImageLayout).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "effnet/base/shape.h"
#include "effnet/engine/session.h"
#include "effnet/primitives/gather.h"

namespace effnet::engine {

class InputRows {
 public:
  virtual ~InputRows() = default;
  // Writes row y of the layout for one image of the batch: normalised pixels, zeros in the padding.
  void write(const primitives::ImageLayout& layout, std::int64_t image, std::int64_t y, float* row) const noexcept;

 protected:
  InputRows() = default;
  InputRows(const InputRows&) = default;
  InputRows& operator=(const InputRows&) = default;
  // Writes row y of the image without padding, in.w x in.c values.
  virtual void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept = 0;
};

// Input: batch x C x H x W floats, already normalised.
class TensorRows final : public InputRows {
 public:
  explicit TensorRows(std::span<const float> values) : values_(values) {}

 private:
  void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept override;
  std::span<const float> values_;
};

// The input of ByteRows and FloatRows: batch x H x W x 3 values from 0 to 255. Both classes compute (value - 255 *
// mean) / (255 * std) in double, as vision::normalise does. ByteRows uses a table of the 256 results per channel.
class ByteRows final : public InputRows {
 public:
  ByteRows(std::span<const std::uint8_t> rgb, const Session::Normalisation& normalisation);

 private:
  void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept override;
  std::span<const std::uint8_t> rgb_;
  std::array<std::array<float, 256>, 3> table_;
};

class FloatRows final : public InputRows {
 public:
  FloatRows(std::span<const float> rgb, const Session::Normalisation& normalisation);

 private:
  void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept override;
  std::span<const float> rgb_;
  std::array<double, 3> shift_, scale_;
};

}  // namespace effnet::engine

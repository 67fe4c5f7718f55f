// The images of a run, on their way into the padded HWC rows that the first convolutions read (ImageLayout).
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
  // Row y of the layout of an image of the batch: normalised pixels with zeros for padding.
  void write(const primitives::ImageLayout& layout, std::int64_t image, std::int64_t y, float* row) const noexcept;

 protected:
  InputRows() = default;
  InputRows(const InputRows&) = default;
  InputRows& operator=(const InputRows&) = default;
  // Row y of the image itself, in.w x in.c values.
  virtual void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept = 0;
};

// batch x C x H x W, normalised.
class TensorRows final : public InputRows {
 public:
  explicit TensorRows(std::span<const float> values) : values_(values) {}

 private:
  void write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept override;
  std::span<const float> values_;
};

// batch x H x W x 3, of 0 to 255. Both compute (value - 255 mean) / (255 std) in double, as vision::normalise does, the
// first ahead for every byte.
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

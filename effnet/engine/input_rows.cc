#include "effnet/engine/input_rows.h"

#include <algorithm>

namespace effnet::engine {
void InputRows::write(const primitives::ImageLayout& layout, std::int64_t image, std::int64_t y,
                      float* row) const noexcept {
  const std::int64_t from = y - layout.top, values = layout.row_values();
  if (from < 0 || from >= layout.in.h) {
    std::fill_n(row, values, 0.0F);
    return;
  }
  float* const first = row + layout.left * layout.in.c;
  std::fill(row, first, 0.0F);
  write_pixels(layout.in, image, from, first);
  std::fill(first + layout.in.w * layout.in.c, row + values, 0.0F);
}

void TensorRows::write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept {
  const float* const from = values_.data() + image * in.numel() + y * in.w;
  const std::int64_t plane = in.pixels();
  if (in.c == 3) {  // one pass, which compilers vectorise with shuffles
    for (std::int64_t x = 0; x < in.w; ++x) {
      to[3 * x] = from[x];
      to[3 * x + 1] = from[plane + x];
      to[3 * x + 2] = from[2 * plane + x];
    }
    return;
  }
  for (std::int64_t c = 0; c < in.c; ++c) {
    for (std::int64_t x = 0; x < in.w; ++x) to[x * in.c + c] = from[c * plane + x];
  }
}

ByteRows::ByteRows(std::span<const std::uint8_t> rgb, const Session::Normalisation& normalisation) : rgb_(rgb) {
  for (std::size_t c = 0; c < 3; ++c) {
    const double shift = 255 * normalisation.mean[c], scale = 255 * normalisation.std[c];
    for (std::size_t v = 0; v < 256; ++v) table_[c][v] = static_cast<float>((static_cast<double>(v) - shift) / scale);
  }
}

void ByteRows::write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept {
  const std::uint8_t* from = rgb_.data() + image * in.numel() + y * in.w * 3;
  for (std::int64_t x = 0; x < in.w; ++x, from += 3, to += 3) {
    for (std::size_t c = 0; c < 3; ++c) to[c] = table_[c][from[c]];
  }
}

FloatRows::FloatRows(std::span<const float> rgb, const Session::Normalisation& normalisation) : rgb_(rgb) {
  for (std::size_t c = 0; c < 3; ++c) {
    shift_[c] = 255 * normalisation.mean[c];
    scale_[c] = 255 * normalisation.std[c];
  }
}

void FloatRows::write_pixels(const Chw& in, std::int64_t image, std::int64_t y, float* to) const noexcept {
  const float* from = rgb_.data() + image * in.numel() + y * in.w * 3;
  for (std::int64_t x = 0; x < in.w; ++x, from += 3, to += 3) {
    for (std::size_t c = 0; c < 3; ++c) to[c] = static_cast<float>((double{from[c]} - shift_[c]) / scale_[c]);
  }
}

}  // namespace effnet::engine

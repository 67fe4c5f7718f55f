// Resampling, in two families. Pillow's filters (box, bilinear, bicubic, lanczos) give, byte for byte, what
// Pillow 9.4's Image.resize(size, resample, box) gives: antialiased, rounded to 8 bits after each of the two passes.
// TensorFlow 1's (tf_bilinear, tf_bicubic) are what the published EfficientNets were trained and measured with: no
// half-pixel shift (source = i * in / out), no antialias, results not rounded (docs/reference/paper.md, section D).
//
// A window asks for a part of the result only; it costs as much as that part, however large the whole would be.
#pragma once

#include <cstdint>
#include <optional>

#include "effnet/base/preprocessing.h"
#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

struct Window {  // pixels of the result
  std::int64_t top = 0;
  std::int64_t left = 0;
  Size size;
};

bool is_tf(Filter filter);
// The window, or all of `to`. Throws Error(usage) if `to` is empty or the window leaves it.
Window checked_window(Size to, const std::optional<Window>& window);

// `box` is the part of the image to resample (the default is all of it); what lies outside of it is not looked at
// unless a filter's support reaches there, as in Pillow. Throws Error(usage) for an empty box, one that leaves the
// image, a size of zero or a window that leaves the result.
Image resize(const Image& image, Size to, Filter filter, std::optional<Box> box = {},
             std::optional<Window> window = {});

// tf_bilinear: rows, then columns, in float32. tf_bicubic: taps at floor - 1 ... floor + 2 clamped to the border, a =
// -0.75, the fraction rounded to 1/1024; may leave 0..255. `box` (the default is all of the image) says between which
// pixels the outputs lie: output i reads box.x0 + i * (box.x1 - box.x0) / to.w, clamped to the image, not to the box.
FloatImage resize_tf(const Image& image, Size to, Filter filter, std::optional<Window> window = {},
                     std::optional<Box> box = {});

// To the nearest whole number, clamped to 0..255.
Image rounded(const FloatImage& image);

}  // namespace effnet::vision

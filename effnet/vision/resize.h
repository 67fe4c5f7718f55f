// Resampling with two families of filters. Pillow's filters (box, bilinear, bicubic, lanczos) give byte for byte the
// pixels of Pillow 9.4's Image.resize(size, resample, box): antialiased, rounded to 8 bits after each of two passes.
// TensorFlow 1's filters (tf_bilinear, tf_bicubic) are those with which the published EfficientNets were trained and
// measured: no half-pixel shift (source = i * in / out), no antialiasing, results not rounded
// (docs/reference/paper.md, section D).
//
// With a window only that part of the result is computed; the cost depends on the window, not on the whole result.
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
// Returns the window, or all of `to` without one. Throws Error(usage) if `to` is empty or the window is not inside it.
Window checked_window(Size to, const std::optional<Window>& window);

// `box` is the part of the image to resample (default: all of it). As in Pillow, pixels outside of the box are read
// only where a filter's support reaches beyond it. Throws Error(usage) for an empty box, a box that is not inside the
// image, an empty size, or a window that is not inside the result.
Image resize(const Image& image, Size to, Filter filter, std::optional<Box> box = {},
             std::optional<Window> window = {});

// tf_bilinear: interpolates rows, then columns, in float32. tf_bicubic: taps at floor - 1 ... floor + 2, clamped to the
// image, a = -0.75, the fraction rounded to 1/1024; results may be outside of 0..255. `box` (default: all of the image)
// sets the positions of the outputs: output i reads box.x0 + i * (box.x1 - box.x0) / to.w. Positions are clamped to the
// image, not to the box.
FloatImage resize_tf(const Image& image, Size to, Filter filter, std::optional<Window> window = {},
                     std::optional<Box> box = {});

// Rounds to the nearest integer and clamps to 0..255.
Image rounded(const FloatImage& image);

}  // namespace effnet::vision

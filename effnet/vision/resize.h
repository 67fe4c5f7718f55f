// Resizes images with two kinds of filters. The results of Pillow's filters (box, bilinear, bicubic, lanczos) are byte
// for byte those of Pillow 9.4's Image.resize(size, resample, box): antialiased, rounded to 8 bits after each of two
// passes. The published EfficientNets were trained and measured with TensorFlow 1's filters (tf_bilinear, tf_bicubic):
// no half-pixel shift (source = i * in / out), no antialiasing, results not rounded. See docs/reference/paper.md,
// section D.
//
// If a window is given, only this part of the result is computed. The cost depends on the window, not on the whole
// result.
#pragma once

#include <cstdint>
#include <optional>

#include "effnet/base/preprocessing.h"
#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

struct Window {  // a rectangle of whole pixels; as an argument of resize() and resize_tf(), of the result
  std::int64_t top = 0;
  std::int64_t left = 0;
  Size size;
};

bool is_tf(Filter filter);
// Returns the window. If no window is given, returns one of all pixels of `to`. Throws Error(usage) if `to` is empty or
// the window is not inside `to`.
Window checked_window(Size to, const std::optional<Window>& window);

// `box` is the part of the image to resample (default: all of it). As in Pillow, pixels outside of the box are read
// only where a filter's support reaches beyond it. Throws Error(usage) for an empty box, a box that is not inside the
// image, an empty size, or a window that is not inside the result.
Image resize(const Image& image, Size to, Filter filter, std::optional<Box> box = {},
             std::optional<Window> window = {});

// tf_bilinear interpolates between rows, then between columns, in float32. tf_bicubic has four taps, floor - 1 ...
// floor + 2, clamped to the image; the cubic kernel has a = -0.75, and the fraction is rounded to 1/1024; results may
// be outside of 0..255. `box` (default: all of the image) sets the positions of the outputs: along x, output i reads
// box.x0 + i * (box.x1 - box.x0) / to.w. Positions are clamped to the image, not to the box.
FloatImage resize_tf(const Image& image, Size to, Filter filter, std::optional<Window> window = {},
                     std::optional<Box> box = {});

// Rounds to the nearest integer and clamps to 0..255.
Image rounded(const FloatImage& image);

}  // namespace effnet::vision

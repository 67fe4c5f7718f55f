// The operations of AutoAugment and RandAugment on 8-bit RGB, as the official TensorFlow code defines them, including
// its peculiarities (docs/reference/paper.md, section D, "Operations"; EN autoaugment.py:176-532, where EN is the
// official code, as in paper.md). Each operation changes the image in place.
//
// Where TensorFlow computes in float32, this code does so too, in the same order of operations. Two of TensorFlow's
// sums have no defined order: the grey value of Color and the smoothing of Sharpness. They are computed exactly here.
// Their truncated results differ from TensorFlow's by one level if rounding moved TensorFlow's sum across an integer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

void auto_contrast(Image& image);  // stretches each channel to 0..255, truncated; a channel of one value is unchanged
void equalize(Image& image);       // equalizes each channel's histogram
void invert(Image& image);         // 255 - x
void posterize(Image& image, int bits);         // keeps the `bits` highest bits, clamped to 1..8
void solarize(Image& image, int threshold);     // 255 - x for x >= threshold; a threshold above 255 has no effect
void solarize_add(Image& image, int addition);  // min(x + addition, 255) for x < 128

// The result is degenerate + factor * (image - degenerate), clamped to 0..255 and truncated. The degenerate image is
//   color       the grey image
//   contrast    one grey level for all pixels, min(number of pixels / 256, 255); the official code calls it "mean"
//   brightness  black
//   sharpness   the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13, except for its border of one pixel
void color(Image& image, float factor);
void contrast(Image& image, float factor);
void brightness(Image& image, float factor);
void sharpness(Image& image, float factor);

// An output pixel (x, y) is the nearest input pixel to the position below; halves are rounded away from zero. A pixel
// whose position is outside of the image becomes grey 128.
//   shear_x      (x + amount * y, y)
//   shear_y      (x, y + amount * x)
//   translate_x  (x + px, y)
//   translate_y  (x, y + px)
//   rotate       (x, y) rotated about the image's centre; positive degrees rotate the image anticlockwise
void shear_x(Image& image, float amount);
void shear_y(Image& image, float amount);
void translate_x(Image& image, float px);
void translate_y(Image& image, float px);
void rotate(Image& image, double degrees);

// Fills the square of rows centre_y - half ... centre_y + half - 1 and the same range of columns around centre_x with
// grey 128, clipped to the image.
void cutout(Image& image, int half, std::int64_t centre_y, std::int64_t centre_x);

// The distances of translation and cutout at level 10.
struct Distances {
  double translate_px;
  double cutout_px;
};

// A row of the table of operations, which the policies use. `argument` maps a level to the operation's argument. Levels
// are 0 to 10; higher levels are extrapolated. The argument of a `directed` operation is negated for half of the
// images. `apply` gets a random position in the image, which only Cutout uses.
struct Operation {
  std::string_view name;
  double (*argument)(double level, const Distances& distances);
  bool directed;
  void (*apply)(Image& image, double argument, std::int64_t centre_y, std::int64_t centre_x);
};

// Row numbers of operations(), in RandAugment's order.
enum class Op {
  auto_contrast,
  equalize,
  invert,
  rotate,
  posterize,
  solarize,
  color,
  contrast,
  brightness,
  sharpness,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  cutout,
  solarize_add,
};
std::span<const Operation, 16> operations();
const Operation& operation(Op op);

}  // namespace effnet::vision

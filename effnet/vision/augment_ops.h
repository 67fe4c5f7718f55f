// The operations of AutoAugment and RandAugment on 8-bit RGB, as the official code defines them in TensorFlow
// (docs/reference/paper.md, section D, "Operations"; EN autoaugment.py:176-532), quirks included. Each changes the
// image in place.
//
// Where TensorFlow computes in float32, so does this, in its order of operations. Two of its sums have no order of
// their own (the grey value and the smoothing of Sharpness): they are computed exactly, so that truncation may differ
// from TensorFlow's by one level where its sum was rounded across a whole number.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

void auto_contrast(Image& image);  // each channel stretched to 0..255, truncated; left as it is if it has one value
void equalize(Image& image);       // each channel's histogram flattened
void invert(Image& image);         // 255 - x
void posterize(Image& image, int bits);         // keeps the `bits` highest bits, but one at least and eight at most
void solarize(Image& image, int threshold);     // 255 - x from the threshold on; 256 and above leave all as it is
void solarize_add(Image& image, int addition);  // min(x + addition, 255) below 128

// degenerate + factor * (image - degenerate), truncated, above factor 1 clamped before. The degenerate image is grey
// (color), one level min(pixels / 256, 255) (contrast: the official code's "mean"), black (brightness), or smoothed by
// (1 1 1, 1 5 1, 1 1 1) / 13 but for its border (sharpness).
void color(Image& image, float factor);
void contrast(Image& image, float factor);
void brightness(Image& image, float factor);
void sharpness(Image& image, float factor);

// Nearest neighbour, halves away from zero; what is uncovered becomes grey 128. Output (x, y) reads input
// (x + amount * y, y), (x, y + amount * x), (x + px, y) and (x, y + px); rotation is about the image's centre.
void shear_x(Image& image, float amount);
void shear_y(Image& image, float amount);
void translate_x(Image& image, float px);
void translate_y(Image& image, float px);
void rotate(Image& image, double degrees);

// Rows centre_y - half ... centre_y + half - 1 and the columns alike become grey 128, as far as they are in the
// image.
void cutout(Image& image, int half, std::int64_t centre_y, std::int64_t centre_x);

// What the pixel distances are at level 10.
struct Distances {
  double translate_px;
  double cutout_px;
};

// An operation as policies use it: the argument follows from the level (0 to 10; above extrapolates); a `directed` one
// is negated for half of the images; `apply` gets a random place in the image, which only Cutout uses.
struct Operation {
  std::string_view name;
  double (*argument)(double level, const Distances& distances);
  bool directed;
  void (*apply)(Image& image, double argument, std::int64_t centre_y, std::int64_t centre_x);
};

// The rows of operations(), in RandAugment's order.
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

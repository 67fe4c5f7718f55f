// Operations on single pixels and on neighbourhoods of 3 x 3, and the table of all operations. Loops over bytes and
// floats are written so that compilers vectorise them for SSE2.
#include "effnet/vision/augment_ops.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace effnet::vision {
namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::int64_t, 256>;

constexpr std::size_t kBlock = 192;  // color() blends this many bytes at a time: 64 pixels

template <class Change>
void change_bytes(Image& image, Change change) {
  for (std::uint8_t& value : image.rgb) value = change(value);
}

// Maps each channel through its own table.
void apply_tables(Image& image, const std::array<Table, 3>& tables) {
  std::uint8_t* end = image.rgb.data() + image.rgb.size();
  for (std::uint8_t* pixel = image.rgb.data(); pixel < end; pixel += 3) {
    pixel[0] = tables[0][pixel[0]];
    pixel[1] = tables[1][pixel[1]];
    pixel[2] = tables[2][pixel[2]];
  }
}

std::uint8_t clamped_byte(float value) {
  value = value < 0 ? 0 : value;
  value = value > 255 ? 255 : value;
  return static_cast<std::uint8_t>(static_cast<int>(value));
}

// For 0 < factor < 1 the result is between `degenerate` and `value`, so that clamping changes nothing.
std::uint8_t blended(std::uint8_t degenerate, std::uint8_t value, float factor) {
  const auto from = static_cast<float>(degenerate);
  return clamped_byte(from + factor * (static_cast<float>(value) - from));
}

void blend_with_level(Image& image, std::uint8_t level, float factor) {
  Table table;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = blended(level, static_cast<std::uint8_t>(i), factor);
  apply_tables(image, {table, table, table});
}

// Returns floor(255.5 / 255 * (0.2989 r + 0.587 g + 0.114 b)), computed in integers. TensorFlow computes the grey value
// on the scale 0..1 and multiplies it by 255.5 to convert it to a byte. Every intermediate result is below 2^32.
std::uint8_t grey_of(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
  return static_cast<std::uint8_t>((2989 * r + 5870 * g + 1140 * b) * 511 / 5100000);
}

std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> counts{};
  const std::uint8_t* end = image.rgb.data() + image.rgb.size();
  for (const std::uint8_t* pixel = image.rgb.data(); pixel < end; pixel += 3) {
    ++counts[0][pixel[0]];
    ++counts[1][pixel[1]];
    ++counts[2][pixel[2]];
  }
  return counts;
}

Table identity() {
  Table table;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint8_t>(i);
  return table;
}

Table stretch_table(const Histogram& counts) {
  std::size_t low = 0, high = 255;
  while (low < 255 && counts[low] == 0) ++low;
  while (high > 0 && counts[high] == 0) --high;
  if (high <= low) return identity();
  // As in TensorFlow, every step is rounded to float32. So the highest value may become 254.99998, which is truncated
  // to 254.
  const float scale = 255.0F / (static_cast<float>(high) - static_cast<float>(low));
  const float offset = -static_cast<float>(low) * scale;
  Table table;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = clamped_byte(static_cast<float>(i) * scale + offset);
  return table;
}

Table equalize_table(const Histogram& counts) {
  std::int64_t pixels = 0, last = 0;
  for (const std::int64_t count : counts) {
    pixels += count;
    if (count != 0) last = count;
  }
  const std::int64_t step = (pixels - last) / 255;
  if (step == 0) return identity();
  Table table;
  std::int64_t below = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::uint8_t>(std::min<std::int64_t>((below + step / 2) / step, 255));
    below += counts[i];
  }
  return table;
}

void apply_histogram_tables(Image& image, Table (*table_of)(const Histogram&)) {
  const std::array<Histogram, 3> counts = histograms(image);
  apply_tables(image, {table_of(counts[0]), table_of(counts[1]), table_of(counts[2])});
}

}  // namespace

void auto_contrast(Image& image) { apply_histogram_tables(image, stretch_table); }
void equalize(Image& image) { apply_histogram_tables(image, equalize_table); }

void invert(Image& image) {
  change_bytes(image, [](std::uint8_t x) { return static_cast<std::uint8_t>(255 - x); });
}

void posterize(Image& image, int bits) {
  const int shift = std::clamp(8 - bits, 0, 7);  // TensorFlow shifts an 8-bit integer by at most 7
  const auto mask = static_cast<std::uint8_t>(0xFF << shift & 0xFF);
  change_bytes(image, [=](std::uint8_t x) { return static_cast<std::uint8_t>(x & mask); });
}

void solarize(Image& image, int threshold) {
  if (threshold > 255) return;
  const auto least = static_cast<std::uint8_t>(std::max(threshold, 0));
  change_bytes(image, [=](std::uint8_t x) { return x < least ? x : static_cast<std::uint8_t>(255 - x); });
}

void solarize_add(Image& image, int addition) {
  const int limited = std::clamp(addition, -255, 255);
  change_bytes(image, [=](std::uint8_t x) {
    const int sum = x + limited;
    const int kept = sum < 0 ? 0 : sum > 255 ? 255 : sum;
    return x < 128 ? static_cast<std::uint8_t>(kept) : x;
  });
}

void color(Image& image, float factor) {
  std::array<std::uint8_t, kBlock> grey;
  for (std::size_t begin = 0; begin < image.rgb.size(); begin += kBlock) {
    std::uint8_t* values = image.rgb.data() + begin;
    const std::size_t count = std::min(kBlock, image.rgb.size() - begin);
    for (std::size_t i = 0; i < count; i += 3) {
      grey[i] = grey[i + 1] = grey[i + 2] = grey_of(values[i], values[i + 1], values[i + 2]);
    }
    for (std::size_t i = 0; i < count; ++i) values[i] = blended(grey[i], values[i], factor);
  }
}

void contrast(Image& image, float factor) {
  const auto level = static_cast<std::uint8_t>(std::min<std::int64_t>(image.h * image.w / 256, 255));
  blend_with_level(image, level, factor);
}

void brightness(Image& image, float factor) { blend_with_level(image, 0, factor); }

void sharpness(Image& image, float factor) {
  if (image.h < 3 || image.w < 3) return;  // every pixel is in the border, which is not changed
  const auto width = static_cast<std::size_t>(3 * image.w);
  const Image original = image;
  std::vector<std::uint16_t> columns(width);  // for each byte of a row: the sum over three rows
  for (std::int64_t y = 1; y + 1 < image.h; ++y) {
    const std::uint8_t* middle = original.rgb.data() + static_cast<std::size_t>(y) * width;
    const std::uint8_t* above = middle - width;
    const std::uint8_t* below = middle + width;
    for (std::size_t i = 0; i < width; ++i) {
      columns[i] = static_cast<std::uint16_t>(above[i] + middle[i] + below[i]);
    }
    std::uint8_t* to = image.rgb.data() + static_cast<std::size_t>(y) * width;
    for (std::size_t i = 3; i + 3 < width; ++i) {
      const auto sum = static_cast<std::uint16_t>(columns[i - 3] + columns[i] + columns[i + 3] + 4 * middle[i]);
      to[i] = blended(static_cast<std::uint8_t>(sum / 13), middle[i], factor);
    }
  }
}

namespace {

double no_argument(double, const Distances&) { return 0; }
double shear(double level, const Distances&) { return level / 10 * 0.3; }
double degrees(double level, const Distances&) { return level / 10 * 30; }
double blending(double level, const Distances&) { return level / 10 * 1.8 + 0.1; }
double translation(double level, const Distances& distances) { return level / 10 * distances.translate_px; }
// The next four arguments are truncated to integers.
double bits(double level, const Distances&) { return std::trunc(level / 10 * 4); }
double threshold(double level, const Distances&) { return std::trunc(level / 10 * 256); }
double addition(double level, const Distances&) { return std::trunc(level / 10 * 110); }
double half_side(double level, const Distances& distances) { return std::trunc(level / 10 * distances.cutout_px); }

using Coordinate = std::int64_t;
template <void (*kApply)(Image&)>
void without_argument(Image& image, double, Coordinate, Coordinate) {
  kApply(image);
}
template <void (*kApply)(Image&, int)>
void with_int(Image& image, double argument, Coordinate, Coordinate) {
  kApply(image, static_cast<int>(argument));
}
template <void (*kApply)(Image&, float)>
void with_float(Image& image, double argument, Coordinate, Coordinate) {
  kApply(image, static_cast<float>(argument));
}

constexpr std::array<Operation, 16> kOperations{{
    {"AutoContrast", no_argument, false, without_argument<auto_contrast>},
    {"Equalize", no_argument, false, without_argument<equalize>},
    {"Invert", no_argument, false, without_argument<invert>},
    {"Rotate", degrees, true, [](Image& image, double argument, Coordinate, Coordinate) { rotate(image, argument); }},
    {"Posterize", bits, false, with_int<posterize>},
    {"Solarize", threshold, false, with_int<solarize>},
    {"Color", blending, false, with_float<color>},
    {"Contrast", blending, false, with_float<contrast>},
    {"Brightness", blending, false, with_float<brightness>},
    {"Sharpness", blending, false, with_float<sharpness>},
    {"ShearX", shear, true, with_float<shear_x>},
    {"ShearY", shear, true, with_float<shear_y>},
    {"TranslateX", translation, true, with_float<translate_x>},
    {"TranslateY", translation, true, with_float<translate_y>},
    {"Cutout", half_side, false,
     [](Image& image, double argument, Coordinate y, Coordinate x) {
       cutout(image, static_cast<int>(argument), y, x);
     }},
    {"SolarizeAdd", addition, false, with_int<solarize_add>},
}};

}  // namespace

std::span<const Operation, 16> operations() { return kOperations; }
const Operation& operation(Op op) { return kOperations.at(static_cast<std::size_t>(op)); }

}  // namespace effnet::vision

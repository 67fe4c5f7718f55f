// The operations of augment_ops.h that move pixels, and cutout.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "effnet/vision/augment_ops.h"

namespace effnet::vision {
namespace {

constexpr std::uint8_t kGrey = 128;

// An output pixel reads the input pixel whose coordinates are
//   x[0] * column + x[1] * row + x[2]  along the x axis
//   y[0] * column + y[1] * row + y[2]  along the y axis
struct Affine {
  std::array<float, 3> x, y;
};

// For each pixel of output row `row`, writes one coordinate (x or y) of its input pixel to `coordinates`. A coordinate
// is rounded to nearest, halves away from zero, and clamped to -1 ... limit. The rounding is exact, because a float
// minus its integer part has no rounding error. Compilers vectorise the loop.
void find_sources(const std::array<float, 3>& source, std::int64_t row, std::int64_t limit,
                  std::vector<std::int32_t>& coordinates) {
  const float along = source[0], down = source[1] * static_cast<float>(row), offset = source[2];
  const auto highest = static_cast<float>(limit);
  const auto count = static_cast<std::int32_t>(coordinates.size());
  std::int32_t* to = coordinates.data();
  for (std::int32_t x = 0; x < count; ++x) {
    float at = along * static_cast<float>(x) + down + offset;
    at = at < -1 ? -1 : at;
    at = at > highest ? highest : at;
    const auto whole = static_cast<std::int32_t>(at);
    const float rest = at - static_cast<float>(whole);  // -1 < rest < 1, with the sign of `at`
    to[x] = whole + static_cast<std::int32_t>(rest + rest);
  }
}

void warp(Image& image, const Affine& source) {
  Image result{image.h, image.w, std::vector<std::uint8_t>(image.rgb.size(), kGrey)};
  const auto width = static_cast<std::size_t>(image.w);
  const auto h = static_cast<std::uint32_t>(image.h), w = static_cast<std::uint32_t>(image.w);
  std::vector<std::int32_t> columns(width), rows(width);
  std::uint8_t* to = result.rgb.data();
  for (std::int64_t y = 0; y < image.h; ++y) {
    if (y == 0 || source.x[1] != 0) find_sources(source.x, y, image.w, columns);  // otherwise the same in all rows
    if (y == 0 || source.y[1] != 0) find_sources(source.y, y, image.h, rows);
    for (std::size_t x = 0; x < width; ++x, to += 3) {
      // -1 becomes the largest unsigned number, so that one comparison checks both bounds.
      if (static_cast<std::uint32_t>(columns[x]) >= w || static_cast<std::uint32_t>(rows[x]) >= h) continue;
      std::copy_n(image.rgb.data() + 3 * (rows[x] * image.w + columns[x]), 3, to);
    }
  }
  image = std::move(result);
}

}  // namespace

void shear_x(Image& image, float amount) { warp(image, {{1, amount, 0}, {0, 1, 0}}); }
void shear_y(Image& image, float amount) { warp(image, {{1, 0, 0}, {amount, 1, 0}}); }
void translate_x(Image& image, float px) { warp(image, {{1, 0, px}, {0, 1, 0}}); }
void translate_y(Image& image, float px) { warp(image, {{1, 0, 0}, {0, 1, px}}); }

// Output (x, y) reads input R (x, y) + offset, where R is the rotation matrix. The offset maps the centre
// ((w - 1) / 2, (h - 1) / 2) to itself.
void rotate(Image& image, double degrees) {
  const double radians = degrees * (std::numbers::pi / 180);
  const auto c = static_cast<float>(std::cos(radians)), s = static_cast<float>(std::sin(radians));
  const auto right = static_cast<float>(image.w - 1), bottom = static_cast<float>(image.h - 1);
  warp(image, {{c, -s, (right - (c * right - s * bottom)) / 2}, {s, c, (bottom - (s * right + c * bottom)) / 2}});
}

void cutout(Image& image, int half, std::int64_t centre_y, std::int64_t centre_x) {
  const std::int64_t left = std::clamp<std::int64_t>(centre_x - half, 0, image.w);
  const std::int64_t right = std::clamp<std::int64_t>(centre_x + half, left, image.w);
  const std::int64_t bottom = std::min(centre_y + half, image.h);
  for (std::int64_t y = std::max<std::int64_t>(centre_y - half, 0); y < bottom; ++y) {
    std::fill_n(image.rgb.data() + 3 * (y * image.w + left), 3 * (right - left), kGrey);
  }
}

}  // namespace effnet::vision

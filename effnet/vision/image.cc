#include "effnet/vision/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

// How the position of a pixel in the upright image becomes its position in the stored image: `transpose` swaps row and
// column, then `flip_y` counts rows from the end, and `flip_x` counts columns from the end.
struct Transform {
  bool transpose, flip_y, flip_x;
};
constexpr std::array<Transform, 9> kTransforms{{
    {false, false, false},  // 0 is not an orientation
    {false, false, false},  // 1
    {false, false, true},   // 2: left and right swapped
    {false, true, true},    // 3: rotated by 180 degrees
    {false, true, false},   // 4: top and bottom swapped
    {true, false, false},   // 5: transposed
    {true, true, false},    // 6: rotated by 90 degrees clockwise
    {true, true, true},     // 7: transposed about the other diagonal
    {true, false, true},    // 8: rotated by 90 degrees anticlockwise
}};

const Transform& transform_of(int orientation) {
  return kTransforms[orientation >= 2 && orientation <= 8 ? static_cast<std::size_t>(orientation) : 1];
}

}  // namespace

Image blank(Size size) {
  EFFNET_CHECK(size.h > 0 && size.w > 0);
  return {size.h, size.w, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * size.h * size.w))};
}

Size fitted(Size size, std::int64_t longer) {
  const auto now = static_cast<double>(std::max(size.h, size.w));
  const auto side = [&](std::int64_t pixels) {
    const double scaled = static_cast<double>(pixels) * static_cast<double>(longer) / now;  // exact where it is whole
    return std::max<std::int64_t>(1, std::llround(scaled));
  };
  return {side(size.h), side(size.w)};
}

Image crop(const Image& image, std::int64_t top, std::int64_t left, Size size) {
  Image result = blank(size);
  const std::int64_t x0 = std::max<std::int64_t>(left, 0);
  const std::int64_t x1 = std::min(left + size.w, image.w);
  if (x0 >= x1) return result;
  for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + size.h, image.h); ++y) {
    const auto* from = image.rgb.data() + 3 * (y * image.w + x0);
    std::copy_n(from, 3 * (x1 - x0), result.rgb.data() + 3 * ((y - top) * size.w + (x0 - left)));
  }
  return result;
}

Image oriented(Image image, int orientation) {
  if (orientation < 2 || orientation > 8 || image.rgb.empty()) return image;
  const Transform& transform = transform_of(orientation);
  Image result = blank(transform.transpose ? Size{image.w, image.h} : Size{image.h, image.w});

  // Offsets in the stored image: `down` and `right` for one pixel down and one pixel right in the result, `begin` for
  // the result's first pixel.
  const std::int64_t stride = std::int64_t{3} * image.w;
  const std::int64_t row = transform.flip_y ? -stride : stride;
  const std::int64_t column = transform.flip_x ? -3 : 3;
  const std::int64_t down = transform.transpose ? column : row;
  const std::int64_t right = transform.transpose ? row : column;
  const std::int64_t begin = (transform.flip_y ? stride * (image.h - 1) : 0) + (transform.flip_x ? stride - 3 : 0);

  std::uint8_t* to = result.rgb.data();
  for (std::int64_t y = 0; y < result.h; ++y) {
    std::int64_t from = begin + y * down;
    for (std::int64_t x = 0; x < result.w; ++x, from += right, to += 3) {
      std::copy_n(image.rgb.data() + from, 3, to);
    }
  }
  return result;
}

Size oriented(Size size, int orientation) { return transform_of(orientation).transpose ? Size{size.w, size.h} : size; }

Box oriented(const Box& box, Size size, int orientation) {
  const Transform& transform = transform_of(orientation);
  const auto h = static_cast<double>(size.h), w = static_cast<double>(size.w);
  Box result = box;
  if (transform.flip_y) std::tie(result.y0, result.y1) = std::pair(h - box.y1, h - box.y0);
  if (transform.flip_x) std::tie(result.x0, result.x1) = std::pair(w - box.x1, w - box.x0);
  return transform.transpose ? Box{result.y0, result.x0, result.y1, result.x1} : result;
}

}  // namespace effnet::vision

#include "effnet/vision/draw.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

using Colour = std::array<float, 3>;  // RGB, 0..255

// Dark blue, blue, cyan-green, yellow, orange, red. Lightness rises up to yellow and falls slightly after it, so that
// the hottest points stay recognisable for readers with red-green colour blindness.
constexpr std::array<Colour, 9> kHeat{{
    {24, 15, 92},
    {38, 60, 190},
    {30, 126, 225},
    {28, 184, 190},
    {92, 214, 112},
    {196, 224, 60},
    {253, 190, 38},
    {246, 105, 24},
    {196, 18, 22},
}};

Colour heat_colour(float heat) {
  const float at = std::clamp(heat, 0.0F, 1.0F) * static_cast<float>(kHeat.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(at), kHeat.size() - 2);
  const float t = at - static_cast<float>(low);
  Colour colour;
  for (std::size_t c = 0; c < 3; ++c) colour[c] = kHeat[low][c] + (kHeat[low + 1][c] - kHeat[low][c]) * t;
  return colour;
}

// For pixel i of one axis: the two map cells around it, and its position between their centres (0..1).
struct Between {
  std::int64_t low, high;
  float t;
};
std::vector<Between> interpolation(std::int64_t pixels, double begin, double end, std::int64_t cells) {
  std::vector<Between> result;
  result.reserve(static_cast<std::size_t>(pixels));
  for (std::int64_t i = 0; i < pixels; ++i) {
    const double at = (static_cast<double>(i) + 0.5 - begin) / (end - begin) * static_cast<double>(cells) - 0.5;
    const double inside = std::clamp(at, 0.0, static_cast<double>(cells - 1));
    const auto low = static_cast<std::int64_t>(inside);
    result.push_back({low, std::min(low + 1, cells - 1), static_cast<float>(inside - static_cast<double>(low))});
  }
  return result;
}

// Scales the map to 0..1.
std::vector<float> scaled(std::span<const float> map) {
  float low = INFINITY, high = -INFINITY;
  for (const float value : map) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  std::vector<float> result(map.size(), 0.0F);
  if (!(low < high)) return result;
  for (std::size_t i = 0; i < map.size(); ++i) {
    const double heat = (static_cast<double>(map[i]) - low) / (static_cast<double>(high) - low);
    result[i] = std::isnan(heat) ? 0.0F : static_cast<float>(std::clamp(heat, 0.0, 1.0));
  }
  return result;
}

std::uint8_t blended(std::uint8_t under, float over, float opacity) {
  const float value = static_cast<float>(under) + (over - static_cast<float>(under)) * opacity;
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

struct Range {  // whole pixels [begin, end)
  std::int64_t begin, end;
  bool contains(std::int64_t at) const { return at >= begin && at < end; }
};
// Returns the range of pixels whose centres are between `from` and `to`, limited to 0 ... pixels - 1.
Range covered(double from, double to, std::int64_t pixels) {
  const auto edge = [&](double at) {
    return static_cast<std::int64_t>(std::clamp(std::ceil(at - 0.5), 0.0, static_cast<double>(pixels)));
  };
  return {edge(from), edge(to)};
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image) {
  if (image.h < 1 || image.w < 1 || image.h > PNG_UINT_31_MAX || image.w > PNG_UINT_31_MAX / 3 ||
      3 * image.w > std::int64_t{0xFFFFFFFF} / image.h) {
    throw input_error("PNG: image size out of range (got {}x{}, expected at least 1x1 and at most 4 GiB of pixels)",
                      image.w, image.h);
  }
  EFFNET_CHECK(static_cast<std::int64_t>(image.rgb.size()) == 3 * image.h * image.w);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.w);
  png.height = static_cast<png_uint_32>(image.h);
  png.format = PNG_FORMAT_RGB;
  std::vector<std::byte> file(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t size = file.size();
  if (png_image_write_to_memory(&png, file.data(), &size, 0, image.rgb.data(), 0, nullptr) == 0) {
    throw internal_error("libpng could not write the image ({})", png.message);
  }
  file.resize(size);
  return file;
}

Image heat_scale(Size size) {
  Image image = blank(size);
  for (std::int64_t x = 0; x < size.w; ++x) {
    const Colour colour =
        heat_colour(static_cast<float>(x) / static_cast<float>(std::max<std::int64_t>(1, size.w - 1)));
    for (std::int64_t y = 0; y < size.h; ++y) {
      for (std::size_t c = 0; c < 3; ++c)
        image.rgb[static_cast<std::size_t>(3 * (y * size.w + x)) + c] = blended(0, colour[c], 1);
    }
  }
  return image;
}

Image overlay_heat(const Image& photo, const Box& where, std::span<const float> map, Size map_size,
                   const HeatOptions& options) {
  EFFNET_CHECK(map_size.h > 0 && map_size.w > 0 && static_cast<std::int64_t>(map.size()) == map_size.h * map_size.w);
  EFFNET_CHECK(where.x1 > where.x0 && where.y1 > where.y0);
  Image result = photo;
  const std::vector<float> heat = scaled(map);
  const std::vector<Between> rows = interpolation(photo.h, where.y0, where.y1, map_size.h);
  const std::vector<Between> columns = interpolation(photo.w, where.x0, where.x1, map_size.w);
  const Range inside_y = covered(where.y0, where.y1, photo.h);
  const Range inside_x = covered(where.x0, where.x1, photo.w);
  // A frame is drawn only if part of the photo is outside of `where`. The frame is inside `where`; its width is 1/400
  // of the photo's shorter side, at least 1 px.
  const bool whole = inside_y.begin == 0 && inside_x.begin == 0 && inside_y.end == photo.h && inside_x.end == photo.w;
  const std::int64_t frame =
      options.outline && !whole ? std::max<std::int64_t>(1, std::min(photo.h, photo.w) / 400) : 0;
  const Range core_y{inside_y.begin + frame, inside_y.end - frame};
  const Range core_x{inside_x.begin + frame, inside_x.end - frame};

  std::vector<float> line(static_cast<std::size_t>(map_size.w));
  std::uint8_t* pixel = result.rgb.data();
  for (std::int64_t y = 0; y < photo.h; ++y) {
    const Between row = rows[static_cast<std::size_t>(y)];
    for (std::int64_t x = 0; x < map_size.w; ++x) {
      const float low = heat[static_cast<std::size_t>(row.low * map_size.w + x)];
      const float high = heat[static_cast<std::size_t>(row.high * map_size.w + x)];
      line[static_cast<std::size_t>(x)] = low + (high - low) * row.t;
    }
    for (std::int64_t x = 0; x < photo.w; ++x, pixel += 3) {
      if (!inside_y.contains(y) || !inside_x.contains(x)) {
        for (int c = 0; c < 3; ++c) pixel[c] = blended(pixel[c], 0, 1 - options.dim);
      } else if (!core_y.contains(y) || !core_x.contains(x)) {
        for (int c = 0; c < 3; ++c) pixel[c] = blended(pixel[c], 255, 0.8F);
      } else {
        const Between column = columns[static_cast<std::size_t>(x)];
        const float low = line[static_cast<std::size_t>(column.low)];
        const float value = low + (line[static_cast<std::size_t>(column.high)] - low) * column.t;
        const Colour colour = heat_colour(value);
        const float opacity = options.strength * (1 + 2 * value) / 3;
        for (std::size_t c = 0; c < 3; ++c) pixel[c] = blended(pixel[c], colour[c], opacity);
      }
    }
  }
  return result;
}

}  // namespace effnet::vision

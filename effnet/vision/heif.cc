// AVIF and HEIC: the primary image, alone or as a grid of tiles, 8 to 12 bits, with its crop, rotations and mirrorings.
// Alpha and other auxiliary images are ignored; high dynamic range is not tone-mapped.
//
// effnet reads the container itself, for two reasons. Debian 12's libheif 1.15 does not bound its decoders' memory by
// the declared size and does not suppress dav1d's messages on stderr. And it depends on two encoders of 20 MB.
//
// Colours are computed like in the common readers. AVIF: like in libavif, and so in Pillow from 11.3 on; chroma is
// interpolated between the two nearest samples along each axis (3/4 and 1/4). HEIC: like in libheif, and so in
// pillow-heif; chroma is the nearest sample. The results differ from those readers by at most 3 of 255, because the
// readers use fixed-point arithmetic. The default colour matrix is BT.601.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/heif_codecs.h"

namespace effnet::vision {
namespace {

struct LumaWeights {
  int matrix;        // code point of ISO/IEC 23091-2
  double red, blue;  // the weights of red and blue in luma
};
constexpr std::array<LumaWeights, 7> kLumaWeights{{{1, 0.2126, 0.0722},
                                                   {2, 0.299, 0.114},
                                                   {4, 0.30, 0.11},
                                                   {5, 0.299, 0.114},
                                                   {6, 0.299, 0.114},
                                                   {7, 0.212, 0.087},
                                                   {9, 0.2627, 0.0593}}};
constexpr int kIdentity = 0;  // the planes are green, blue and red

std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::clamp(std::lround(255 * value), 0L, 255L)); }

// A chroma plane, sampled at the positions of luma samples.
class Chroma {
 public:
  Chroma(const Planes& planes, std::size_t plane, bool interpolated)
      : samples_(planes.samples[plane]),
        halved_x_(planes.halved_x),
        halved_y_(planes.halved_y),
        interpolated_(interpolated),
        last_x_(planes.size.w - 1),
        h_((planes.size.h + halved_y_) >> halved_y_),
        w_((planes.size.w + halved_x_) >> halved_x_) {}

  double at(std::int64_t y, std::int64_t x) const {
    const std::int64_t near_y = y >> halved_y_, near_x = x >> halved_x_;
    const std::int64_t far_y = other(y, halved_y_, h_), far_x = x == last_x_ ? near_x : other(x, halved_x_, w_);
    const auto sample = [&](std::int64_t row, std::int64_t column) {
      return static_cast<double>(samples_[static_cast<std::size_t>(row * w_ + column)]);
    };
    return 0.75 * (0.75 * sample(near_y, near_x) + 0.25 * sample(near_y, far_x)) +
           0.25 * (0.75 * sample(far_y, near_x) + 0.25 * sample(far_y, far_x));
  }

 private:
  // Returns the index of the second nearest sample. The last column of the image uses its nearest sample only (see
  // at()), even if it is the first of the two columns that share a sample, because libyuv does so.
  std::int64_t other(std::int64_t at, int halved, std::int64_t count) const {
    if (halved == 0 || !interpolated_) return at >> halved;
    return std::clamp<std::int64_t>(at / 2 + (at % 2 == 0 ? -1 : 1), 0, count - 1);
  }

  const std::vector<std::uint16_t>& samples_;
  int halved_x_, halved_y_;
  bool interpolated_;
  std::int64_t last_x_, h_, w_;
};

// Joins the tiles' planes. This is done before the conversion to RGB, because chroma is interpolated across tile
// borders.
Planes joined(const HeifImage& coded) {
  Planes whole = decode_coded(coded.tiles.front());
  if (coded.tiles.size() == 1 && whole.size.h == coded.size.h && whole.size.w == coded.size.w) return whole;
  const Planes first = std::exchange(whole, {});
  whole.size = coded.size;
  whole.bits = first.bits;
  whole.grey = first.grey;
  whole.halved_x = first.halved_x;
  whole.halved_y = first.halved_y;
  whole.colour = first.colour;
  const std::size_t planes = first.grey ? 1 : 3;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const Size size = plane_size(whole, plane);
    whole.samples[plane].resize(static_cast<std::size_t>(size.h * size.w));
  }
  for (std::size_t i = 0; i < coded.tiles.size(); ++i) {
    const Planes tile = i == 0 ? first : decode_coded(coded.tiles[i]);
    if (tile.bits != first.bits || tile.grey != first.grey || tile.halved_x != first.halved_x ||
        tile.halved_y != first.halved_y || tile.size.h % (1 + tile.halved_y) != 0 ||
        tile.size.w % (1 + tile.halved_x) != 0) {
      throw input_error(
          "AVIF or HEIC: the tiles of the grid do not fit together (expected tiles with the same bit depth and chroma "
          "format, and of even width and height if the chroma is halved)");
    }
    const auto index = static_cast<std::int64_t>(i);
    for (std::size_t plane = 0; plane < planes; ++plane) {
      const Size from = plane_size(tile, plane), to = plane_size(whole, plane);
      const std::int64_t top = index / coded.columns * from.h, left = index % coded.columns * from.w;
      const std::int64_t rows = std::min(from.h, to.h - top), columns = std::min(from.w, to.w - left);
      for (std::int64_t y = 0; y < rows; ++y) {
        std::copy_n(tile.samples[plane].data() + y * from.w, columns,
                    whole.samples[plane].data() + (top + y) * to.w + left);
      }
    }
  }
  return whole;
}

Image to_rgb(const Planes& planes, const HeifColour& colour, bool interpolated) {
  Image image = blank(planes.size);
  const double step = std::exp2(planes.bits - 8), most = std::exp2(planes.bits) - 1,
               middle = std::exp2(planes.bits - 1);
  const double black = colour.full_range ? 0 : 16 * step, luma = colour.full_range ? most : 219 * step;
  const double chroma = colour.full_range ? most : 224 * step;
  const auto* const weights = std::ranges::find(kLumaWeights, colour.matrix, &LumaWeights::matrix);
  if (!planes.grey && weights == kLumaWeights.end() && colour.matrix != kIdentity)
    throw input_error("AVIF or HEIC: unsupported colour matrix (got {}, expected RGB, BT.601, BT.709 or BT.2020)",
                      colour.matrix);
  const Chroma blue_plane(planes, 1, interpolated), red_plane(planes, 2, interpolated);
  std::uint8_t* to = image.rgb.data();
  for (std::int64_t y = 0; y < image.h; ++y) {
    for (std::int64_t x = 0; x < image.w; ++x, to += 3) {
      const double light = (planes.samples[0][static_cast<std::size_t>(y * planes.size.w + x)] - black) / luma;
      if (planes.grey) {
        to[0] = to[1] = to[2] = to_byte(light);
        continue;
      }
      const double b = blue_plane.at(y, x), r = red_plane.at(y, x);
      if (colour.matrix == kIdentity) {
        to[0] = to_byte((r - black) / luma);
        to[1] = to_byte(light);
        to[2] = to_byte((b - black) / luma);
        continue;
      }
      const double red = light + 2 * (1 - weights->red) * (r - middle) / chroma;
      const double blue = light + 2 * (1 - weights->blue) * (b - middle) / chroma;
      to[0] = to_byte(red);
      to[1] = to_byte((light - weights->red * red - weights->blue * blue) / (1 - weights->red - weights->blue));
      to[2] = to_byte(blue);
    }
  }
  return image;
}

Image cropped(const Image& image, const HeifImage::Crop& part) {
  const Size size{std::lround(std::clamp(part.height, 0.0, 1e6)), std::lround(std::clamp(part.width, 0.0, 1e6))};
  const auto begin = [](std::int64_t whole, std::int64_t kept, double centre) {
    return std::lround(std::clamp((static_cast<double>(whole - kept)) / 2 + centre, -1e6, 1e6));
  };
  const std::int64_t top = begin(image.h, size.h, part.y), left = begin(image.w, size.w, part.x);
  if (size.h < 1 || size.w < 1 || top < 0 || left < 0 || top + size.h > image.h || left + size.w > image.w)
    throw input_error("AVIF or HEIC: crop outside of the image (got {}x{} at x = {}, y = {}, expected within {}x{})",
                      size.w, size.h, left, top, image.w, image.h);
  return crop(image, top, left, size);
}

}  // namespace

Decoded decode_heif(std::span<const std::byte> file, const DecodeOptions& options) {
  const HeifImage coded = read_heif(file);
  const Size tile = coded.tiles.front().size;
  for (const Size size : {coded.size, tile}) {
    check_declared_size("AVIF or HEIC", static_cast<std::uint64_t>(size.h), static_cast<std::uint64_t>(size.w),
                        file.size(), options);
  }
  const Planes planes = joined(coded);
  const bool interpolated = coded.tiles.front().codec == HeifCodec::av1;
  Image image = to_rgb(planes, coded.colour.value_or(planes.colour), interpolated);
  if (coded.crop) image = cropped(image, *coded.crop);
  for (const int orientation : coded.orientations) image = oriented(std::move(image), orientation);
  return {std::move(image), 1};
}

}  // namespace effnet::vision

// Makes JPEG files and images for the tests and benchmarks of effnet/vision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include <jpeglib.h>

#include "effnet/base/philox.h"
#include "effnet/vision/image.h"

namespace effnet::vision::testkit {

struct JpegOptions {
  int quality = 90;
  int h_samples = 2, v_samples = 2;   // luma samples per chroma sample: 2, 2 is 4:2:0
  J_COLOR_SPACE colours = JCS_YCbCr;  // JCS_GRAYSCALE stores red; JCS_CMYK stores 255 - rgb, and K = 200
  bool progressive = false;
  bool arithmetic = false;
  unsigned restart_rows = 0;  // a restart marker after this many rows of blocks; 0: no markers
  int orientation = 0;        // above 0: stored in an EXIF block
};

inline std::vector<std::byte> encode_jpeg(const Image& image, const JpegOptions& options = {}) {
  jpeg_compress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);  // prints and exits on an error: acceptable in a test or a benchmark only
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &bytes, &size);
  const bool grey = options.colours == JCS_GRAYSCALE, cmyk = options.colours == JCS_CMYK;
  codec.image_height = static_cast<JDIMENSION>(image.h);
  codec.image_width = static_cast<JDIMENSION>(image.w);
  codec.input_components = grey ? 1 : cmyk ? 4 : 3;
  codec.in_color_space = grey ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_colorspace(&codec, options.colours);
  jpeg_set_quality(&codec, options.quality, TRUE);
  if (!grey && !cmyk) {
    codec.comp_info[0].h_samp_factor = options.h_samples;
    codec.comp_info[0].v_samp_factor = options.v_samples;
  }
  codec.arith_code = options.arithmetic ? TRUE : FALSE;
  codec.restart_in_rows = static_cast<int>(options.restart_rows);
  if (options.progressive) jpeg_simple_progression(&codec);
  jpeg_start_compress(&codec, TRUE);
  if (options.orientation > 0) {  // a TIFF directory of one entry: tag 274, one short
    const std::vector<JOCTET> exif{
        'E', 'x', 'i', 'f', 0,  0, 'M', 'M', 0, 42, 0, 0, 0,
        8,   0,   1,   1,   18, 0, 3,   0,   0, 0,  1, 0, static_cast<JOCTET>(options.orientation),
        0,   0,   0,   0,   0,  0};
    jpeg_write_marker(&codec, JPEG_APP0 + 1, exif.data(), static_cast<unsigned>(exif.size()));
  }
  std::vector<JSAMPLE> row(static_cast<std::size_t>(image.w * codec.input_components));
  for (std::int64_t y = 0; y < image.h; ++y) {
    for (std::size_t x = 0; x < static_cast<std::size_t>(image.w); ++x) {
      const std::uint8_t* rgb = image.rgb.data() + 3 * (static_cast<std::size_t>(y * image.w) + x);
      if (grey) {
        row[x] = rgb[0];
      } else if (cmyk) {
        for (std::size_t c = 0; c < 3; ++c) row[4 * x + c] = static_cast<JSAMPLE>(255 - rgb[c]);
        row[4 * x + 3] = 200;
      } else {
        for (std::size_t c = 0; c < 3; ++c) row[3 * x + c] = rgb[c];
      }
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&codec, &rows, 1);
  }
  jpeg_finish_compress(&codec);
  const auto data = std::as_bytes(std::span(bytes, size));
  std::vector<std::byte> file(data.begin(), data.end());
  jpeg_destroy_compress(&codec);
  std::free(bytes);
  return file;
}

// Random pixels: the hardest image for code that mixes neighbouring pixels.
inline Image noise(Size size, std::uint64_t seed, double low = 0, double high = 255) {
  Image image = blank(size);
  const Philox numbers(seed, stream_of("noise"));
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<std::uint8_t>(low + (high - low) * numbers.uniform(i) + 0.5);
  }
  return image;
}

}  // namespace effnet::vision::testkit

// Any input gives a part of a JPEG or throws Error(input). The input's last four bytes choose the part, its length
// chooses the reduction. Bytes after the JPEG belong to no segment, so the fuzzer can vary both without changing the
// JPEG.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using effnet::vision::JpegFile;
  const auto byte = [&](std::size_t from_end) -> std::int64_t {
    return from_end < size ? data[size - 1 - from_end] : 0;
  };
  try {
    JpegFile jpeg(std::as_bytes(std::span(data, size)), {.max_pixels = 1 << 18});
    const effnet::Size whole = jpeg.size();
    const std::int64_t top = byte(0) * whole.h / 256, left = byte(1) * whole.w / 256;
    const effnet::Size part{1 + byte(2) * (whole.h - top - 1) / 255, 1 + byte(3) * (whole.w - left - 1) / 255};
    const int reduction = 1 << size % 4;
    const auto [image, box] = jpeg.read({top, left, part}, reduction);
    const bool covers =
        box.x0 >= 0 && box.y0 >= 0 && box.x1 <= static_cast<double>(image.w) && box.y1 <= static_cast<double>(image.h);
    if (static_cast<std::int64_t>(image.rgb.size()) != 3 * image.h * image.w || image.rgb.empty() || !covers) {
      std::abort();
    }
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) std::abort();
  }
  return 0;
}

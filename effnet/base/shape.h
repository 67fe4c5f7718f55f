// Sizes of images and activations. Public interfaces use NCHW; the engine uses its own layout inside
// (effnet/tensor/blocked.h).
#pragma once

#include <cstdint>

namespace effnet {

struct Size {  // height and width in pixels
  std::int64_t h = 0;
  std::int64_t w = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

struct Chw {  // shape of one image's activation: channels, height, width
  std::int64_t c = 0;
  std::int64_t h = 0;
  std::int64_t w = 0;
  std::int64_t numel() const noexcept { return c * h * w; }
  std::int64_t pixels() const noexcept { return h * w; }
  friend bool operator==(const Chw&, const Chw&) = default;
};

}  // namespace effnet

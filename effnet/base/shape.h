// Sizes of images and activations. Everything in effnet that holds activations is NCHW in this text; engines choose
// their own layouts inside.
#pragma once

#include <cstdint>

namespace effnet {

struct Size {  // height and width in pixels
  std::int64_t h = 0;
  std::int64_t w = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

struct Chw {  // one image's activation: channels, height, width
  std::int64_t c = 0;
  std::int64_t h = 0;
  std::int64_t w = 0;
  std::int64_t numel() const noexcept { return c * h * w; }
  std::int64_t pixels() const noexcept { return h * w; }
  friend bool operator==(const Chw&, const Chw&) = default;
};

}  // namespace effnet

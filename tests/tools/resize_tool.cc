// resize_tool IN FILTER WxH OUT.png [X0,Y0,X1,Y1]: applies vision::resize to one image.
// tests/integration/test_resize_pillow.py compares the result with Pillow's.
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/resize.h"

int main(int argc, char** argv) {
  long long w = 0, h = 0;
  effnet::vision::Box box;
  std::optional<effnet::vision::Box> part;
  if (argc == 6 && std::sscanf(argv[5], "%lf,%lf,%lf,%lf", &box.x0, &box.y0, &box.x1, &box.y1) == 4) part = box;
  if (argc < 5 || argc > 6 || (argc == 6 && !part) || std::sscanf(argv[3], "%lldx%lld", &w, &h) != 2) {
    std::fprintf(stderr, "usage: resize_tool IN FILTER WxH OUT.png [X0,Y0,X1,Y1]\n");
    return 2;
  }
  try {
    const auto image = effnet::vision::read_image(argv[1], {.apply_orientation = false});
    const auto result = effnet::vision::resize(image, {h, w}, effnet::filter_named(argv[2]), part);
    effnet::write_bytes(argv[4], effnet::vision::encode_png(result));
  } catch (const effnet::Error& error) {
    std::fprintf(stderr, "resize_tool: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}

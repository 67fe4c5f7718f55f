#include "effnet/vision/draw_grid.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

Image red(Size size) {
  Image image = blank(size);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) image.rgb[i] = 255;
  return image;
}

std::int64_t count(const Image& image, std::array<int, 3> colour) {
  std::int64_t pixels = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3)
    pixels += image.rgb[i] == colour[0] && image.rgb[i + 1] == colour[1] && image.rgb[i + 2] == colour[2] ? 1 : 0;
  return pixels;
}

TEST(DrawGrid, HasEveryImageTextAndTheLegend) {
  Grid grid{.titles = {"image", "a model with a name that is far too long for a cell"}, .rows = {}};
  grid.rows.push_back({{red({240, 100}), {}}, {red({30, 240}), {"tulip", "93.1 %"}}});
  grid.rows.push_back({{red({1, 1}), {}}, {red({240, 240}), {"rose"}}});
  const Image image = draw_grid(grid);
  EXPECT_EQ(image.w, 12 + 2 * 252);
  EXPECT_EQ(count(image, {255, 0, 0}), 240 * 100 + 30 * 240 + 1 + 240 * 240);
  EXPECT_GT(count(image, {0, 0, 0}), 1000);   // texts
  EXPECT_GT(count(image, {196, 18, 22}), 0);  // the hottest colour of the legend
  EXPECT_EQ(draw_grid(grid), image);
}

TEST(DrawGrid, RefusesWrongGrids) {
  EXPECT_THROW(draw_grid({}), Error);
  EXPECT_THROW(draw_grid({.titles = {"a"}, .rows = {{}}}), Error);
  EXPECT_THROW(draw_grid({.titles = {"a"}, .rows = {{{red({241, 1}), {}}}}}), Error);
}

}  // namespace
}  // namespace effnet::vision

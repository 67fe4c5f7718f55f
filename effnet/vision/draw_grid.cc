#include "effnet/vision/draw_grid.h"

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/draw_text.h"

namespace effnet::vision {
namespace {

constexpr std::int64_t kGap = 12, kScale = 2, kLine = 20;  // pixels; kScale: of the font

void paste(Image& onto, const Image& image, std::int64_t top, std::int64_t left) {
  for (std::int64_t y = 0; y < image.h; ++y)
    std::copy_n(image.rgb.begin() + 3 * y * image.w, 3 * image.w, onto.rgb.begin() + 3 * ((top + y) * onto.w + left));
}

void draw_legend(Image& image, std::int64_t top) {
  constexpr std::string_view kLow = "low", kHigh = "high";
  const std::int64_t low = text_size(kLow, kScale).w, bar = std::min<std::int64_t>(kGridCell / 2, image.w / 3);
  draw_text(image, top, kGap, kLow, kScale);
  paste(image, heat_scale({text_size(kLow, kScale).h, bar}), top, 2 * kGap + low);
  draw_text(image, top, 3 * kGap + low + bar, kHigh, kScale);
}

}  // namespace

Image draw_grid(const Grid& grid) {
  const auto columns = static_cast<std::int64_t>(grid.titles.size());
  const auto rows = static_cast<std::int64_t>(grid.rows.size());
  EFFNET_CHECK(rows > 0 && columns > 0 && rows * columns <= kMaxGridCells);
  // The height of each row: its highest image and its longest text.
  std::vector<std::int64_t> images_h, heights;
  std::int64_t total = 0;
  for (const std::vector<GridCell>& row : grid.rows) {
    EFFNET_CHECK(row.size() == grid.titles.size());
    std::int64_t image_h = 0, lines = 0;
    for (const GridCell& cell : row) {
      EFFNET_CHECK(cell.image.h <= kGridCell && cell.image.w <= kGridCell);
      image_h = std::max(image_h, cell.image.h);
      lines = std::max(lines, static_cast<std::int64_t>(cell.lines.size()));
    }
    images_h.push_back(image_h);
    heights.push_back(image_h + kGap / 2 + lines * kLine + kGap);
    total += heights.back();
  }
  const std::int64_t first_row = kGap + kLine;
  Image image = blank({first_row + total + kLine + kGap, kGap + columns * (kGridCell + kGap)});
  std::ranges::fill(image.rgb, std::uint8_t{255});
  const auto left_of = [](std::size_t column) { return kGap + static_cast<std::int64_t>(column) * (kGridCell + kGap); };
  for (std::size_t c = 0; c < grid.titles.size(); ++c)
    draw_text(image, kGap, left_of(c), shortened(grid.titles[c], kGridCell, kScale), kScale);
  std::int64_t top = first_row;
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    for (std::size_t c = 0; c < grid.rows[r].size(); ++c) {
      const GridCell& cell = grid.rows[r][c];
      paste(image, cell.image, top + (images_h[r] - cell.image.h) / 2, left_of(c) + (kGridCell - cell.image.w) / 2);
      std::int64_t below = top + images_h[r] + kGap / 2;
      for (const std::string& line : cell.lines) {
        draw_text(image, below, left_of(c), shortened(line, kGridCell, kScale), kScale);
        below += kLine;
      }
    }
    top += heights[r];
  }
  draw_legend(image, top);
  return image;
}

}  // namespace effnet::vision

// A grid of images with texts under them, such as class activation maps of several models (Tan & Le 2019, Figure 7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

inline constexpr std::int64_t kGridCell = 240;  // pixels: width and height of a cell without its text
inline constexpr std::int64_t kMaxGridCells = 1000;

struct GridCell {
  Image image;                     // at most kGridCell high and wide; drawn in the middle of the cell
  std::vector<std::string> lines;  // drawn under the image; too long ones are shortened
};

struct Grid {
  std::vector<std::string> titles;          // one for each column
  std::vector<std::vector<GridCell>> rows;  // as many cells as titles in each
};

// Draws the grid on white, with a legend of the heat colours from "low" to "high" below it. Requires at least one row
// and one column, and at most kMaxGridCells cells.
Image draw_grid(const Grid& grid);

}  // namespace effnet::vision

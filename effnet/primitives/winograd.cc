#include "effnet/primitives/winograd.h"

#include <algorithm>
#include <array>
#include <vector>

namespace effnet::primitives {
namespace {

using kernels::kBlock;

// Consecutive tiles of one row: the tiles [x, x + count) of tile row y of an image. `done` tiles of the whole range are
// in earlier rows.
struct TileRange {
  std::int64_t image, y, x, count, done;
};

template <class Body>
void for_each_row(const WinogradTiles& tiles, std::int64_t first, std::int64_t count, const Body& body) {
  const std::int64_t across = tiles.across(), down = tiles.down();
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t at = first + done, x = at % across;
    const std::int64_t tiles_of_row = std::min(across - x, count - done);
    body(TileRange{at / across / down, at / across % down, x, tiles_of_row, done});
    done += tiles_of_row;
  }
}

// Returns G g G^T * scale, with G = [1 0 0; .5 .5 .5; .5 -.5 .5; 0 0 1].
std::array<float, kWinogradPositions> transformed(const float* g, double scale) {
  double rows[4][3];
  for (int c = 0; c < 3; ++c) {
    rows[0][c] = g[c];
    rows[1][c] = 0.5 * (double{g[c]} + g[3 + c] + g[6 + c]);
    rows[2][c] = 0.5 * (double{g[c]} - g[3 + c] + g[6 + c]);
    rows[3][c] = g[6 + c];
  }
  std::array<float, kWinogradPositions> result{};
  for (std::size_t r = 0; r < 4; ++r) {
    const double u[4] = {rows[r][0], 0.5 * (rows[r][0] + rows[r][1] + rows[r][2]),
                         0.5 * (rows[r][0] - rows[r][1] + rows[r][2]), rows[r][2]};
    for (std::size_t c = 0; c < 4; ++c) result[4 * r + c] = static_cast<float>(u[c] * scale);
  }
  return result;
}

}  // namespace

void pack_winograd(const PackedShape& shape, std::span<const float> weight, std::span<const double> scale, float* to) {
  std::vector<std::array<float, kWinogradPositions>> windows(weight.size() / 9);  // [channel][depth]
  for (std::size_t i = 0; i < windows.size(); ++i) {
    windows[i] = transformed(weight.data() + i * 9, scale[i / static_cast<std::size_t>(shape.depth)]);
  }
  for (std::size_t position = 0; position < kWinogradPositions; ++position) {
    float* const matrix = to + static_cast<std::int64_t>(position) * shape.values();
    for (std::int64_t i = 0; i < shape.panels(); ++i) {
      pack_panel(shape, i, matrix, [&](std::int64_t k, std::int64_t channel, std::int64_t count, float* row) {
        for (std::int64_t n = 0; n < count; ++n)
          row[n] = windows[static_cast<std::size_t>((channel + n) * shape.depth + k)][position];
      });
    }
  }
}

void winograd_input(const kernels::KernelSet& set, const WinogradTiles& tiles, const float* in, const float* zeros,
                    std::int64_t first, std::int64_t count, float* to) noexcept {
  const Chw& chw = tiles.in.chw;
  kernels::WinogradInputArgs args{};
  args.width = chw.w;
  args.position = tiles.in.blocks() * count * kBlock;
  for (std::int64_t b = 0; b < tiles.in.blocks(); ++b) {
    const float* const block = in + b * tiles.in.block_values();
    for_each_row(tiles, first, count, [&](const TileRange& range) {
      for (std::int64_t r = 0; r < 4; ++r) {
        const std::int64_t row = 2 * range.y - tiles.top + r;
        args.rows[r] = row < 0 || row >= chw.h ? zeros : block + (range.image * chw.h + row) * chw.w * kBlock;
      }
      args.x = 2 * range.x - tiles.left;
      args.tiles = range.count;
      args.out = to + (b * count + range.done) * kBlock;
      set.winograd_input(args);
    });
  }
}

void winograd_output(const kernels::KernelSet& set, const WinogradTiles& tiles, const WinogradOutput& output,
                     std::int64_t first, std::int64_t count) noexcept {
  const Chw& chw = tiles.out.chw;
  kernels::WinogradOutputArgs args{};
  args.position = output.position;
  args.bias = output.bias;
  args.low = output.activation.low;
  args.high = output.activation.high;
  for_each_row(tiles, first, count, [&](const TileRange& range) {
    for (std::int64_t r = 0; r < 2; ++r) {
      const std::int64_t row = 2 * range.y + r;
      const std::int64_t at = ((range.image * chw.h + row) * chw.w + 2 * range.x) * kBlock;
      args.rows[r] = row < chw.h ? output.out + at : nullptr;
      args.residual[r] = output.residual == nullptr ? nullptr : output.residual + at;
    }
    args.in = output.in + range.done * kBlock;
    args.tiles = range.count;
    args.width = chw.w - 2 * range.x;
    set.winograd_output[static_cast<std::size_t>(output.activation.epilogue)](args);
  });
}

}  // namespace effnet::primitives

// The transforms of Winograd's F(2x2, 3x3) (Lavin and Gray 2016), written once for all instruction sets.
#pragma once

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// Computes B^T d B for each tile d, with B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1].
void winograd_input(const WinogradInputArgs& args) noexcept {
  for (std::int64_t t = 0; t < args.tiles; ++t) {
    const std::int64_t x = args.x + 2 * t;
    Wide columns[4][4];  // B^T d: [row][column]
    for (std::int64_t c = 0; c < 4; ++c) {
      Wide d[4];
      const bool inside = x + c >= 0 && x + c < args.width;
      for (int r = 0; r < 4; ++r) d[r] = inside ? load<Wide>(args.rows[r] + (x + c) * kBlock) : broadcast<Wide>(0);
      columns[0][c] = sub(d[0], d[2]);
      columns[1][c] = add(d[1], d[2]);
      columns[2][c] = sub(d[2], d[1]);
      columns[3][c] = sub(d[1], d[3]);
    }
    float* const out = args.out + t * kBlock;
    for (int r = 0; r < 4; ++r) {
      store(out + (4 * r + 0) * args.position, sub(columns[r][0], columns[r][2]));
      store(out + (4 * r + 1) * args.position, add(columns[r][1], columns[r][2]));
      store(out + (4 * r + 2) * args.position, sub(columns[r][2], columns[r][1]));
      store(out + (4 * r + 3) * args.position, sub(columns[r][1], columns[r][3]));
    }
  }
}

// Computes epilogue(A^T m A + bias + residual) for each tile m, with A^T = [1 1 1 0; 0 1 -1 -1].
template <Epilogue E>
void winograd_output(const WinogradOutputArgs& args) noexcept {
  const Wide bias = load<Wide>(args.bias), low = broadcast<Wide>(args.low), high = broadcast<Wide>(args.high);
  for (std::int64_t t = 0; t < args.tiles; ++t) {
    const float* const in = args.in + t * kBlock;
    Wide rows[2][4];
    for (int c = 0; c < 4; ++c) {
      const Wide m0 = load<Wide>(in + c * args.position), m1 = load<Wide>(in + (4 + c) * args.position);
      const Wide m2 = load<Wide>(in + (8 + c) * args.position), m3 = load<Wide>(in + (12 + c) * args.position);
      rows[0][c] = add(add(m0, m1), m2);
      rows[1][c] = sub(sub(m1, m2), m3);
    }
    for (int r = 0; r < 2; ++r) {
      if (args.rows[r] == nullptr) continue;
      const Wide sums[2] = {add(add(rows[r][0], rows[r][1]), rows[r][2]), sub(sub(rows[r][1], rows[r][2]), rows[r][3])};
      for (std::int64_t c = 0; c < 2 && 2 * t + c < args.width; ++c) {
        const std::int64_t at = (2 * t + c) * kBlock;
        Wide value = add(sums[c], bias);
        if (args.residual[r] != nullptr) value = add(value, load<Wide>(args.residual[r] + at));
        store(args.rows[r] + at, apply_epilogue<E>(value, low, high));
      }
    }
  }
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET

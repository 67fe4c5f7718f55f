// The kernels' slow twins: the same arguments, one loop for one formula of kernels.h, sums in double in that formula's
// order, exponentials of libm. What kernels are tested against, and what to read first about one. Sums over pixels stay
// in float: there the order is part of the promise, so kernels give the same bits.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::kernels::reference {

double epilogue(Epilogue kind, double x, float low, float high);  // NaN gives NaN
double sigmoid(double x);

void gemm(const GemmArgs& args, std::int64_t pixels, std::int64_t lanes, Epilogue kind);
void depthwise(const DepthwiseArgs& args, std::int64_t kernel, std::int64_t stride, std::int64_t lanes, Epilogue kind);
// magnitudes: as below.
void depthwise_pair(const DepthwisePairArgs& args, std::int64_t kernel, std::int64_t lanes, Epilogue kind,
                    bool magnitudes = false);
void max_pool(const PoolArgs& args);  // NaN passes
void average_pool(const PoolArgs& args);
void map(const MapArgs& args, Epilogue kind);
void map_sigmoid(const MapArgs& args);
void sum(const float* in, std::int64_t pixels, float* sums);
void scale_rows(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to);

// Winograd's F(2x2, 3x3): Y = A^T [(G g G^T) . (B^T d B)] A makes 2x2 outputs of 4x4 inputs d and 3x3 weights g.
inline constexpr double kWinogradInput[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};  // B^T
inline constexpr double kWinogradWeight[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};   // G
inline constexpr double kWinogradOutput[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};                              // A^T

template <std::size_t N>
using Square = std::array<std::array<double, N>, N>;

// M x M^T or, with `magnitudes`, |M| |x| |M|^T: what rounding errors are measured by. Terms of a zero coefficient do
// not count, so NaN goes only where it belongs.
template <std::size_t N, std::size_t K>
Square<N> transform(const double (&matrix)[N][K], const Square<K>& x, bool magnitudes = false) {
  Square<N> result{};
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = 0; j < N; ++j) {
      for (std::size_t r = 0; r < K; ++r) {
        for (std::size_t c = 0; c < K; ++c) {
          const double factor = matrix[i][r] * matrix[j][c];
          if (factor != 0) result[i][j] += magnitudes ? std::abs(factor * x[r][c]) : factor * x[r][c];
        }
      }
    }
  }
  return result;
}

// magnitudes: the sum of all terms' absolute values, bias and residual among them, without epilogue.
void winograd_input(const WinogradInputArgs& args, bool magnitudes = false);
void winograd_output(const WinogradOutputArgs& args, Epilogue kind, bool magnitudes = false);

}  // namespace effnet::kernels::reference

// Reference implementations of the kernels, with which the tests compare the kernels. A reference has the same
// arguments as the kernel, one plain loop per formula of kernels.h, and sums in double in the order of the formula;
// exponentials come from libm. To understand a kernel, read its reference first. Only sums over pixels are in float:
// their order is specified, so a kernel must give the same bits.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::kernels::reference {

double epilogue(Epilogue kind, double x, float low, float high);  // NaN if x is NaN
double sigmoid(double x);

void gemm(const GemmArgs& args, std::int64_t pixels, std::int64_t lanes, Epilogue kind);
void depthwise(const DepthwiseArgs& args, std::int64_t kernel, std::int64_t stride, std::int64_t lanes, Epilogue kind);
// For `magnitudes`, see winograd_input() below.
void depthwise_pair(const DepthwisePairArgs& args, std::int64_t kernel, std::int64_t lanes, Epilogue kind,
                    bool magnitudes = false);
void max_pool(const PoolArgs& args);  // NaN if a tap is NaN
void average_pool(const PoolArgs& args);
void map(const MapArgs& args, Epilogue kind);
void map_sigmoid(const MapArgs& args);
void sum(const float* in, std::int64_t pixels, float* sums);
void scale_rows(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to);

// Winograd's F(2x2, 3x3): Y = A^T [(G g G^T) . (B^T d B)] A computes 2x2 outputs from 4x4 inputs d and 3x3
// weights g.
inline constexpr double kWinogradInput[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};  // B^T
inline constexpr double kWinogradWeight[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};   // G
inline constexpr double kWinogradOutput[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};                              // A^T

template <std::size_t N>
using Square = std::array<std::array<double, N>, N>;

// Computes M x M^T. With `magnitudes`: |M| |x| |M|^T, which bounds the rounding errors. Terms with a zero coefficient
// are skipped, so that NaN reaches only the results that depend on it.
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

// With `magnitudes`, computes the sum of the absolute values of all terms instead, including bias and residual. The
// activation is not applied then.
void winograd_input(const WinogradInputArgs& args, bool magnitudes = false);
void winograd_output(const WinogradOutputArgs& args, Epilogue kind, bool magnitudes = false);

}  // namespace effnet::kernels::reference

#include "effnet/data/mix.h"

#include <algorithm>
#include <cmath>

namespace effnet::data {
namespace {

// Returns the logarithm of a random number with the distribution Gamma(shape, 1). It draws from Gamma(shape + 1, 1)
// (Marsaglia and Tsang 2000) and uses Gamma(a) = Gamma(a + 1) * U^(1 / a), where U is uniform in (0, 1). Logarithms are
// used because U^(1 / a) underflows for the usual small alphas.
double log_gamma_variate(double shape, Draws& draws) {
  const double d = shape + 1 - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  double log_value = 0;
  while (true) {
    const double x = draws.normal();
    const double cube = 1 + c * x;
    // uniform() returns a multiple of 2^-24. Adding 2^-25 gives the centre of its interval, which is above 0.
    const double u = draws.uniform() + 0x1p-25;
    if (cube <= 0) continue;
    const double v = cube * cube * cube;
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      log_value = std::log(d * v);
      break;
    }
  }
  return log_value + std::log(draws.uniform() + 0x1p-25) / shape;
}

}  // namespace

double draw_beta(double alpha, Draws& draws) {
  const double a = log_gamma_variate(alpha, draws);
  const double b = log_gamma_variate(alpha, draws);
  return 1 / (1 + std::exp(b - a));
}

Mix draw_mix(double mixup_alpha, double cutmix_alpha, Size image, const RandomKey& key) {
  Mix mix;
  if (mixup_alpha <= 0 && cutmix_alpha <= 0) return mix;
  const bool cut = cutmix_alpha > 0 && (mixup_alpha <= 0 || Draws(key, "mix").chance(0.5));
  Draws draws(key, cut ? "cutmix" : "mixup");
  const double lambda = draw_beta(cut ? cutmix_alpha : mixup_alpha, draws);
  if (!cut) {
    mix.kind = Mix::Kind::mixup;
    mix.lambda = static_cast<float>(lambda);
    return mix;
  }
  mix.kind = Mix::Kind::cutmix;
  const double side = std::sqrt(1 - lambda);
  const auto span_of = [&](std::int64_t n, std::int64_t& begin, std::int64_t& length) {
    const auto box = static_cast<std::int64_t>(static_cast<double>(n) * side);
    const std::int64_t centre = draws.below(n);
    begin = std::max<std::int64_t>(centre - box / 2, 0);
    length = std::min(centre - box / 2 + box, n) - begin;
  };
  span_of(image.h, mix.top, mix.box.h);
  span_of(image.w, mix.left, mix.box.w);
  mix.lambda =
      static_cast<float>(1 - static_cast<double>(mix.box.h * mix.box.w) / static_cast<double>(image.h * image.w));
  return mix;
}

void mix_pair(const Mix& mix, Size image, std::span<float> a, std::span<float> b) {
  if (mix.kind == Mix::Kind::cutmix) {
    for (std::int64_t y = mix.top; y < mix.top + mix.box.h; ++y) {
      const auto begin = static_cast<std::ptrdiff_t>(3 * (y * image.w + mix.left));
      std::swap_ranges(a.begin() + begin, a.begin() + begin + static_cast<std::ptrdiff_t>(3 * mix.box.w),
                       b.begin() + begin);
    }
  } else if (mix.kind == Mix::Kind::mixup) {
    const float own = mix.lambda, other = 1 - mix.lambda;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float x = a[i], y = b[i];
      a[i] = own * x + other * y;
      b[i] = own * y + other * x;
    }
  }
}

}  // namespace effnet::data

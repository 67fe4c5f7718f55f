#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

// The smallest of 1, 2, 5 times a power of ten that is at least `least`.
double nice_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int about) {
  EFFNET_CHECK(low <= high && about > 0);
  // If the difference is close to the precision of double, there is only one tick.
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) return {low};
  const double step = nice_step((high - low) / about);
  std::vector<double> ticks;
  const double slack = 1e-9 * step;
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i) ticks.push_back(i * step + 0.0);
  return ticks;
}

std::vector<double> nice_log_ticks(double low, double high, int about) {
  EFFNET_CHECK(0 < low && low <= high && about > 0);
  const double decades = std::log10(high) - std::log10(low);
  if (decades < 0.7) return nice_ticks(low, high, about);
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  const int every = std::max(1, static_cast<int>(std::ceil(decades / about)));  // decades per tick
  const bool between = decades < 0.5 * about;  // whether 2 and 5 times a power of ten are ticks too
  for (int power = first; power <= last; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && !between) continue;
      if (factor == 1 && power % every != 0) continue;
      const double tick = factor * std::pow(10, power);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks.empty() ? std::vector<double>{low} : ticks;
}

std::string tick_text(double value, double step) {
  std::string text;
  if (value == 0) return "0";
  const double size = std::abs(value);
  step = std::abs(step);
  if (size != 0 && (size >= 1e7 || size < 1e-4 || step < 1e-5)) {
    text = fmt::format("{:.{}g}", value,
                       std::clamp(static_cast<int>(std::ceil(std::log10(size / step) - 1e-9)) + 1, 1, 8));
    // 1e-06 becomes 1e-6
    const std::size_t exponent = text.find('e');
    if (exponent != std::string::npos) {
      std::size_t at = exponent + 1;
      if (text[at] == '+') text.erase(at, 1);
      if (text[at] == '-') ++at;
      while (at + 1 < text.size() && text[at] == '0') text.erase(at, 1);
    }
  } else if (step >= 1 && value == std::round(value)) {
    text = grouped(static_cast<std::int64_t>(value));
  } else {
    // The text has as many decimals as the step: two for the step 0.25.
    int digits = 0;
    for (double scaled = step; digits < 6 && std::abs(scaled - std::round(scaled)) > 1e-6 * scaled; scaled *= 10)
      ++digits;
    text = fmt::format("{:.{}f}", value, digits);
  }
  if (text.starts_with('-')) text.replace(0, 1, "\xE2\x88\x92");  // the minus sign
  return text;
}

}  // namespace effnet::report

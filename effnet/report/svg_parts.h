// Helpers of the plots. For use inside effnet/report only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "effnet/report/html.h"

namespace effnet::report {

// Estimates the width of a text, because only the browser knows the exact width. The estimate of 0.58 of the font size
// per letter is more than the average of common sans-serif fonts, so texts fit.
inline double text_width(std::string_view text, double font) {
  const auto letters =
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return 0.58 * font * static_cast<double>(letters);
}

// Returns a length as text, rounded to tenths, without a trailing ".0".
inline std::string px(double value) {
  const double tenths = std::round(value * 10) / 10;
  return fmt::format("{}", tenths == 0 ? 0.0 : tenths);
}

inline std::string svg_begin(double width, double height, std::string_view title, std::string_view kind) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" class=\"{}\" role=\"img\" aria-label=\"{}\">", px(width), px(height),
                     kind, escaped(title));
}

}  // namespace effnet::report

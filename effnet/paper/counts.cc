#include "effnet/paper/counts.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/graph/lower.h"

namespace effnet::paper {

arch::ArchSpec spec_of(const Network& network) {
  const arch::ArchSpec& base = arch::variant(network.base).spec;
  const std::int64_t resolution = network.resolution == 0 ? base.resolution : network.resolution;
  if (network.depth == 1 && network.width == 1 && resolution == base.resolution) return base;
  return arch::scaled(base, network.depth, network.width, resolution);
}

graph::Costs costs_of(const arch::ArchSpec& spec, std::optional<std::int64_t> classes) {
  return graph::costs(graph::lower(spec, {.resolution = {}, .classes = classes}));
}

PrintedNumber parse_printed(std::string_view text) {
  std::string digits;
  std::size_t at = 0;
  int decimals = 0;
  for (bool fraction = false; at < text.size(); ++at) {
    const char c = text[at];
    if (c == ',') continue;
    if (c == '.') {
      fraction = true;
    } else if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
      break;
    } else if (fraction) {
      ++decimals;
    }
    digits += c;
  }
  double factor = 1;
  const std::string_view suffix = text.substr(at);
  if (suffix == "M") factor = 1e6;
  if (suffix == "B" || suffix == "G") factor = 1e9;
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code != std::errc{} || end != digits.data() + digits.size() || (factor == 1 && !suffix.empty() && suffix != "x"))
    throw internal_error("not a printed number: {}", in_quotes(text));
  return {value * factor, factor * std::pow(10, -decimals)};
}

std::string in_billions(std::int64_t number) {
  const auto value = static_cast<double>(number);
  return value < 1e8 ? fmt::format("{:.2f}M", value / 1e6) : fmt::format("{:.3f}B", value / 1e9);
}

std::string disagreement(std::string_view what, Text printed, std::int64_t computed) {
  if (printed == nullptr) return {};
  const PrintedNumber number = parse_printed(printed);
  const double difference = static_cast<double>(computed) - number.value;
  if (std::abs(difference) <= number.unit) return {};
  return fmt::format("{}: {} computed, {:.1f} % {} the printed {}.", what, in_billions(computed),
                     100 * std::abs(difference) / number.value, difference < 0 ? "below" : "above", printed);
}

std::string joined(std::initializer_list<std::string> sentences) {
  std::string out;
  for (const std::string& one : sentences) {
    if (one.empty()) continue;
    out += (out.empty() ? "" : " ") + one;
  }
  return out;
}

Value value_of(Text printed) { return printed == nullptr ? Value() : Value(std::string(printed)); }
Value note_of(const std::string& words) { return words.empty() ? Value() : Value(words); }

}  // namespace effnet::paper

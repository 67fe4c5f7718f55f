#include "effnet/report/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "effnet/base/text.h"

namespace effnet::report {
namespace {

// Returns false if the whole text is not one number.
template <class Number>
bool read_number(const std::string& text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

template <class Number>
std::string shortest_text(Number value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 32> text;  // the longest number has 24 characters: -2.2250738585072014e-308
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace

std::string shortest(float value) { return shortest_text(value); }
std::string shortest(double value) { return shortest_text(value); }

CsvReader::CsvReader(std::string_view text, std::string_view source, std::string_view header)
    : rows_(text, source, CsvRows::From::effnet) {
  std::vector<std::string> wanted;
  for (std::string_view left = header;;) {
    const std::size_t comma = left.find(',');
    wanted.emplace_back(left.substr(0, comma));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  if (!read_row())
    throw error(fmt::format("the header line is missing (got {} bytes, expected {})", text.size(), header));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::vector<std::string>& fields = rows_.fields();
    if (i < fields.size() && fields[i] == wanted[i]) continue;
    throw error(fmt::format("wrong column {} (got {}, expected {} as in {})", i + 1,
                            i < fields.size() ? in_quotes(fields[i]) : "none", wanted[i], header));
  }
  names_ = rows_.fields();
}

std::optional<std::size_t> CsvReader::find_column(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return {};
  return static_cast<std::size_t>(found - names_.begin());
}

bool CsvReader::next() {
  if (!read_row()) return false;
  if (rows_.fields().size() != names_.size())
    throw error(fmt::format("wrong number of fields (got {}, expected {})", rows_.fields().size(), names_.size()));
  return true;
}

bool CsvReader::read_row() { return rows_.next() && rows_.ended(); }

std::int64_t CsvReader::integer(std::size_t column, std::int64_t low, std::int64_t high) const {
  std::int64_t value = 0;
  if (!read_number(field(column), value) || value < low || value > high)
    throw bad_field(column, fmt::format("a whole number from {} to {}", low, high));
  return value;
}

double CsvReader::number(std::size_t column) const {
  double value = 0;
  if (!read_number(field(column), value)) throw bad_field(column, "a number");
  return value;
}

std::optional<double> CsvReader::optional_number(std::size_t column) const {
  if (field(column).empty()) return {};
  return number(column);
}

float CsvReader::probability(std::size_t column) const {
  // A probability may exceed 1 by a few rounding errors, because the softmax multiplies by the reciprocal of the sum.
  constexpr float kMaxProbability = 1 + 1e-5F;
  float value = 0;
  if (!read_number(field(column), value) || value < 0 || value > kMaxProbability)
    throw bad_field(column, "a number from 0 to 1");
  return value;
}

Error CsvReader::error(std::string_view message) const { return rows_.error(message); }

Error CsvReader::bad_field(std::size_t column, std::string_view expected) const {
  return error(
      fmt::format("{}: wrong value (got {}, expected {})", names_[column], in_quotes(field(column)), expected));
}

}  // namespace effnet::report

#include "effnet/report/csv.h"

#include <charconv>

#include "effnet/base/text.h"

namespace effnet::report {
namespace {

constexpr std::size_t kMostFieldBytes = std::size_t{64} << 10;
constexpr std::size_t kMostFields = 256;

// The whole text is one number.
template <class Number>
bool read_number(const std::string& text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string_view source, std::string_view header)
    : rest_(text), source_(source) {
  std::vector<std::string> wanted;
  for (std::string_view left = header;;) {
    const std::size_t comma = left.find(',');
    wanted.emplace_back(left.substr(0, comma));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  line_ = 1;
  if (!read_row()) throw error(fmt::format("no first line (got {} bytes, expected {})", text.size(), header));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i < fields_.size() && fields_[i] == wanted[i]) continue;
    throw error(fmt::format("wrong column {} (got {}, expected {} in {})", i + 1,
                            i < fields_.size() ? in_quotes(fields_[i]) : "none", wanted[i], header));
  }
  names_ = fields_;
}

bool CsvReader::next() {
  if (!read_row()) return false;
  if (fields_.size() != names_.size())
    throw error(fmt::format("wrong number of fields (got {}, expected {})", fields_.size(), names_.size()));
  return true;
}

bool CsvReader::read_row() {
  fields_.assign(1, {});
  line_ = next_line_;
  bool quoted = false, closed = false;  // inside of quotes; just after them
  for (std::size_t at = 0; at < rest_.size(); ++at) {
    const char c = rest_[at];
    std::string& field = fields_.back();
    if (c == '\n') ++next_line_;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (at + 1 < rest_.size() && rest_[at + 1] == '"') {
        field += c;
        ++at;
      } else {
        quoted = false;
        closed = true;
      }
    } else if (c == '\n') {
      rest_.remove_prefix(at + 1);
      return true;
    } else if (c == '\r' && at + 1 < rest_.size() && rest_[at + 1] == '\n') {
      continue;
    } else if (c == ',') {
      if (fields_.size() == kMostFields)
        throw error(fmt::format("too many fields (got more than {0}, expected at most {0})", kMostFields));
      fields_.emplace_back();
      closed = false;
    } else if (closed || (c == '"' && !field.empty())) {
      throw error(fmt::format("field {}: a quote in the middle (expected \"...\" around all of it)", fields_.size()));
    } else if (c == '"') {
      quoted = true;
    } else {
      field += c;
    }
    if (fields_.back().size() > kMostFieldBytes)
      throw error(fmt::format("field {} is too long (got more than {} bytes)", fields_.size(), kMostFieldBytes));
  }
  // The end of the file within a row. A quote that swallowed whole lines is damage, not a torn line.
  if (quoted && next_line_ > line_) throw error(fmt::format("field {}: a quote that never ends", fields_.size()));
  rest_ = {};
  return false;
}

std::int64_t CsvReader::integer(std::size_t column, std::int64_t low, std::int64_t high) const {
  std::int64_t value = 0;
  if (!read_number(fields_[column], value) || value < low || value > high)
    throw bad_field(column, fmt::format("a whole number from {} to {}", low, high));
  return value;
}

double CsvReader::number(std::size_t column) const {
  double value = 0;
  if (!read_number(fields_[column], value)) throw bad_field(column, "a number");
  return value;
}

std::optional<double> CsvReader::maybe_number(std::size_t column) const {
  if (fields_[column].empty()) return {};
  return number(column);
}

float CsvReader::probability(std::size_t column) const {
  // A softmax by the reciprocal of its sum may end a few roundings above 1.
  constexpr float kMost = 1 + 1e-5F;
  float value = 0;
  if (!read_number(fields_[column], value) || value < 0 || value > kMost) throw bad_field(column, "0 to 1");
  return value;
}

Error CsvReader::error(std::string_view message) const { return input_error("{}:{}: {}", source_, line_, message); }

Error CsvReader::bad_field(std::size_t column, std::string_view expected) const {
  return error(
      fmt::format("{}: wrong value (got {}, expected {})", names_[column], in_quotes(fields_[column]), expected));
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace effnet::report

#include "effnet/base/lines.h"

#include <algorithm>

#include "effnet/base/text.h"

namespace effnet {
namespace {

constexpr std::size_t kMaxFieldBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxFields = 256;
constexpr std::string_view kBlanks = " \t\r\n";

void check_utf16(std::string_view text, std::string_view source) {
  if (!text.starts_with("\xff\xfe") && !text.starts_with("\xfe\xff")) return;
  throw input_error("{}: the text is UTF-16 (expected UTF-8)", source)
      .with_hint(
          fmt::format("save the file as UTF-8, or run: iconv -f UTF-16 -t UTF-8 {} > NEW", path_in_shell(source)));
}

char separator_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  for (const char c : {',', '\t', ';'}) {
    if (line.find(c) != std::string_view::npos) return c;
  }
  return ',';
}

}  // namespace

std::string_view without_bom(std::string_view text) { return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

std::vector<std::string_view> text_lines(std::string_view text, std::string_view source) {
  check_utf16(text, source);
  text = without_bom(text);
  const char end_of_line = text.find('\n') == std::string_view::npos ? '\r' : '\n';
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(end_of_line), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    lines.push_back(line);
    if (!is_utf8(line) || line.find('\0') != std::string_view::npos) {
      throw input_error("{}:{}: the line is not valid text (got {}, expected UTF-8)", source, lines.size(),
                        in_quotes(line))
          .with_hint(fmt::format("save the file as UTF-8; if its encoding is Western European, run: "
                                 "iconv -f CP1252 -t UTF-8 {} > NEW",
                                 path_in_shell(source)));
    }
  }
  return lines;
}

CsvRows::CsvRows(std::string_view text, std::string_view source, From from)
    : rest_(text), source_(source), from_(from) {
  check_utf16(text, source);
  rest_ = without_bom(rest_);
  if (from_ == From::people) separator_ = separator_of(rest_);
}

void CsvRows::end_field(bool quoted) {
  if (from_ == From::people && !quoted) fields_.back() = std::string(trimmed(fields_.back()));
}

bool CsvRows::next() {
  if (rest_.empty()) return false;
  const bool by_hand = from_ == From::people;
  fields_.assign(1, {});
  line_ = next_line_;
  ended_ = false;
  bool quoted = false, closed = false;  // quoted: inside quotes; closed: after the closing quote
  const auto is_padding = [&](char c) { return by_hand && c != separator_ && (c == ' ' || c == '\t'); };
  for (std::size_t at = 0; at < rest_.size(); ++at) {
    const char c = rest_[at];
    const char following = at + 1 < rest_.size() ? rest_[at + 1] : '\0';
    std::string& field = fields_.back();
    if (c == '\n') ++next_line_;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (following == '"') {
        field += c;
        ++at;
      } else {
        quoted = false;
        closed = true;
      }
    } else if ((c == '\r' && following == '\n') || (is_padding(c) && (closed || field.empty()))) {
      continue;
    } else if (c == '\n' || (c == '\r' && by_hand)) {
      if (c == '\r') ++next_line_;
      end_field(closed);
      rest_.remove_prefix(at + 1);
      ended_ = true;
      return true;
    } else if (c == separator_) {
      if (fields_.size() == kMaxFields)
        throw error(fmt::format("too many fields (got more than {0}, expected at most {0})", kMaxFields));
      end_field(closed);
      fields_.emplace_back();
      closed = false;
    } else if (c == '"' && field.empty() && !closed) {
      quoted = true;
    } else if (closed || (c == '"' && !by_hand)) {
      throw error(
          fmt::format("field {}: misplaced quote (expected quotes around the whole field, and \"\" for each quote "
                      "inside it)",
                      fields_.size()));
    } else {
      field += c;
    }
    if (fields_.back().size() > kMaxFieldBytes)
      throw error(fmt::format("field {} is too long (got more than {} bytes)", fields_.size(), kMaxFieldBytes));
  }
  // The file ends within a row. If effnet wrote the file, an interrupted write leaves such a row: the row is returned,
  // and ended() is false. A quoted field that is still open is an error with From::people, and with From::effnet if it
  // already contains a line end.
  if (quoted && (by_hand || next_line_ > line_))
    throw error(fmt::format("field {}: the closing quote is missing", fields_.size()));
  end_field(closed);
  rest_ = {};
  return true;
}

Error CsvRows::error(std::string_view message) const { return input_error("{}:{}: {}", source_, line_, message); }

std::string csv_field(std::string_view text) {
  const bool has_blank_ends = trimmed(text) != text;  // a reader of lists that people write removes them
  if (!has_blank_ends && text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace effnet

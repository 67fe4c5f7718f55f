#include "effnet/report/html.h"

#include <fmt/format.h>

#include <cstdint>

#include "effnet/base/base64.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // length of the character; 0: not UTF-8
};

// The first character of `text`, which must not be empty. Overlong forms and surrogates are not UTF-8 (RFC 3629).
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
  if (length == 0 || length > text.size()) return {};
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, length};
}

bool is_shown(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool direction = code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
                         (code >= 0x2066 && code <= 0x2069);
  const bool noncharacter = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF);
  return !control && !direction && !noncharacter;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    switch (c.bytes == 0 ? 0 : c.code) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
      case '\r':
      case '\t':
        out += ' ';
        break;
      default:
        if (c.bytes > 0 && is_shown(c.code)) {
          out += text.substr(0, c.bytes);
        } else {
          out += "\xEF\xBF\xBD";
        }
    }
    text.remove_prefix(c.bytes == 0 ? 1 : c.bytes);
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t max_characters) {
  std::size_t at = 0, last = 0;  // `last`: start of the previous character, which the ellipsis replaces
  for (std::size_t count = 0; at < text.size(); ++count) {
    if (count == max_characters) return std::string(text.substr(0, last)) + "\xE2\x80\xA6";
    last = at;
    const std::size_t bytes = first_character(text.substr(at)).bytes;
    at += bytes == 0 ? 1 : bytes;
  }
  return std::string(text);
}

std::string data_uri(std::string_view mime, std::span<const std::byte> bytes) {
  return fmt::format("data:{};base64,{}", mime, to_base64(bytes));
}

std::string page(std::string_view title, std::string_view head, const std::vector<Section>& sections) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n",
      escaped(title));
  for (const auto& [name, text] : embedded_style()) out += text;
  out += fmt::format("</style>\n</head>\n<body>\n<main>\n{}\n<nav>", head);
  for (const Section& section : sections)
    out += fmt::format("<a href=\"#{}\">{}</a>", section.id, escaped(section.title));
  out += "</nav>\n";
  for (const Section& section : sections) {
    out += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}\n</section>\n", section.id, escaped(section.title),
                       section.body);
  }
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace effnet::report

#include <charconv>
#include <map>

#include "effnet/base/error.h"
#include "effnet/report/svg.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

constexpr double kMargin = 24, kHeading = 34, kFont = 12, kTitleFont = 17;
constexpr double kBelowCaption = 16;  // so that a caption is nearer to its drawing than to the next heading

// The width and height in the viewBox of a drawing, which svg_begin() has written.
std::pair<double, double> size_of(std::string_view drawing) {
  constexpr std::string_view kBegin = "<svg viewBox=\"0 0 ";
  EFFNET_CHECK(drawing.starts_with(kBegin));
  double width = 0, height = 0;
  const char* const end = drawing.data() + drawing.size();
  const auto first = std::from_chars(drawing.data() + kBegin.size(), end, width);
  EFFNET_CHECK(first.ec == std::errc{} && first.ptr != end);
  const auto second = std::from_chars(first.ptr + 1, end, height);
  EFFNET_CHECK(second.ec == std::errc{});
  return {width, height};
}

// Breaks a text into lines of about `width` units.
std::vector<std::string> lines_of(std::string_view text, double width, double font) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, blank));
    text.remove_prefix(std::min(blank + 1, text.size()));
    std::string& last = lines.back();
    if (!last.empty() && text_width(last, font) + text_width(word, font) > width) {
      lines.push_back(word);
    } else {
      last += last.empty() ? word : " " + word;
    }
  }
  return lines;
}

// The variables of the first :root, which is light mode: "ink" and its colour.
std::map<std::string_view, std::string_view> light_colours(std::string_view css) {
  std::map<std::string_view, std::string_view> colours;
  const std::size_t begin = css.find(":root {");
  EFFNET_CHECK(begin != std::string_view::npos);
  css = css.substr(begin, css.find('}', begin) - begin);
  for (std::size_t at = css.find("--"); at != std::string_view::npos; at = css.find("--", at)) {
    const std::size_t colon = css.find(": ", at), end = css.find(';', at);
    EFFNET_CHECK(colon < end && end != std::string_view::npos);
    colours.emplace(css.substr(at + 2, colon - at - 2), css.substr(colon + 2, end - colon - 2));
    at = end;
  }
  return colours;
}

// The style sheet with the colour of light mode before each use of a variable. Programs that do not know variables,
// such as Inkscape and librsvg, ignore the second declaration.
std::string with_fallbacks(std::string_view css) {
  const auto colours = light_colours(css);
  std::string out;
  while (!css.empty()) {
    const std::string_view part = css.substr(0, std::min(css.find_first_of("{};"), css.size() - 1) + 1);
    css.remove_prefix(part.size());
    if (const std::size_t at = part.find("var(--"); at != std::string_view::npos) {
      const std::size_t close = part.find(')', at);
      const auto found = colours.find(part.substr(at + 6, close - at - 6));
      EFFNET_CHECK(found != colours.end() && part.ends_with(';'));
      out += fmt::format("{}{}{}", part.substr(0, at), found->second, part.substr(close + 1));
    }
    out += part;
  }
  return out;
}

}  // namespace

std::string svg_file(std::string_view title, const std::vector<Drawing>& drawings) {
  double widest = 0;
  for (const Drawing& drawing : drawings) widest = std::max(widest, size_of(drawing.svg).first);
  double y = 0;
  std::string body = fmt::format("<g class=\"labels\" font-size=\"{}\">", kTitleFont);
  for (const std::string& line : lines_of(title, widest, kTitleFont)) {
    y += kMargin;
    body += fmt::format("<text x=\"0\" y=\"{}\">{}</text>", px(y), escaped(line));
  }
  body += "</g>\n";
  y += 12;
  for (const Drawing& drawing : drawings) {
    const auto [width, height] = size_of(drawing.svg);
    y += kHeading;
    body += fmt::format(
        "<g class=\"labels\" font-size=\"14\"><text x=\"0\" y=\"{}\">{}</text></g>\n"
        "<svg x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\">{}</svg>\n",
        px(y - 12), escaped(drawing.title), px(y), px(width), px(height), drawing.svg);
    y += height;
    if (drawing.caption.empty()) continue;
    for (const std::string& line : lines_of(drawing.caption, widest, kFont)) {
      y += 18;
      body += fmt::format("<text x=\"0\" y=\"{}\">{}</text>\n", px(y), escaped(line));
    }
    y += kBelowCaption;
  }
  std::string style;
  for (const auto& [name, text] : embedded_style()) style += name == "svg.css" ? with_fallbacks(text) : "";
  const double width = widest + 2 * kMargin, height = y + kMargin;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif\">\n"
      "<title>{2}</title>\n<style>\n{3}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n"
      "<svg x=\"{4}\" width=\"{5}\" height=\"{1}\" overflow=\"visible\">\n{6}</svg>\n</svg>\n",
      px(width), px(height), escaped(title), style, px(kMargin), px(widest), body);
}

}  // namespace effnet::report

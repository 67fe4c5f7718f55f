#include <algorithm>
#include <map>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/report/style.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

// The text from after `begin` to the next `end`; empty if one of them is missing. `at`: position after `end`.
std::string_view between(std::string_view text, std::string_view begin, std::string_view end, std::size_t& at) {
  const std::size_t first = text.find(begin, at);
  if (first == std::string_view::npos) return {};
  const std::size_t last = text.find(end, first + begin.size());
  if (last == std::string_view::npos) return {};
  at = last + end.size();
  return text.substr(first + begin.size(), last - first - begin.size());
}

// The variables of the first :root, which is light mode: "--ink" and its colour.
std::map<std::string_view, std::string_view> light_colours(std::string_view css) {
  std::map<std::string_view, std::string_view> colours;
  std::size_t at = 0;
  const std::string_view root = between(css, ":root {", "}", at);
  std::size_t next = 0;
  while (true) {
    const std::string_view row = between(root, "--", ";", next);
    const std::size_t colon = row.find(": ");
    if (colon == std::string_view::npos) return colours;
    colours.emplace(row.substr(0, colon), row.substr(colon + 2));
  }
}

// The rules of the style sheet for plots, with the colours of light mode.
std::string plot_rules(std::string_view css) {
  const auto colours = light_colours(css);
  std::string rules;
  for (std::size_t begin = 0; begin < css.size();) {
    const std::size_t end = std::min(css.find('\n', begin), css.size());
    std::string_view line = css.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with("svg")) continue;
    for (std::size_t at = 0;;) {
      const std::size_t before = line.find("var(--", at);
      if (before == std::string_view::npos) {
        rules += line.substr(at);
        break;
      }
      const std::size_t after = line.find(')', before);
      const auto found = colours.find(line.substr(before + 6, after - before - 6));
      EFFNET_CHECK(found != colours.end());
      rules += line.substr(at, before - at);
      rules += found->second;
      at = after + 1;
    }
    rules += '\n';
  }
  return rules;
}

}  // namespace

std::string svg_file(std::string_view plot) {
  std::string css;
  for (const auto& [name, text] : embedded_style()) css += text;
  std::size_t at = 0;
  const std::string_view attributes = between(plot, "<svg", ">", at);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\"";
  out += attributes;
  out += ">\n<style>\n" + plot_rules(css) + "svg { font-family: sans-serif; }\n</style>\n";
  out += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  out += plot.substr(at);
  return out + "\n";
}

}  // namespace effnet::report

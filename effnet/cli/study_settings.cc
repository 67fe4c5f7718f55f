#include "effnet/cli/study_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::cli {
namespace {

// The first line in which two texts differ.
std::pair<std::string, std::string> first_different_lines(std::string_view a, std::string_view b) {
  while (true) {
    const std::size_t end_a = a.find('\n'), end_b = b.find('\n');
    const std::string_view line_a = a.substr(0, end_a), line_b = b.substr(0, end_b);
    if (line_a != line_b || end_a == std::string_view::npos || end_b == std::string_view::npos)
      return {std::string(line_a), std::string(line_b)};
    a.remove_prefix(end_a + 1);
    b.remove_prefix(end_b + 1);
  }
}

// A setting as text; empty if it does not exist.
std::string value_text(const nlohmann::json& settings, const std::string& path) {
  const auto found = settings.find(path);
  if (found == settings.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

void check_same_settings(const std::string& asked, const std::string& stored, const std::string& study) {
  const nlohmann::json a = nlohmann::json::parse(asked).flatten();
  const nlohmann::json b = nlohmann::json::parse(stored).flatten();
  nlohmann::json all = b;
  all.update(a);
  for (const auto& item : all.items()) {
    const std::string text_a = value_text(a, item.key()), text_b = value_text(b, item.key());
    if (text_a == text_b) continue;
    const auto [line_a, line_b] = first_different_lines(text_a, text_b);
    std::string name = item.key().substr(1);  // "/objective/target"
    std::ranges::replace(name, '/', '.');
    throw usage_error("{}: the study has another setting {} (got {}, expected {})", study, name, in_quotes(line_a),
                      in_quotes(line_b))
        .with_hint(
            "a study keeps the settings that it was made with: give the option the expected value, or make another "
            "study");
  }
}

}  // namespace effnet::cli

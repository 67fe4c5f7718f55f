// The text of a point: one word for each choice.
#include <algorithm>
#include <iterator>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/fields.h"
#include "effnet/search/space/space.h"

namespace effnet::search {
namespace {

// What is before the word of choice `index`.
std::string_view separator_before(const Space& space, std::size_t index) {
  if (index == 0) return "";
  return space.choices[index].stage == space.choices[index - 1].stage ? " " : " / ";
}

std::string_view prefix_of(const Choice& choice) { return field_named(choice.field).prefix; }

// The option that `word` names; empty if it names none. Reads 10,000 points in a few milliseconds, as `search show`
// does.
std::optional<int> find_option(const Choice& choice, std::string_view word) {
  const std::string_view prefix = prefix_of(choice);
  if (!word.starts_with(prefix)) return {};
  const auto found = std::ranges::find(choice.options, word.substr(prefix.size()));
  if (found == choice.options.end()) return {};
  return static_cast<int>(found - choice.options.begin());
}

Error unknown_word(const Choice& choice, std::string_view word) {
  std::vector<std::string> words;
  words.reserve(choice.options.size());
  for (const std::string& option : choice.options) words.push_back(fmt::format("{}{}", prefix_of(choice), option));
  return input_error("point: unknown {} for stage {} (got {}, expected {})", choice.field, choice.stage + 1,
                     in_quotes(word), one_of(words));
}

}  // namespace

std::string to_text(const Space& space, const Point& point) {
  std::string text;
  for (std::size_t i = 0; i < space.choices.size(); ++i) {
    text += separator_before(space, i);
    text += prefix_of(space.choices[i]);
    text += option_of(space, point, i);
  }
  return text;
}

Point parse_point(const Space& space, std::string_view text) {
  Point point;
  point.reserve(space.choices.size());
  std::string_view rest = text;
  for (std::size_t i = 0; i < space.choices.size(); ++i) {
    const Choice& choice = space.choices[i];
    const std::string_view separator = separator_before(space, i);
    if (!rest.starts_with(separator)) {
      throw input_error("point: no {} for stage {} (got {} at character {}, expected {} and a word)", choice.field,
                        choice.stage + 1, in_quotes(rest), text.size() - rest.size() + 1, in_quotes(separator));
    }
    rest.remove_prefix(separator.size());
    const std::string_view word = rest.substr(0, rest.find(' '));
    const std::optional<int> option = find_option(choice, word);
    if (!option) throw unknown_word(choice, word);
    point.push_back(*option);
    rest.remove_prefix(word.size());
  }
  if (!rest.empty()) {
    throw input_error("point: too long (got {} after {}, expected nothing more)", in_quotes(rest),
                      count_of(std::ssize(space.choices), "choice"));
  }
  return point;
}

}  // namespace effnet::search

// The text of a point: one word for each choice.
#include <algorithm>
#include <iterator>

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

std::vector<std::string> words_of(const Choice& choice) {
  const std::string prefix(field_named(choice.field).prefix);
  std::vector<std::string> words;
  words.reserve(choice.options.size());
  for (const std::string& option : choice.options) words.push_back(prefix + option);
  return words;
}

}  // namespace

std::string to_text(const Space& space, const Point& point) {
  std::string text;
  for (std::size_t i = 0; i < space.choices.size(); ++i) {
    text += separator_before(space, i);
    text += field_named(space.choices[i].field).prefix;
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
    const std::vector<std::string> words = words_of(choice);
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
      throw input_error("point: unknown {} for stage {} (got {}, expected {})", choice.field, choice.stage + 1,
                        in_quotes(word), one_of(words));
    }
    point.push_back(static_cast<int>(found - words.begin()));
    rest.remove_prefix(word.size());
  }
  if (!rest.empty()) {
    throw input_error("point: too long (got {} after {}, expected nothing more)", in_quotes(rest),
                      count_of(std::ssize(space.choices), "choice"));
  }
  return point;
}

}  // namespace effnet::search

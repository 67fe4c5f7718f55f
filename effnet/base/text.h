// Text for messages: quoted values, numbers with units, lists of choices, the nearest known word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/shape.h"

namespace effnet {

bool is_utf8(std::string_view text);
// Throws Error(usage) if `text` is not UTF-8: a path of Linux may have any bytes, but JSON and TOML texts may not.
// `what`: the option or setting; `stored_in`: the file that keeps the text, such as "the study".
void check_utf8(std::string_view what, std::string_view text, std::string_view stored_in);
// The text in single quotes, safe to print: control characters and bytes that are not UTF-8 become \xNN, and "..."
// replaces everything after 80 bytes.
std::string in_quotes(std::string_view text);
// The text as one word of a POSIX shell: unchanged if it has only letters, digits and _-./=:,+@%, else in single
// quotes.
std::string in_shell(std::string_view text);
// A path as an argument of a command: as in_shell(), and a path that begins with "-" gets "./" before it, because it
// would be read as an option.
std::string path_in_shell(std::string_view path);
// A name as part of a file name: each byte that is no ASCII letter or digit and none of "._-" becomes "_". So a name
// cannot contain a folder.
std::string in_file_name(std::string_view text);
// A text of several lines, safe for a terminal: control characters other than line ends and tabs become \xNN. Bytes
// that are not UTF-8 stay.
std::string printable(std::string_view text);
// The text on one line, safe for a terminal: control characters and bytes that are not UTF-8 become \xNN, a line end
// becomes a blank.
std::string one_line(std::string_view text);
std::string lower_case(std::string_view text);              // A to Z become a to z; other bytes stay
std::string one_of(const std::vector<std::string>& words);  // "a, b or c"
std::string first_in_quotes(const std::vector<std::string>& names, std::size_t most);  // of 3, most 2: "'a', 'b', ..."

// The known word with the smallest edit distance to `word`. The distance is at most a third of the word's length (the
// bound is at least 1 and at most 4) and smaller than the longer of both words, so that they have a letter in common;
// otherwise empty.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

std::string grouped(std::int64_t number);  // 5,288,548
// "1 image", "1,020 images", "2 classes"; for nouns whose plural ends with "s", or "es" after an "s".
std::string count_of(std::int64_t number, std::string_view noun);
// "1 epoch", "2.5 epochs": at most four digits.
std::string number_of(double number, std::string_view noun);
std::string time_text(double seconds);   // 2:03, or 1:02:03 from an hour on
std::string abbreviated(double number);  // 5.29M, 386M, 37.7G: three digits and K, M, G or T

std::string to_string(Size size);  // "224" if square, else "300x200"

}  // namespace effnet

// Text for people: numbers with units, lists of choices, the nearest known word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/shape.h"

namespace effnet {

bool is_utf8(std::string_view text);
// In quotes, control characters and bytes that are not UTF-8 as \xNN, cut after 80 bytes: safe to print from any file.
std::string in_quotes(std::string_view text);
// For a terminal: control characters and bytes that are not UTF-8 as \xNN, a line end as a blank.
std::string one_line(std::string_view text);
std::string one_of(const std::vector<std::string>& words);  // "a, b or c"

// The known word with the smallest edit distance, if that is at most a third of the word's length (at least 1, at most
// 4).
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

std::string grouped(std::int64_t number);  // 5,288,548
std::string abbreviated(double number);    // 5.29M, 386M, 37.7B-like counts: K, M, G, T with three digits

std::string to_string(Size size);  // "224" if square, else "300x200"

}  // namespace effnet

// Tables with names: of an enumeration (its values and their text names, for both reading and writing), and of rows
// that have a name. The error for an unknown name lists the known ones, and its hint has the nearest one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet {

template <class Value, std::size_t kCount>
using NameTable = std::array<std::pair<Value, std::string_view>, kCount>;

template <class Value, std::size_t kCount>
std::string_view name_in(const NameTable<Value, kCount>& table, Value value) {
  for (const auto& [entry, text] : table) {
    if (entry == value) return text;
  }
  return "?";
}

// "did you mean NEAREST?" with the known name that is nearest to `name`; `otherwise` if none is near.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& known, std::string otherwise = {});

// The error for a name that is not known. `what`: the beginning of the message, such as "unknown filter" in
// "unknown filter (got 'bicubik', expected box, bilinear or bicubic)". Hint: nearest_hint().
Error unknown_name(ErrorCode code, std::string_view what, std::string_view name, const std::vector<std::string>& known,
                   std::string otherwise = {});

// The member `name` of all rows of a table.
template <class Rows>
std::vector<std::string> names_of(const Rows& rows) {
  std::vector<std::string> names;
  names.reserve(std::size(rows));
  for (const auto& row : rows) names.emplace_back(row.name);
  return names;
}

// The row whose member `name` is `name`. Throws unknown_name() if there is none. `rows` must outlive the result.
template <class Rows>
const auto& row_named(const Rows& rows, std::string_view name, ErrorCode code, std::string_view what) {
  for (const auto& row : rows) {
    if (row.name == name) return row;
  }
  throw unknown_name(code, what, name, names_of(rows));
}

// The value with this name. Throws Error(input), with `what` as the enumeration's name:
// "unknown filter (got 'bicubik', expected box, bilinear or ...)".
template <class Value, std::size_t kCount>
Value named_in(const NameTable<Value, kCount>& table, std::string_view text, std::string_view what) {
  std::vector<std::string> known;
  known.reserve(kCount);
  for (const auto& [entry, entry_text] : table) {
    if (entry_text == text) return entry;
    known.emplace_back(entry_text);
  }
  throw unknown_name(ErrorCode::input, fmt::format("unknown {}", what), text, known);
}

}  // namespace effnet

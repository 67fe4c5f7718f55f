// One table per enumeration: its values and their text names, for both reading and writing. The error for an unknown
// name lists the known ones.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
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

// The value with this name. Throws Error(input), with `what` as the enumeration's name:
// "unknown filter (got 'bicubik', expected box, bilinear or ...)".
template <class Value, std::size_t kCount>
Value named_in(const NameTable<Value, kCount>& table, std::string_view text, std::string_view what) {
  std::vector<std::string> known;
  for (const auto& [entry, entry_text] : table) {
    if (entry_text == text) return entry;
    known.emplace_back(entry_text);
  }
  throw input_error("unknown {} (got {}, expected {})", what, in_quotes(text), one_of(known));
}

}  // namespace effnet

// The fields of a stage that a space can vary: kind of block, kernel, channels, ... A new field is one row of the table
// in fields.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/toml.h"

namespace effnet::search {

enum class OptionType {
  word,     // a text in TOML
  boolean,  // true, false
  integer,  // 5
  offset,   // an integer with its sign: +1
  number,   // 0.25, in the shortest form that reads back exactly
};

// One row. Each field sets one member of a StageSpec, and reads no member but that of the base. So the order in which
// fields are applied does not matter. find_point() relies on this.
struct Field {
  std::string_view name;    // the key in a space's file
  std::string_view prefix;  // before the option in a point's text: "k" in "k5"
  OptionType type = OptionType::word;
  double low = 0, high = 0;  // the range of integers, offsets and numbers
  // Sets the field of `stage` for an option of this row. `base`: the same stage of the space's base. Throws
  // Error(usage) for too many channels (arch::round_width); parse_space() has excluded that.
  void (*apply)(arch::StageSpec& stage, const arch::StageSpec& base, std::string_view option) = nullptr;
  // Further conditions on an option; null if there are none. Throws Error(input).
  void (*check)(std::string_view option) = nullptr;
  // A field that sets the same member: a stage has choices for at most one of the two.
  std::string_view excludes = {};
};

std::span<const Field> fields();
const Field& field_named(std::string_view name);  // throws Error(internal): a space has known fields only

inline constexpr std::size_t kMostOptions = 64;  // of one list: bounds the memory that a short file can ask for

// Reads the list of options that `table` has for this field, each in its text form. Throws Error(input) with line and
// column for a wrong type, a number out of range, an option that repeats, or more than kMostOptions options.
std::vector<std::string> read_options(const Field& field, const TomlTable& table);

}  // namespace effnet::search

// The table of settings: each key of a recipe, once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

// Where a setting lies in a Recipe; the type of what it refers to is the setting's.
using Member = std::variant<std::string& (*)(Recipe&), bool& (*)(Recipe&), int& (*)(Recipe&),
                            std::int64_t& (*)(Recipe&), std::uint64_t& (*)(Recipe&), double& (*)(Recipe&)>;

struct Setting {
  std::string_view key;  // "SECTION.NAME", or a name alone at the top level
  std::string_view meaning;
  Member member;
  double low = 0, high = 0;                    // of a number, both included; at most 2^53
  std::vector<std::string_view> choices = {};  // of a text; empty: any
  void (*check)(std::string_view) = nullptr;   // of a text: throws Error(usage)
  std::optional<double> unset = {};            // the one number outside of them that is taken: "not given"
  bool above_low = false;                      // `low` itself is refused

  std::string_view section() const;  // empty at the top level
  std::string_view name() const;
};

std::span<const Setting> settings();  // grouped by section, the top level first

bool takes(const Setting& setting, double number);                     // in its range; false for NaN
std::string value_text(const Setting& setting, const Recipe& recipe);  // as TOML writes it
// What the setting takes: "a number from 0 to 1", "one of none, flip", "a text".
std::string expected_text(const Setting& setting);

}  // namespace effnet::train

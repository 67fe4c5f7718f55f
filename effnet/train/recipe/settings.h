// The table of settings: each key of a recipe in one row. What a recipe's text may hold, what --set takes, what is
// printed and documented, what a run may change when it goes on and what its ranks must agree on follow from the row.
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

// What another value changes. A run goes on (--resume) with the same values of `result`; all others may change. All
// ranks of a run have the same values, but where it says otherwise.
enum class Kind {
  result,       // every step's numbers
  course,       // the numbers of the steps to come: what is done stays as it is. What a run that diverged needs
  handling,     // no step's numbers: how fast or how often something happens, and what is kept
  machine,      // the same, and ranks may differ
  model_file,   // a MODEL: what it holds is compared itself. On another machine it may lie in another folder
  data_folder,  // the same of the images; ranks may differ
};

// Of a number: the bounds are taken too, up to 2^53.
struct Range {
  double low = 0, high = 0;
  bool above_low = false;            // `low` itself is refused
  std::optional<double> unset = {};  // the one number outside that is taken: "not given"
};

// A setting that is an enumeration, by its names.
struct Choice {
  std::vector<std::string_view> names;
  std::string_view (*get)(Recipe&);
  void (*set)(Recipe&, std::string_view);  // one of `names`
};

// Where a setting lies in a Recipe; the type of what it refers to is the setting's.
using Member = std::variant<std::string& (*)(Recipe&), bool& (*)(Recipe&), int& (*)(Recipe&),
                            std::int64_t& (*)(Recipe&), std::uint64_t& (*)(Recipe&), double& (*)(Recipe&), Choice>;

struct Setting {
  std::string_view key;  // "SECTION.NAME", or a name alone at the top level
  Kind kind;
  Member member;
  std::string_view meaning;
  Range range = {};                           // of a number
  void (*check)(std::string_view) = nullptr;  // of a text: throws Error(usage)

  std::string_view section() const;  // empty at the top level
  std::string_view name() const;
  bool changes_numbers() const { return kind == Kind::result || kind == Kind::course; }
};

std::span<const Setting> settings();                // grouped by section, the top level first
const Setting* find_setting(std::string_view key);  // null: there is none

bool takes(const Setting& setting, double number);                     // in its range; false for NaN
bool takes(const Choice& choice, std::string_view text);               // one of its names
std::string value_text(const Setting& setting, const Recipe& recipe);  // as TOML writes it
std::string& text_of(const Setting& setting, Recipe& recipe);          // of a setting that is a text
// What the setting takes: "a number from 0 to 1", "one of none, flip", "a text".
std::string expected_text(const Setting& setting);

// Settings whose values differ. Files and folders are left out: what they hold counts.
std::vector<const Setting*> differing_settings(const Recipe& now, const Recipe& then);

}  // namespace effnet::train

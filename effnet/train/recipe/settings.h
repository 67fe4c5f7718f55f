// The table of settings: one row for each key of a recipe. The row determines how a recipe is parsed, what --set
// accepts, what is printed and documented, what may change on --resume, and what must be the same on all ranks.
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

// What a setting affects, and so whether it may change on --resume. Unless the comment says otherwise, a setting must
// be the same on all ranks.
enum class SettingKind {
  fixed,        // affects the result of every step; must stay the same on --resume
  adjustable,   // affects the steps that follow; may change on --resume, for example after the run diverged
  operational,  // affects speed, frequency or what is kept, not the result of a step; may change on --resume
  per_rank,     // like operational; may also differ between ranks
  model_file,   // a MODEL. Its folder may change; the architecture may not, and all ranks need the same initial weights
  data_folder,  // the dataset. Its folder may change; the names and labels of the images may not
};

// The accepted range of a number: from `low` to `high`, both included unless `above_low` is set. `high` is at most
// 2^53.
struct Range {
  double low = 0, high = 0;
  bool above_low = false;            // `low` itself is not accepted
  std::optional<double> unset = {};  // also accepted, outside of the range: means "not set"
};

// A setting that is an enumeration.
struct Choice {
  std::vector<std::string_view> names;
  std::string_view (*get)(Recipe&);
  void (*set)(Recipe&, std::string_view);  // one of `names`
};

// A function that returns a reference to the setting's member of a Recipe; the member's type is the type of the
// setting. For an enumeration: a Choice.
using Member = std::variant<std::string& (*)(Recipe&), bool& (*)(Recipe&), int& (*)(Recipe&),
                            std::int64_t& (*)(Recipe&), std::uint64_t& (*)(Recipe&), double& (*)(Recipe&), Choice>;

struct Setting {
  std::string_view key;  // "SECTION.NAME", or a name alone at the top level
  SettingKind kind;
  Member member;
  std::string_view meaning;
  Range range = {};                           // for numbers
  void (*check)(std::string_view) = nullptr;  // for texts: throws Error(usage) if one is not valid. Null: all are

  std::string_view section() const;  // empty at the top level
  std::string_view name() const;
  bool affects_results() const { return kind == SettingKind::fixed || kind == SettingKind::adjustable; }
};

std::span<const Setting> settings();                // grouped by section, the top level first
const Setting* find_setting(std::string_view key);  // null for an unknown key

std::span<const std::string_view> settings_of_finetune();  // keys that effnet finetune sets itself

bool accepts(const Setting& setting, double number);                   // false for NaN
bool accepts(const Choice& choice, std::string_view text);             // true for one of `names`
std::string value_text(const Setting& setting, const Recipe& recipe);  // the value in TOML syntax
std::string& text_of(const Setting& setting, Recipe& recipe);          // only for settings of type text
// The accepted values: "a number from 0 to 1", "one of none, flip", "a text".
std::string expected_text(const Setting& setting);

// The settings that differ between the two recipes. Does not compare settings of the kinds model_file and data_folder:
// train/run/identity.h compares the contents of these files.
std::vector<const Setting*> differing_settings(const Recipe& now, const Recipe& then);

}  // namespace effnet::train

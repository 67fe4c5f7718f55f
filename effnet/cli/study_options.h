// The settings of a study and the options of the command line that set them: the comparison of a command with the study
// that it continues, and the recipe of the study's trainings. For effnet search and effnet scale search.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/train/recipe/recipe.h"

namespace effnet::cli {

// The first line in which two texts differ; empty where a text has ended.
std::pair<std::string, std::string> first_different_lines(std::string_view a, std::string_view b);

// One setting, the option that sets it, and how the setting is written in a message.
struct StudyOption {
  std::string_view path;  // of the setting in the JSON of settings_text(): "/objective/target"
  std::string_view option;
  // The value, from all settings. Null: numbers and lists as they are typed, of other texts the first different lines.
  std::string (*text)(const nlohmann::json& settings) = nullptr;
};

// Throws Error(usage) with the first row whose value differs in the two texts of settings. A setting without a row is
// named by its path. A recipe, as TOML in a setting with the name "recipe", is compared setting by setting.
void check_same_options(std::string_view study, std::string_view asked, std::string_view stored,
                        std::span<const StudyOption> options);

// A setting of a recipe that --set cannot change, because the search sets it itself.
struct FixedSetting {
  std::string_view key;
  std::string why;
  std::string option = {};  // that sets it; may be empty
};
// The settings that every trial of a search sets. `epochs_option`: the option with the epochs of the rounds; empty if
// no network is trained. `seed_option`: the option with the seeds of the trials.
std::vector<FixedSetting> fixed_in_trials(std::string_view epochs_option, std::string_view seed_option);
// The same for `effnet scale search`.
std::vector<FixedSetting> fixed_in_scale_trials();
// The settings that the training of a supernet sets.
std::vector<FixedSetting> fixed_in_supernets();
// The overrides of --set. Throws Error(usage) for one of `fixed`.
std::vector<train::Override> overrides_of(const std::vector<std::string>& texts, std::span<const FixedSetting> fixed);

// Sets data.folder to --data, if that is given, as an absolute path, so that workers in other folders find it. Throws
// Error(usage) if the path is not UTF-8, which a recipe must be.
void set_data_folder(const std::string& data, train::Recipe& recipe);

// Where the recipe of a search's trainings comes from. Empty texts: not given.
struct RecipeOfStudy {
  std::string recipe;  // --recipe
  std::string usual;   // the recipe of a new study without --recipe
  std::string stored;  // the study's recipe as TOML
  std::string data;    // --data
};
// --recipe, otherwise the stored recipe, otherwise the usual one; changed by `overrides` and --data.
train::Recipe recipe_of_study(const RecipeOfStudy& from, const std::vector<train::Override>& overrides);

// Throws Error(input) with a hint if a file or folder that the study was made with is not there any more. `what`: "the
// images", for the message. An empty path is not checked.
void check_still_there(std::string_view study, std::string_view what, const std::string& path);

}  // namespace effnet::cli

#include "effnet/cli/study_options.h"

#include <algorithm>
#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;
using Document = nlohmann::json;  // with sorted keys, unlike cli::Json

// A value as it is typed: 0.5, evolution, 2,6.
std::string typed(const Document& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Document& one : value) text += (text.empty() ? "" : ",") + typed(one);
  return text;
}

Error different(std::string_view study, std::string_view option, std::string_view asked, std::string_view stored) {
  return usage_error("{}: {}: the study has another value (got {}, expected {})", study, option, in_quotes(asked),
                     in_quotes(stored))
      .with_hint(
          "a study keeps the settings that it was made with: leave the option out to continue it, or make another "
          "study");
}

void check_same_recipe(std::string_view study, const std::string& asked, const std::string& stored) {
  const train::Recipe a = train::parse_recipe(asked, "the recipe"), b = train::parse_recipe(stored, study);
  if (a.data.folder != b.data.folder) throw different(study, "--data", a.data.folder, b.data.folder);
  for (const train::Setting& setting : train::settings()) {
    const std::string value_a = train::value_text(setting, a), value_b = train::value_text(setting, b);
    if (value_a != value_b) throw different(study, fmt::format("--recipe or --set {}", setting.key), value_a, value_b);
  }
}

// `option` has the value at `path` in both settings, or it is not set in one of them.
void check_same(std::string_view study, const StudyOption& option, const Document& asked, const Document& stored) {
  const Document::json_pointer path{std::string(option.path)};
  const Document a = asked.contains(path) ? asked.at(path) : Document(),
                 b = stored.contains(path) ? stored.at(path) : Document();
  if (a == b) return;
  if (option.path.ends_with("/recipe") && a.is_string() && b.is_string())
    check_same_recipe(study, a.get<std::string>(), b.get<std::string>());
  if (option.text != nullptr) throw different(study, option.option, option.text(asked), option.text(stored));
  const auto [line_a, line_b] = first_different_lines(typed(a), typed(b));
  throw different(study, option.option, line_a, line_b);
}

}  // namespace

std::pair<std::string, std::string> first_different_lines(std::string_view a, std::string_view b) {
  while (true) {
    const std::size_t end_a = a.find('\n'), end_b = b.find('\n');
    const std::string_view line_a = a.substr(0, end_a), line_b = b.substr(0, end_b);
    if (line_a != line_b || end_a == std::string_view::npos || end_b == std::string_view::npos)
      return {std::string(line_a), std::string(line_b)};
    a.remove_prefix(end_a + 1);
    b.remove_prefix(end_b + 1);
  }
}

void check_same_options(std::string_view study, std::string_view asked, std::string_view stored,
                        std::span<const StudyOption> options) {
  const Document a = Document::parse(asked), b = Document::parse(stored);
  for (const StudyOption& option : options) check_same(study, option, a, b);
  Document all = b.flatten();
  all.update(a.flatten());
  for (const auto& item : all.items()) check_same(study, {.path = item.key(), .option = item.key()}, a, b);
}

std::vector<FixedSetting> fixed_in_trials(std::string_view epochs_option, std::string_view seed_option) {
  const std::string validated = "a trial is validated after its last epoch only";
  return {{"model.name", "the search chooses the networks"},
          {"seed", fmt::format("{} gives the seeds of the trials", seed_option), std::string(seed_option)},
          {"train.epochs",
           epochs_option.empty() ? std::string("no network is trained") : fmt::format("{} sets it", epochs_option),
           std::string(epochs_option)},
          {"train.time_budget", "the length of a trial is a number of epochs"},
          {"train.validate_every", validated},
          {"train.patience", validated},
          {"checkpoint.result", validated}};
}

std::vector<FixedSetting> fixed_in_scale_trials() {
  std::vector<FixedSetting> fixed = fixed_in_trials("--epochs", "--seeds");
  fixed.push_back({"data.resolution", "gamma scales the resolution of each candidate"});
  return fixed;
}

std::vector<FixedSetting> fixed_in_supernets() {
  const std::string networks = "the space gives the networks", validation = "a supernet is not validated";
  return {{"model.name", networks},       {"model.init", networks},          {"train.validate_every", validation},
          {"train.patience", validation}, {"checkpoint.result", validation}, {"checkpoint.keep", validation}};
}

std::vector<train::Override> overrides_of(const std::vector<std::string>& texts, std::span<const FixedSetting> fixed) {
  std::vector<train::Override> overrides;
  overrides.reserve(texts.size());
  for (const std::string& text : texts) {
    const train::Override& one = overrides.emplace_back(train::parse_override(text));
    const auto found = std::ranges::find(fixed, one.key, &FixedSetting::key);
    if (found != fixed.end()) {
      throw usage_error("--set {}: it has no effect here: {} (got {}, expected another key)", one.key, found->why,
                        in_quotes(one.value));
    }
  }
  return overrides;
}

void set_data_folder(const std::string& data, train::Recipe& recipe) {
  if (data.empty()) return;
  recipe.data.folder = fs::absolute(data).lexically_normal().string();
  check_utf8("--data", recipe.data.folder, "the study");
}

train::Recipe recipe_of_study(const RecipeOfStudy& from, const std::vector<train::Override>& overrides) {
  train::Recipe recipe = from.recipe.empty() && !from.stored.empty()
                             ? train::parse_recipe(from.stored, "the study's recipe", overrides)
                             : train::load_recipe(from.recipe.empty() ? from.usual : from.recipe, overrides);
  set_data_folder(from.data, recipe);
  return recipe;
}

void check_still_there(std::string_view study, std::string_view what, const std::string& path) {
  std::error_code failed;
  if (path.empty() || fs::exists(path, failed) || failed) return;
  throw input_error("{}: {} are not there any more (got nothing at {}, expected what the study was made with)", study,
                    what, in_quotes(path))
      .with_hint(
          fmt::format("move them back, or make a link to their new place: ln -s NEW_PLACE {}", path_in_shell(path)));
}

}  // namespace effnet::cli

#include "effnet/train/recipe/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"
#include "effnet/train/recipe/files.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

// The smallest accepted number. The number that means "not set" is accepted too.
double smallest_accepted(const Range& range) { return std::min(range.low, range.unset.value_or(range.low)); }

// Reads `setting` from `table`, its section of a recipe file.
void read(const Setting& setting, const TomlTable& table, Recipe& recipe) {
  const std::string_view name = setting.name();
  const auto require_in_range = [&](double number) {
    if (!accepts(setting, number))
      throw table.error(name, fmt::format("wrong value (got {}, expected {})", number, expected_text(setting)));
  };
  std::visit(
      [&](const auto& member) {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          const std::string text = table.text(name, std::string(member.get(recipe)));
          if (!accepts(member, text)) {
            throw table.error(
                name, fmt::format("wrong value (got {}, expected {})", in_quotes(text), expected_text(setting)));
          }
          member.set(recipe, text);
        } else {
          auto& value = member(recipe);
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, std::string>) {
            value = table.text(name, value);
            if (setting.check == nullptr) return;
            try {
              setting.check(value);
            } catch (const Error& error) {
              throw table.error(name, error);
            }
          } else if constexpr (std::is_same_v<Value, bool>) {
            value = table.boolean(name, value);
          } else if constexpr (std::is_same_v<Value, double>) {
            value = table.number(name, value, smallest_accepted(setting.range), setting.range.high);
            require_in_range(value);
          } else {
            value = static_cast<Value>(table.integer(name, static_cast<std::int64_t>(value),
                                                     static_cast<std::int64_t>(smallest_accepted(setting.range)),
                                                     static_cast<std::int64_t>(setting.range.high)));
            require_in_range(static_cast<double>(value));
          }
        }
      },
      setting.member);
}

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Reads `setting` from the command line (`--set key=given`), where quotes around a text are optional.
void read(const Setting& setting, const std::string& given, Recipe& recipe) {
  const auto wrong = [&] {
    return usage_error("--set {}: wrong value (got {}, expected {})", setting.key, in_quotes(given),
                       expected_text(setting));
  };
  const bool quoted = given.size() >= 2 && given.front() == '"' && given.back() == '"';
  const std::string text = quoted ? given.substr(1, given.size() - 2) : given;
  std::visit(
      [&](const auto& member) {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          if (!accepts(member, text)) throw wrong();
          member.set(recipe, text);
        } else {
          auto& value = member(recipe);
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, std::string>) {
            try {
              if (setting.check != nullptr) setting.check(text);
            } catch (const Error& error) {
              throw error.in(fmt::format("--set {}", setting.key));
            }
            value = text;
          } else if constexpr (std::is_same_v<Value, bool>) {
            if (given != "true" && given != "false") throw wrong();
            value = given == "true";
          } else {
            std::conditional_t<std::is_same_v<Value, double>, double, std::int64_t> number{};
            if (!read_number(given, number) || !accepts(setting, static_cast<double>(number))) throw wrong();
            value = static_cast<Value>(number);
          }
        }
      },
      setting.member);
}

const Setting& setting_named(const std::string& key) {
  if (const Setting* setting = find_setting(key)) return *setting;
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) keys.emplace_back(setting.key);
  std::optional<std::string> near = nearest(key, keys);
  for (const Setting& setting : settings()) {  // a name without its section: "lr" for optimizer.lr
    if (!near && setting.name() == key) near = std::string(setting.key);
  }
  if (near) {
    throw usage_error("--set: unknown key (got {}, expected {})", in_quotes(key), *near)
        .with_hint(fmt::format("did you mean {}? docs/recipes.md lists the keys", *near));
  }
  throw usage_error("--set: unknown key (got {}, expected one of the keys in the hint)", in_quotes(key))
      .with_hint(fmt::format("the keys are {}", one_of(keys)));
}

// Brings the recipe into the form that parse_recipe() returns and print() writes: only one learning rate is set, and
// decay and epsilon have the optimiser's defaults if they were not given.
void normalise(Recipe& recipe) {
  if (recipe.optimizer.lr >= 0) recipe.optimizer.lr_per_256 = -1;
  recipe.optimizer = with_optimizer_defaults(recipe.optimizer);
}

void apply(const std::vector<Override>& overrides, Recipe& recipe) {
  bool lr = false, lr_per_256 = false;
  for (const Override& override : overrides) {
    check_utf8(override.key, override.value, "config.toml");
    read(setting_named(override.key), override.value, recipe);
    lr |= override.key == "optimizer.lr" && recipe.optimizer.lr >= 0;
    lr_per_256 |= override.key == "optimizer.lr_per_256" && recipe.optimizer.lr_per_256 >= 0;
  }
  if (lr && lr_per_256) {
    throw usage_error("--set: two learning rates (got optimizer.lr and optimizer.lr_per_256, expected one of them)");
  }
  if (lr) recipe.optimizer.lr_per_256 = -1;
  if (lr_per_256) recipe.optimizer.lr = -1;
  if (recipe.optimizer.lr < 0 && recipe.optimizer.lr_per_256 < 0) {
    throw usage_error(
        "no learning rate (got optimizer.lr and optimizer.lr_per_256 below 0, expected 0 or more for one of them)");
  }
}

std::string too_many_parts(const Recipe& recipe) {
  return fmt::format("more micro-batches than images in a batch (got {}, expected at most train.batch = {})",
                     recipe.train.accumulate, recipe.train.batch);
}

}  // namespace

Override parse_override(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw usage_error("--set: wrong syntax (got {}, expected key=value)", in_quotes(text));
  }
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

namespace {

// Reads the recipe file over the settings of its base. `bases`: how many files this one is the base of.
void read_over(std::string_view text, const std::string& source, Recipe& recipe, int bases) {
  constexpr int kMostBases = 8;
  const TomlTable root = TomlTable::parse(text, source);
  if (const std::string base = root.text("base", ""); !base.empty()) {
    if (bases == kMostBases)
      throw root.error("base", fmt::format("more than {} recipes in a chain of bases (is there a cycle?)", kMostBases));
    if (const auto built_in = find_embedded(base + ".toml"); built_in && !base.ends_with(kNetSuffix)) {
      read_over(*built_in, base, recipe, bases + 1);
    } else {
      const std::filesystem::path file = std::filesystem::path(source).parent_path() / base;
      std::error_code ignored;
      if (!std::filesystem::exists(file, ignored))
        throw root.error("base", fmt::format("unknown recipe (got {}, expected a file or one of {})", in_quotes(base),
                                             one_of(recipe_names())));
      read_over(read_text(file), file.string(), recipe, bases + 1);
    }
  }
  // One object per section: finish() reports the keys that were not read.
  std::map<std::string_view, TomlTable> sections;
  for (const Setting& setting : settings()) {
    const std::string_view section = setting.section();
    if (section.empty()) {
      read(setting, root, recipe);
    } else {
      read(setting, sections.try_emplace(section, root.table(section)).first->second, recipe);
    }
  }
  for (const auto& [name, table] : sections) table.finish();
  root.finish();

  const TomlTable& optimizer = sections.at("optimizer");
  const bool lr = optimizer.has("lr") && recipe.optimizer.lr >= 0;
  const bool lr_per_256 = optimizer.has("lr_per_256") && recipe.optimizer.lr_per_256 >= 0;
  if (lr && lr_per_256)
    throw optimizer.error("lr_per_256", "two learning rates (got lr and lr_per_256, expected one of them)");
  if (lr) recipe.optimizer.lr_per_256 = -1;
  if (lr_per_256) recipe.optimizer.lr = -1;
  const TomlTable& train = sections.at("train");
  for (const char* key : {"accumulate", "batch"}) {
    if (train.has(key) && recipe.train.accumulate > recipe.train.batch) throw train.error(key, too_many_parts(recipe));
  }
}

}  // namespace

Recipe parse_recipe(std::string_view text, std::string_view source, const std::vector<Override>& overrides) {
  Recipe recipe;
  read_over(text, std::string(source), recipe, 0);
  apply(overrides, recipe);
  normalise(recipe);
  if (recipe.train.accumulate > recipe.train.batch)
    throw usage_error("--set train.accumulate: {}", too_many_parts(recipe));
  return recipe;
}

namespace {

// Makes the path of a file or folder absolute, because the run's config.toml may be read from another working folder.
// The name of a network or of a built-in arch file is not a path and does not change.
void make_absolute(std::string& path) {
  std::error_code failure;
  if (path.empty() || arch::find_variant(path) != nullptr || !std::filesystem::exists(path, failure)) return;
  const std::string absolute = std::filesystem::absolute(path, failure).lexically_normal().string();
  if (!failure && is_utf8(absolute)) path = absolute;  // else unchanged: config.toml must be UTF-8
}

Recipe read_recipe(const std::string& name_or_file, const std::vector<Override>& overrides) {
  if (name_or_file.empty()) return parse_recipe("", "no recipe", overrides);
  if (const auto text = find_embedded(name_or_file + ".toml"); text && !name_or_file.ends_with(kNetSuffix)) {
    return parse_recipe(*text, name_or_file, overrides);
  }
  const std::filesystem::path file(name_or_file);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    throw input_error("unknown recipe (got {}, expected a file or one of {})", in_quotes(name_or_file),
                      one_of(recipe_names()))
        .with_hint(nearest_hint(name_or_file, recipe_names(), "docs/recipes.md describes the built-in recipes"));
  }
  Recipe recipe = parse_recipe(read_text(file), name_or_file, overrides);
  const std::filesystem::path beside = file.parent_path() / recipe.model.name;
  const bool overridden =
      std::ranges::any_of(overrides, [](const Override& override) { return override.key == "model.name"; });
  if (!overridden && recipe.model.name.ends_with(".toml") && std::filesystem::exists(beside, ignored)) {
    recipe.model.name = beside.string();
  }
  return recipe;
}

}  // namespace

Recipe load_recipe(const std::string& name_or_file, const std::vector<Override>& overrides) {
  Recipe recipe = read_recipe(name_or_file, overrides);
  for (const Setting& setting : settings()) {
    if (setting.kind == SettingKind::model_file || setting.kind == SettingKind::data_folder)
      make_absolute(text_of(setting, recipe));
  }
  return recipe;
}

std::string print(const Recipe& recipe) {
  Recipe normalised = recipe;
  normalise(normalised);
  std::string text = "# The effective configuration. docs/recipes.md describes the settings.\n";
  std::string_view section;
  for (const Setting& setting : settings()) {
    if (setting.section() != section) {
      section = setting.section();
      text += fmt::format("\n[{}]\n", section);
    }
    text += fmt::format("# {}\n{} = {}\n", setting.meaning, setting.name(), value_text(setting, normalised));
  }
  return text;
}

OptimizerSettings with_optimizer_defaults(OptimizerSettings settings) {
  const OptimizerDefaults defaults = defaults_of(settings.name);
  if (settings.decay < 0) settings.decay = defaults.decay;
  if (settings.epsilon < 0) settings.epsilon = defaults.epsilon;
  return settings;
}

double peak_lr(const Recipe& recipe) {
  if (recipe.optimizer.lr >= 0) return recipe.optimizer.lr;
  return recipe.optimizer.lr_per_256 * static_cast<double>(recipe.train.batch) / 256;
}

double parse_seconds(std::string_view budget) {
  const Error wrong =
      usage_error("not a duration (got {}, expected a text such as 90s, 20m or 1h30m)", in_quotes(budget));
  double seconds = 0, smallest = 1e9;
  std::string_view rest = budget;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc() || end == rest.data() + rest.size()) throw wrong;
    const double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : *end == 's' ? 1 : 0;
    // Each unit must be smaller than the one before: "1m1h" is an error.
    if (unit == 0 || unit >= smallest || !(number >= 0 && number <= 1e7)) throw wrong;
    seconds += number * unit;
    smallest = unit;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
  if (!(seconds > 0))
    throw usage_error("a duration of 0 (got {}, expected more than 0 seconds, such as 90s)", in_quotes(budget));
  return seconds;
}

}  // namespace effnet::train

#include "effnet/train/recipe/files.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/find_model.h"
#include "effnet/graph/arch_file.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {

// File name and text of each file in recipes/. CMake generates this function.
std::span<const std::pair<std::string_view, std::string_view>> embedded_recipes();

std::optional<std::string_view> find_embedded(std::string_view file_name) {
  for (const auto& [name, text] : embedded_recipes()) {
    if (name == file_name) return text;
  }
  return std::nullopt;
}

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const auto& [file, text] : embedded_recipes()) {
    const std::string_view stem = file.substr(0, file.rfind('.'));
    if (!stem.ends_with(kNetSuffix)) names.emplace_back(stem);
  }
  return names;
}

arch::ArchSpec load_arch(const ModelSettings& model) {
  arch::ArchSpec spec;
  std::error_code ignored;
  if (model.name.ends_with(".toml")) {
    if (const auto text = find_embedded(model.name); text && !std::filesystem::exists(model.name, ignored)) {
      spec = graph::parse_arch(*text, model.name);
    } else {
      spec = graph::parse_arch(read_text(model.name), model.name);
    }
  } else {
    spec = formats::describe(formats::find_model(model.name, formats::Pulled::ignore)).arch;
  }
  return with_drop_rates(std::move(spec), model);
}

arch::ArchSpec with_drop_rates(arch::ArchSpec spec, const ModelSettings& model) {
  if (model.dropout >= 0) spec.dropout = model.dropout;
  if (model.drop_path >= 0) spec.drop_path = model.drop_path;
  return spec;
}

std::string settings_document() {
  std::string text =
      "# Recipes and their settings\n\n"
      "<!-- effnet_train_recipe_test generates this page from effnet/train/recipe/settings.cc and recipes/. To update "
      "it, run\n"
      "     EFFNET_RENEW=1 build/release/bin/effnet_train_recipe_test --gtest_filter=Recipe.DocumentIsUpToDate -->\n"
      "\n"
      "A recipe is a TOML file with all settings of a training run. `effnet train RECIPE --data DIR --out RUN` takes a "
      "name\n"
      "from the list below or a file. Without a recipe, the defaults in the tables are used. `--set key=value` "
      "overrides a\n"
      "setting. An unknown key is an error, and the message suggests the nearest valid key. The effective "
      "configuration is\n"
      "written to `RUN/config.toml`, which is itself a recipe.\n\n"
      "A recipe with `base = \"NAME\"` in its first lines has the settings of another recipe (a name from the list, or "
      "a file beside\n"
      "it) except those that it gives itself.\n\n"
      "| recipe | description |\n| --- | --- |\n";
  for (const std::string& name : recipe_names()) {
    const std::string_view first = find_embedded(name + ".toml")->substr(0, find_embedded(name + ".toml")->find('\n'));
    text += fmt::format("| `{}` | {} |\n", name, first.starts_with("# ") ? first.substr(2) : first);
  }
  std::string_view section = "none yet";
  for (const Setting& setting : settings()) {
    if (setting.section() != section) {
      section = setting.section();
      text += section.empty() ? "\n## Top level\n\n" : fmt::format("\n## {}\n\n", section);
      text += "| key | accepted values | default | meaning |\n| --- | --- | --- | --- |\n";
    }
    text += fmt::format("| `{}` | {} | `{}` | {} |\n", setting.key, expected_text(setting),
                        value_text(setting, Recipe{}), setting.meaning);
  }
  return text;
}

}  // namespace effnet::train

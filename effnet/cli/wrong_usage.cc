#include "effnet/cli/wrong_usage.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "effnet/base/text.h"
#include "effnet/cli/study_options.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::cli {
namespace {

using Names = std::vector<std::string>;

// The parsed command, down to its last sub-command, and its name: "effnet data check".
struct Parsed {
  const CLI::App* command = nullptr;
  std::string name;
};

Parsed parsed_command(const CLI::App& app) {
  Parsed parsed{&app, "effnet"};
  for (std::vector<CLI::App*> next = app.get_subcommands(); !next.empty(); next = next.front()->get_subcommands()) {
    parsed.command = next.front();
    parsed.name += " " + next.front()->get_name();
  }
  return parsed;
}

Names long_options(const CLI::App& app, const CLI::App& command) {
  Names names;
  for (const CLI::App* one : {&app, &command}) {
    for (const CLI::Option* option : one->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

// The settings that --set refuses in this command, because the command sets them itself.
std::vector<FixedSetting> fixed_settings(std::string_view command) {
  if (command == "effnet search run") return fixed_in_trials("--budgets", "--seed");
  if (command == "effnet scale search") return fixed_in_scale_trials();
  if (command == "effnet search supernet") return fixed_in_supernets();
  std::vector<FixedSetting> fixed;
  if (command != "effnet finetune") return fixed;
  for (const std::string_view key : train::settings_of_finetune())
    fixed.push_back({key, "", key == "train.time_budget" ? "--time-budget" : ""});
  return fixed;
}

// What sets the settings of a recipe with the name of this option: "--epochs" is --set train.epochs, or the option of
// this command that does the same.
Names settings_named(const std::string& option, std::string_view command) {
  std::string name = option.substr(2);
  std::ranges::replace(name, '-', '_');
  const std::vector<FixedSetting> fixed = fixed_settings(command);
  Names words;
  for (const train::Setting& setting : train::settings()) {
    if (setting.name() != name) continue;
    const auto found = std::ranges::find(fixed, setting.key, &FixedSetting::key);
    const std::string word = found == fixed.end() ? fmt::format("--set {}=VALUE", setting.key) : found->option;
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

// What an unknown option of `command` probably means; empty if nothing is like it.
std::string option_like(const std::string& unknown, const Names& known, std::string_view command) {
  const bool has_settings = std::ranges::count(known, "--set") > 0;
  if (const Names words = has_settings ? settings_named(unknown, command) : Names(); !words.empty())
    return one_of(words);
  if (const std::optional<std::string> near = nearest(unknown, known)) return *near;
  constexpr std::size_t kShortest = 5;  // "--out"; two letters are the beginning of too many words
  const auto is_beginning = [](const std::string& part, const std::string& whole) {
    return part.size() >= kShortest && whole.starts_with(part);
  };
  const auto found = std::ranges::find_if(
      known, [&](const std::string& name) { return is_beginning(name, unknown) || is_beginning(unknown, name); });
  return found == known.end() ? "" : *found;
}

// The first option or argument that the command requires and that is missing.
const CLI::Option* missing_option(const CLI::App& command, bool positional) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_required() && option->count() == 0 && option->get_positional() == positional) return option;
  }
  return nullptr;
}

// The words that the parser did not expect, in the order of the command line; the parser has them backwards.
Names unexpected(const CLI::App& app, const Names& words) {
  Names left = app.remaining(true), ordered;
  for (const std::string& word : words) {
    if (const auto found = std::ranges::find(left, word); found != left.end()) {
      ordered.push_back(word);
      left.erase(found);
    }
  }
  return ordered;
}

std::string meant(const CLI::App& app, const Parsed& parsed, const CLI::ParseError& error, const Names& words) {
  const CLI::App& command = *parsed.command;
  const Names known = long_options(app, command);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || name.size() == 2 || std::ranges::count(known, name) > 0) continue;
    if (const std::string like = option_like(name, known, parsed.name); !like.empty())
      return fmt::format("did you mean {}? ", like);
  }
  const Names left = unexpected(app, words);
  const auto plain = std::ranges::find_if(left, [](const std::string& word) { return !word.starts_with("-"); });
  const CLI::Option* option = missing_option(command, false);
  // An option without a long name is a number (effnet launch -n N).
  if (plain != left.end() && option != nullptr && !option->get_lnames().empty())
    return fmt::format("did you mean {} {}? ", option->get_name(), in_shell(*plain));
  if (dynamic_cast<const CLI::RequiredError*>(&error) == nullptr) return {};
  if (const CLI::Option* argument = missing_option(command, true); argument != nullptr) option = argument;
  if (option == nullptr) return {};
  return fmt::format("{}: {}; ", option->get_name(option->get_positional()), option->get_description());
}

Names subcommands_of(const CLI::App& command) {
  Names names;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

// For a command with sub-commands, of which none or an unknown one was given.
Error no_subcommand(const CLI::App& app, const Parsed& parsed, const Names& words) {
  const Names names = subcommands_of(*parsed.command), left = unexpected(app, words);
  if (!left.empty()) return unknown_command(parsed.name, left.front(), names).in(parsed.name);
  return usage_error("{}: no command (got none, expected {})", parsed.name, one_of(names))
      .with_hint(fmt::format("{} --help lists the commands", parsed.name));
}

}  // namespace

Error unknown_command(std::string_view command, std::string_view word, const std::vector<std::string>& names) {
  const auto near = nearest(word, names);
  return usage_error("unknown command (got {}, expected {})", in_quotes(word), one_of(names))
      .with_hint(near ? fmt::format("did you mean {} {}?", command, *near)
                      : fmt::format("{} --help lists the commands", command));
}

void check_subcommand_name(const CLI::App& app, const std::vector<std::string>& words) {
  const Parsed parsed = parsed_command(app);
  const Names names = subcommands_of(*parsed.command);
  const auto at = std::ranges::find(words, parsed.command->get_name());
  std::error_code ignored;
  if (parsed.command == &app || names.empty() || at == words.end() || at + 1 == words.end()) return;
  const std::string& word = *(at + 1);
  if (nearest(word, names) && !std::filesystem::exists(word, ignored))
    throw unknown_command(parsed.name, word, names).in(parsed.name);
}

Error wrong_usage(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  const Parsed parsed = parsed_command(app);
  const bool none = parsed.command == &app;
  if (!none && parsed.command->get_require_subcommand_min() > 0 &&
      dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return no_subcommand(app, parsed, words);
  // CLI11's messages name the option, but not always what was expected. So the hint names --help of the command.
  std::string text = error.what();
  const Names left = unexpected(app, words);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !left.empty()) {
    text = fmt::format("The following argument{} not expected: {}", left.size() == 1 ? " was" : "s were",
                       fmt::join(left, " "));
  }
  std::ranges::replace(text, '\n', ' ');
  return usage_error("wrong usage: {}", text)
      .with_hint(
          fmt::format("{}{} --help shows what is expected", none ? "" : meant(app, parsed, error, words), parsed.name));
}

}  // namespace effnet::cli

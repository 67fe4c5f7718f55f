// The settings of a search from the options of `effnet search run`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/command.h"
#include "effnet/search/nas/nas_search.h"

namespace effnet::cli {

// An empty text, an empty optional and 0 mean that the option is not given.
struct SearchSettings {
  std::string space = {}, points_of = {};
  std::string evaluator = {}, data = {}, recipe = {}, score = {}, supernet = {}, budgets = {};
  std::vector<std::string> overrides = {};  // of the recipe
  std::optional<double> keep = {};
  std::string controller = {}, seed = {};
  int trials = 0, generation = 0, population = 0, tournament = 0;
  std::optional<double> learning_rate = {};
  std::string objective = {}, cost = {}, target = {}, latency_table = {};
  std::optional<double> weight = {};
};
void declare_options(CLI::App& command, SearchSettings& settings);

// The evaluator that the options or else the study name; "proxy" if neither does. Throws Error(usage) for an unknown
// name, and if the study has another evaluator.
std::string evaluator_of(const SearchSettings& o, const std::optional<search::NasSearch>& stored);

// The search that the options ask for. Options that are not given have the values of `stored`, the search of the study,
// or of a new search if that is empty. Throws Error(usage) for wrong values and for options that the evaluator or the
// controller does not have, and the errors of the files that the options name.
search::NasSearch asked_search(const SearchSettings& o, const std::optional<search::NasSearch>& stored);

// Settings of a new search that it accepts, but that cannot work as they are meant, with advice: a population as large
// as the trials, a target that no network can reach.
std::vector<std::string> setting_warnings(const SearchSettings& o, const search::NasSearch& search);

// Throws Error(usage) with the first option whose setting differs, if any does.
void check_same(const search::NasSearch& asked, const search::NasSearch& stored, const std::string& study);

// The device of an evaluator: `device`, the value of --device, or "auto" if that is empty. Throws Error(usage) if it is
// given and this evaluator always runs on the CPU.
std::string device_of(const std::string& device, std::string_view evaluator);

// Throws Error(input) if the images or the supernet that the study was made with are not there any more.
void check_files(const search::NasSearch& search, std::string_view study);

}  // namespace effnet::cli

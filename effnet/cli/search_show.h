// effnet search show STUDY: the state and the results of a search. `effnet search run` shows the same at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/search.h"
#include "effnet/search/control/importance.h"
#include "effnet/search/control/rank_correlation.h"

namespace effnet::cli {

struct SearchShowOptions {
  std::string study = {};
  std::string page = {};     // an HTML file to write
  std::string against = {};  // another study, whose qualities are compared with those of this one
  int top = 10;              // networks that the text lists
  bool live = false;         // show the results until the search has ended
};
void declare_options(CLI::App& command, SearchShowOptions& options);

// The ranks of the same networks in two studies.
struct SearchComparison {
  std::string study = {}, evaluator = {};                          // of the other study
  std::int64_t networks = 0;                                       // that are done in both
  std::optional<search::Correlation> spearman = {}, kendall = {};  // empty if all qualities of a study are equal
};

struct RankedChoice {
  std::size_t choice = 0;  // its index in the space
  search::ChoiceImportance importance = {};
};

inline constexpr std::int64_t kFewestForImportance = 10;  // with fewer networks the importance of choices is noise

struct SearchReport {
  std::string study = {};
  search::NasSearch search = {};
  search::NasResult result = {};
  std::vector<search::NasTrial> trials = {};
  // For the quality with the first budget; the most important choice first. Empty below kFewestForImportance networks.
  std::vector<RankedChoice> importance = {};
  std::int64_t networks = 0;      // different ones that are done with the first budget
  std::int64_t all_networks = 0;  // of the space; 0 if it has too many points to count them
  // The network with the highest quality, where it is known: toy. Empty before the search has ended.
  std::optional<search::NasRow> optimum = {};
  std::optional<SearchComparison> against = {};
  std::vector<std::string> warnings = {};  // of the quality of the best network
  std::string page = {};                   // the HTML file that the command writes
  std::size_t top = 10;
};
// Reads the study. Does not write options.page.
SearchReport search_report(const SearchShowOptions& options);
void show_report(const SearchReport& report, const Globals& globals, Output& out);  // with its warnings
Json to_json(const SearchReport& report);
std::string to_text(const SearchReport& report);
std::string search_page(const SearchReport& report);  // HTML

Body declare_search_show(CLI::App& command, const Globals& globals);

}  // namespace effnet::cli

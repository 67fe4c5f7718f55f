// The page of an architecture search: one self-contained HTML page, made from plain data. Its sections: the history of
// the rewards, quality by cost, the importance of the choices, the best networks, rank correlations. A section without
// data is left out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "effnet/arch/spec.h"

namespace effnet::report {

struct SearchTrial {
  std::int64_t number = 0;  // ascending on the page
  bool failed = false;      // the three numbers then have no meaning
  double reward = 0, quality = 0, cost = 0;
};

struct SearchPoint {
  double quality = 0, cost = 0;
};

// How much of the variance of the quality a choice explains.
struct SearchImportance {
  std::string choice;       // "stage 3: kernel"
  double fraction = 0;      // from 0 to 1
  std::string best_option;  // with the highest mean quality
};

struct SearchNetwork {
  std::string name;  // as the caller calls it, for example "trial 17"
  arch::ArchSpec spec;
  double reward = 0, quality = 0, cost = 0;
  std::string options = {};  // of the choices of the space, as text
  bool front = false;        // whether it is on the Pareto front
};

// How well the order of the networks by quality agrees with their order by another measure of quality.
struct SearchCorrelation {
  std::string with;           // the other measure, for example a study's file
  double kendall = 0;         // Kendall's tau, from -1 to 1
  double spearman = 0;        // Spearman's rho, from -1 to 1
  std::int64_t networks = 0;  // that have both qualities
};

// A number of the page: what it is, for axes and heads of tables ("top-1", "MACs"), and the unit after each value
// (" %", "M"). The caller gives the values in this unit.
struct SearchNumber {
  std::string name;
  std::string unit = {};
};

// All texts may contain any bytes; they are escaped here. A trial with a number that is not finite counts as failed.
struct SearchPage {
  std::string title;
  std::vector<std::string> about = {};                          // lines below the title: the command, the version
  std::vector<std::pair<std::string, std::string>> facts = {};  // name and value
  SearchNumber quality = {.name = "quality"}, cost = {.name = "cost"};
  std::string scope = {};  // which trials are in `history`, if not all: "with 6 epochs"
  std::vector<SearchTrial> history = {};
  std::vector<SearchPoint> front = {};  // the Pareto front: no other trial has a higher quality and a lower cost
  std::vector<SearchImportance> importance = {};
  std::vector<SearchNetwork> best = {};  // the best one first; at most kMaxSearchNetworks are shown
  std::vector<SearchCorrelation> correlations = {};
};
inline constexpr std::size_t kMaxSearchNetworks = 12;

// Returns a complete HTML page. It has no script and no external resource. Throws Error(input) if a network cannot be
// lowered.
std::string search_page(const SearchPage& page);

}  // namespace effnet::report

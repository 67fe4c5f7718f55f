// effnet search export STUDY -o FILE.toml: the arch file of the best network, or of the network of a trial.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/cli/search.h"

namespace effnet::cli {

struct SearchExportOptions {
  std::string study = {};
  int trial = 0;             // 0: the best one
  std::string name = {};     // of the network; empty: SPACE-trialN
  std::string out = {};      // an arch file; "-": stdout
  std::string weights = {};  // a model file with the supernet's weights
};
void declare_options(CLI::App& command, SearchExportOptions& options);

struct SearchExportResult {
  search::NasSearch search = {};
  search::NasRow row = {};
  arch::ArchSpec spec = {};  // with the name
  std::string out = {}, weights = {};
};
SearchExportResult run_search_export(const SearchExportOptions& options, const SearchProgram& program,
                                     const Globals& globals);
Json to_json(const SearchExportResult& result);
std::string to_text(const SearchExportResult& result);
Body declare_search_export(CLI::App& command, const Globals& globals, const SearchProgram& program);

}  // namespace effnet::cli

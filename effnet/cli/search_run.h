// effnet search run STUDY: makes a study, or continues it, and works on it.
#pragma once

#include <string>

#include "effnet/cli/search_settings.h"
#include "effnet/cli/search_worker.h"

namespace effnet::cli {

struct SearchRunOptions {
  SearchSettings settings = {};
  SearchWorkerOptions worker = {};  // with the study
  int workers = 1;                  // processes; 0: only make the study
};
void declare_options(CLI::App& command, SearchRunOptions& options);
Body declare_search_run(CLI::App& command, const Globals& globals, const SearchProgram& program);

}  // namespace effnet::cli

// effnet search worker STUDY: evaluates networks of a study until its search has ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "effnet/cli/search.h"

namespace effnet::cli {

// How a worker runs. Nothing here changes a result.
struct SearchWorkerOptions {
  std::string study = {};
  std::string device = {};  // empty: not given
  double timeout_s = 120;   // without a heartbeat, before a trial is claimed again
  int trials = 0;           // ends after so many; 0: when the search has ended
};
void declare_place_options(CLI::App& command, SearchWorkerOptions& options);  // --device, --timeout

// The folder for the files of trials in progress of the study at `where`: a folder in Study::runs_folder() whose name
// is a digest of the settings. So a study that is removed and made again does not find the files of the old one, whose
// trials had the same numbers. The study need not exist.
std::filesystem::path runs_folder(const std::string& where, std::string_view settings);
// Removes this folder and Study::runs_folder(), unless other workers have files in them.
void remove_empty_runs_folder(const std::string& where, std::string_view settings);

// Whether a trial is a training, which takes minutes.
bool is_training(const search::NasSearch& search);
// Reports the end of a trial: a line for a training, with the time that `workers` processes need for the rest; a status
// line otherwise. `ended`: how many have ended.
void report_end(const search::NasSearch& search, search::Study& study, const search::Trial& trial, std::int64_t ended,
                int workers, Output& out);

// Evaluates trials until the search has ended, or options.trials of them.
search::WorkerResult evaluate_trials(const SearchWorkerOptions& options, const search::NasSearch& search,
                                     search::Study& study, search::Evaluator& evaluator, Output& out);

struct SearchWorkerReport {
  search::WorkerResult result;
  bool complete = false;  // the search has ended
};
Json to_json(const SearchWorkerReport& report);
std::string to_text(const SearchWorkerReport& report);
Body declare_search_worker(CLI::App& command, const Globals& globals, const SearchProgram& program);

}  // namespace effnet::cli

// The files that training writes into the run folder: the lock, config.toml, metrics.csv, broken.csv, summary.json.
// Only rank 0 has a RunFolder. All files are written atomically, except metrics.csv: lines are appended to it, and a
// run that resumes truncates it to the length that is stored in the checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/report/run_folder.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/summary.h"

namespace effnet::train {

inline constexpr const char* kLockFile = "lock";  // in a run folder; a process that trains in it holds the lock

class RunFolder {
 public:
  // Creates the folder and locks it. Throws Error(environment) if another process has the lock or the folder is not
  // writable.
  explicit RunFolder(std::filesystem::path folder);
  ~RunFolder();  // if no run was started, removes the lock file, and the folder if the constructor created it
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  bool contains_run() const;                // true if any file of a run exists
  std::optional<Summary> finished() const;  // summary.json; null without report.html, the last file of a run
  bool has_model() const;                   // true if model.safetensors exists and is not empty
  void remove_traces() const;               // removes config.toml, metrics.csv and events of a run without a checkpoint

  void mark_unfinished() const;  // removes summary.json and report.html, so that finished() returns null
  void write_config(const std::string& text) const;
  void write_summary(const Summary& summary) const;

  // Creates metrics.csv with its header (`bytes` = 0), or truncates it to `bytes`. If the file is shorter, damaged or
  // missing, the remaining lines are kept and a warning is logged. begin_metrics() and append_metrics() return
  // the length of the file in bytes.
  std::uint64_t begin_metrics(std::uint64_t bytes, const Log& log);
  std::uint64_t append_metrics(const report::EpochMetrics& row);  // the line is on disk when it returns
  const std::vector<report::EpochMetrics>& metrics() const { return metrics_; }

  // Adds images to broken.csv (columns: path, why). Lines that are already there are not repeated.
  void add_corrupt(const std::vector<std::pair<std::string, std::string>>& corrupt) const;

 private:
  std::filesystem::path folder_;
  bool created_ = false;  // this object created the folder
  std::unique_ptr<FileLock> lock_;
  std::vector<report::EpochMetrics> metrics_;
};

// The validated epochs from best to worst, by the same score as Position::best_top1: the top-1 of the averaged weights
// if the run has them, else of the trained weights. If two epochs have the same score, the earlier one comes first.
std::vector<std::int64_t> ranked_epochs(const std::vector<report::EpochMetrics>& metrics);

}  // namespace effnet::train

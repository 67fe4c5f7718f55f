// A run folder's files, as training writes them: the lock, the configuration, metrics.csv, broken.csv, summary.json.
// Only rank 0 has one. Everything but metrics.csv appears whole or not at all; metrics.csv only grows, and is cut to
// the length that a checkpoint remembers when a run goes on from it.
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

class RunFolder {
 public:
  // Makes the folder and takes its lock. Throws Error(environment) if another trainer holds it or nothing can be
  // written there.
  explicit RunFolder(std::filesystem::path folder);
  ~RunFolder();  // takes away the lock, and the folder that was made here, if no run has begun
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  bool contains_run() const;
  std::optional<Summary> finished() const;  // summary.json, if it and what is written last, report.html, are there
  bool has_model() const;                   // model.safetensors, not empty
  void remove_traces() const;                      // what says that there is a run, where none has begun

  void mark_unfinished() const;  // no longer finished()
  void write_config(const std::string& text) const;
  void write_summary(const Summary& summary) const;

  // metrics.csv with its header alone (0), or cut to `bytes`. If it is shorter, damaged or gone, the run goes on with
  // the lines that are left, and `tell` gets a warning. Both return the length.
  std::uint64_t begin_metrics(std::uint64_t bytes, const Log& tell);
  std::uint64_t append_metrics(const report::EpochMetrics& row);  // on disk when it returns
  const std::vector<report::EpochMetrics>& metrics() const { return metrics_; }

  // broken.csv: `path,why`, what was there before and these, each once.
  void add_corrupt(const std::vector<std::pair<std::string, std::string>>& broken) const;

 private:
  std::filesystem::path folder_;
  bool made_ = false;  // the folder, by this object
  std::unique_ptr<FileLock> lock_;
  std::vector<report::EpochMetrics> metrics_;
};

// Epochs from the best on, by what position.best_top1 goes by: the averaged weights' top-1 where there is one, else the
// plain ones'; of equals the earlier. Epochs that were not validated are left out.
std::vector<std::int64_t> ranked_epochs(const std::vector<report::EpochMetrics>& metrics);

}  // namespace effnet::train

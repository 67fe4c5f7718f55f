// The images and measurements of the report page, from the run's dataset and its model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/cli/output.h"
#include "effnet/data/dataset.h"
#include "effnet/model/classifier.h"
#include "effnet/report/run_report.h"
#include "effnet/report/thumbnails.h"

namespace effnet::cli {

// The images of a run. Warns if they cannot be read; all results are then empty.
class RunImages {
 public:
  // `folder`: the folder of the images; empty: the one that the run recorded. Labels and parts are those of
  // RUN/config.toml (data.labels, data.split), if it has them.
  RunImages(const std::filesystem::path& run, const std::string& folder, Output& out);

  const report::ReadImage& read() const { return read_; }
  const std::vector<std::string>& classes() const { return classes_; }
  const std::vector<report::ClassCounts>& counts() const { return counts_; }
  // Names of up to `most` training images of different classes. Images in `other` are left out.
  std::vector<std::string> training_names(std::size_t most, const std::vector<std::string>& other) const;

 private:
  void count(const data::Dataset& set, const std::vector<data::Part>& parts);

  report::ReadImage read_;
  std::vector<std::string> classes_;
  std::vector<report::ClassCounts> counts_;
  std::vector<std::vector<std::string>> training_;  // the first names of each class
};

// The model of a run, RUN/model.safetensors. Warns if it cannot be read or run. `pool` and `out` must outlive it and
// the functions that it returns.
class RunModel {
 public:
  RunModel(const std::filesystem::path& run, ThreadPool& pool, Output& out);

  std::vector<std::string> labels() const;
  // Empty if there is no model, or if its head does not support class activation maps.
  report::Heat heat(const report::ReadImage& read);
  // The augmentation of RUN/config.toml. Empty if the run has none.
  report::Views views(const report::ReadImage& read);
  std::optional<report::ModelSpeed> speed();  // takes about a second

 private:
  std::filesystem::path run_, file_;
  ThreadPool& pool_;
  Output& out_;
  std::shared_ptr<model::ModelHandle> handle_;  // null: no model
};

}  // namespace effnet::cli

// Makes the report of a run: a self-contained HTML page from the run folder and, if they can be read, the images of the
// dataset and the model. Its sections: accuracy with its interval, data, choices of `effnet finetune`, curves,
// confusion matrix, classes, calibration, worst mistakes, probable label errors, augmented images, speed,
// configuration. It also makes a page that compares several runs. A page needs no script, no font and no other file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// The functions below give the page its images. Each returns JPEG files for the name of an image in the run folder's
// CSV files. It returns no bytes if there is no such image. An empty function leaves these images out.
using Jpeg = std::vector<std::byte>;
using Thumbnail = std::function<Jpeg(const std::string& name)>;
// The image with its class activation map for a class (an index of the run's classes). Called at most kMaxHeats times.
using Heat = std::function<Jpeg(const std::string& name, std::int64_t class_index)>;
// Several augmented views of an image, as a training step uses them.
using Views = std::function<std::vector<Jpeg>(const std::string& name)>;

inline constexpr std::size_t kMaxHeats = 24;

// The images of a class in each split.
struct ClassCounts {
  std::string name;
  std::int64_t train = 0, val = 0, test = 0;

  std::int64_t total() const { return train + val + test; }
  friend bool operator==(const ClassCounts&, const ClassCounts&) = default;
};

// The size of the saved model, and its speed on this machine.
struct ModelSpeed {
  std::int64_t params = 0, macs = 0;  // macs: for one image at `resolution`
  std::int64_t file_bytes = 0;
  std::string resolution;        // "224" or "300x200"
  double one_image_ms = 0;       // median latency of batch 1
  double images_per_second = 0;  // at `batch`
  std::int64_t batch = 0;        // of images_per_second
  int threads = 0;               // of both measurements
  std::string cpu, isa, precision = "fp32";
};

// What the page shows beside the files of the run folder.
struct ReportParts {
  std::vector<std::string> classes = {};  // class names by index
  Thumbnail thumbnail = {};
  Heat heat = {};
  Views views = {};
  std::vector<std::string> view_names = {};  // candidates for `views`; the page shows the first 6 that can be read
  std::vector<ClassCounts> counts = {};      // if finetune.json has none
  std::optional<ModelSpeed> speed = {};
};

// Returns the page as HTML. Throws Error(input) if metrics.csv or config.toml is missing, or if a file of the run
// folder is corrupt.
std::string run_report(const std::filesystem::path& run_folder, const ReportParts& parts);

// A run on the page of several runs.
struct ComparedRun {
  std::filesystem::path folder;
  std::string link;  // relative URL of the run's own page; empty: no link
};
struct ComparedSetting {
  std::string key;
  std::vector<std::string> values;  // one for each run
};
// Returns a page with a table of the runs, their curves in common charts, and the settings in which they differ. Throws
// as run_report(); Error(usage) if there are fewer than 2 or more than kMaxComparedRuns runs.
std::string comparison_report(const std::vector<ComparedRun>& runs, const std::vector<ComparedSetting>& settings);

inline constexpr std::size_t kMaxComparedRuns = 24;

}  // namespace effnet::report

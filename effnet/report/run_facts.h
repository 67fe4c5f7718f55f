// The data that run_report reads from a run folder, and the functions that make the sections of the page. For use
// inside effnet/report only.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/metrics/confusion.h"
#include "effnet/metrics/intervals.h"
#include "effnet/report/events.h"
#include "effnet/report/finetune_file.h"
#include "effnet/report/html.h"
#include "effnet/report/page_parts.h"
#include "effnet/report/run_findings.h"
#include "effnet/report/run_folder.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann's move constructor asserts
struct RunFacts {
  std::string name;   // name of the folder
  std::string model;  // model.name of config.toml; may be empty
  std::string config;
  std::vector<EpochMetrics> epochs;
  Scalars steps;                   // of the TensorBoard files: train/loss, train/lr, ...
  nlohmann::ordered_json summary;  // an object; empty if there is no summary.json
  std::optional<std::vector<Prediction>> predictions;
  std::optional<FinetuneFile> finetune;
  std::optional<std::vector<LabelError>> label_errors;  // empty: not searched, or not yet
  std::vector<NearDuplicate> near_duplicates;
  std::vector<std::string> classes;
  std::vector<ClassCounts> counts;

  // The class's name, or "class 7" if it has none.
  std::string class_name(std::int64_t index) const;
  // A number in summary.json; empty if it is absent or null.
  std::optional<double> number(const char* key) const;
};
RunFacts read_run(const std::filesystem::path& folder, const ReportParts& parts);

// Whether the test images and predictions.csv measure the model of the trial, because that of the run was trained on
// all images (effnet finetune --final).
bool measures_trial(const RunFacts& run);

// The accuracy that the page shows first.
struct ShownAccuracy {
  double top1 = 0;                            // percent
  std::string what;                           // "test top-1 of the saved model, epoch 3"
  bool is_unseen = false;                     // no choice of the run (epoch, settings) used these images
  bool is_selected = false;                   // the epoch was selected on these images
  std::int64_t images = 0;                    // 0: unknown
  std::optional<metrics::Interval> interval;  // 95 %, 0..1
};
std::optional<ShownAccuracy> shown_accuracy(const RunFacts& run);
struct BestEpoch {
  double top1 = 0;         // validation accuracy in percent
  std::int64_t epoch = 0;  // 0: unknown
};
std::optional<BestEpoch> best_epoch(const RunFacts& run);
// When the run began, "2026-11-29 12:00 UTC"; empty if it is unknown.
std::string start_of(const RunFacts& run);

// Each function returns a section's HTML. Those with "empty" in the comment return an empty text if the run cannot have
// the section, for example because a file is missing. If something was searched and not found, the section says so.
std::string headline(const RunFacts& run);
std::string data_summary(const RunFacts& run, const Thumbnail& thumbnail);  // empty
std::string choices(const RunFacts& run);                                   // empty
std::string curves(const RunFacts& run);
std::string confusion(const RunFacts& run, const metrics::Confusion& confusion);
std::string per_class(const RunFacts& run, const metrics::Confusion& confusion);
std::string calibration(const RunFacts& run);
std::string mistakes(const RunFacts& run, const Thumbnail& thumbnail, const Heat& heat);
std::string label_errors(const RunFacts& run, const Thumbnail& thumbnail);  // empty
std::string augmented_views(const ReportParts& parts);                      // empty
std::string speed(const RunFacts& run, const std::optional<ModelSpeed>& measured);
std::string configuration(const RunFacts& run);

// "<img ...>" for a JPEG file, or "no image". `alt`: a text for people who do not see the image.
std::string jpeg_image(const Jpeg& file, std::string_view alt);
// jpeg_image() of provider(arguments...). The report is made even if an image is missing or corrupt: Error(input)
// counts as no image.
template <class Provider, class... Arguments>
std::string image_of(std::string_view alt, const Provider& provider, const Arguments&... arguments) {
  if (!provider) return jpeg_image({}, alt);
  try {
    return jpeg_image(provider(arguments...), alt);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    return jpeg_image({}, alt);
  }
}

}  // namespace effnet::report

#include "effnet/report/run_report.h"

#include <algorithm>

#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

metrics::Confusion count(const RunFacts& run) {
  auto classes = static_cast<std::int64_t>(run.classes.size());
  for (const Prediction& one : *run.predictions) classes = std::max({classes, one.label + 1, one.predicted + 1});
  metrics::Confusion confusion(classes);
  for (const Prediction& one : *run.predictions) confusion.add(one.label, one.predicted);
  return confusion;
}

}  // namespace

std::string run_report(const std::filesystem::path& run_folder, const ReportParts& parts) {
  const RunFacts run = read_run(run_folder, parts);
  std::vector<Section> sections;
  const auto add = [&](const char* id, const char* title, std::string body) {
    if (!body.empty()) sections.push_back({id, title, std::move(body)});
  };
  add("data", "Data", data_summary(run, parts.thumbnail));
  add("choices", "Choices", choices(run));
  add("curves", "Training", curves(run));
  if (run.predictions && !run.predictions->empty()) {
    const metrics::Confusion counted = count(run);
    add("confusion", "Confusion", confusion(run, counted));
    add("classes", "Classes", per_class(run, counted));
    add("calibration", "Calibration", calibration(run));
    add("mistakes", "Worst mistakes", mistakes(run, parts.thumbnail, parts.heat));
  } else {
    add("results", "Results",
        note(run.predictions
                 ? "predictions.csv contains no images, so confusion, classes, calibration and mistakes are "
                   "not shown."
                 : "There is no predictions.csv in the run folder, so confusion, classes, calibration and "
                   "mistakes are not shown. Training writes the file at its end if there are validation or "
                   "test images."));
  }
  add("labels", "Label errors", label_errors(run, parts.thumbnail));
  add("views", "Augmentation", augmented_views(parts));
  add("speed", "Speed and memory", speed(run, parts.speed));
  add("configuration", "Configuration", configuration(run));
  return page(run.name + " - effnet", headline(run), sections);
}

}  // namespace effnet::report

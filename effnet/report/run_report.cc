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
  const auto with_predictions = [&](auto part) -> std::string {
    if (!run.predictions)
      return note(
          "There is no predictions.csv in the run folder: training writes it at the end of a run with validation or "
          "test images.");
    if (run.predictions->empty()) return note("predictions.csv contains no images.");
    return part();
  };
  std::optional<metrics::Confusion> counted;
  if (run.predictions && !run.predictions->empty()) counted = count(run);
  add("data", "Data", data_summary(run, parts.thumbnail));
  add("choices", "Choices", choices(run));
  add("curves", "Training", curves(run));
  add("confusion", "Confusion", with_predictions([&] { return confusion(run, *counted); }));
  add("classes", "Classes", with_predictions([&] { return per_class(run, *counted); }));
  add("calibration", "Calibration", with_predictions([&] { return calibration(run); }));
  add("mistakes", "Worst mistakes", with_predictions([&] { return mistakes(run, parts.thumbnail, parts.heat); }));
  add("labels", "Label errors", label_errors(run, parts.thumbnail));
  add("views", "Augmentation", augmented_views(parts));
  add("speed", "Speed and memory", speed(run, parts.speed));
  add("configuration", "Configuration", configuration(run));
  return page(run.name + " - effnet", headline(run), sections);
}

}  // namespace effnet::report

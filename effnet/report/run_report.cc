#include "effnet/report/run_report.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"
#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kMaxSummaryBytes = 1 << 20;

Json read_summary(const fs::path& file) {
  if (!fs::exists(file)) return Json::object();
  const std::string text = read_text(file);
  if (text.size() > kMaxSummaryBytes)
    throw input_error("{}: too large (got {} bytes, expected at most {})", file.string(), text.size(),
                      kMaxSummaryBytes);
  Json summary = Json::parse(text, nullptr, false);
  if (!summary.is_object()) throw input_error("{}: corrupt (expected one JSON object)", file.string());
  for (const char* key :
       {"best_top1", "best_epoch", "saved_top1", "saved_epoch", "test_top1", "epochs", "images_per_second", "seconds",
        "params", "macs", "world_size", "peak_rss_bytes", "peak_device_bytes"}) {
    const auto found = summary.find(key);
    if (found != summary.end() && !found->is_number() && !found->is_null())
      throw input_error("{}: {}: wrong value (got {}, expected a number)", file.string(), key,
                        in_quotes(found->dump()));
  }
  return summary;
}

RunFacts read_run(const fs::path& folder, const std::vector<std::string>& classes) {
  if (!fs::is_directory(folder))
    throw input_error("{}: not a run folder (no folder with this name exists)", folder.string());
  for (const char* file : {"config.toml", "metrics.csv"}) {
    if (fs::exists(folder / file)) continue;
    throw input_error("{}: not a run folder ({} is missing; expected a folder that effnet train has written)",
                      folder.string(), file);
  }
  RunFacts run;
  const fs::path whole = fs::weakly_canonical(folder);
  run.name = whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
  const fs::path config = folder / "config.toml";
  run.config = read_text(config);
  run.model = TomlTable::parse(run.config, config.string()).table("model").text("name", "");
  run.epochs = read_metrics(folder / "metrics.csv");
  run.summary = read_summary(folder / "summary.json");
  if (fs::exists(folder / "predictions.csv")) run.predictions = read_predictions(folder / "predictions.csv");
  run.classes = classes;
  return run;
}

metrics::Confusion count(const RunFacts& run) {
  auto classes = static_cast<std::int64_t>(run.classes.size());
  for (const Prediction& one : *run.predictions) classes = std::max({classes, one.label + 1, one.predicted + 1});
  metrics::Confusion confusion(classes);
  for (const Prediction& one : *run.predictions) confusion.add(one.label, one.predicted);
  return confusion;
}

}  // namespace

std::string RunFacts::class_name(std::int64_t index) const {
  const auto at = static_cast<std::size_t>(index);
  return at < classes.size() && !classes[at].empty() ? classes[at] : fmt::format("class {}", index);
}

std::optional<double> RunFacts::number(const char* key) const {
  const auto found = summary.find(key);
  if (found == summary.end() || !found->is_number()) return {};
  return found->get<double>();
}

std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e12)) return "?";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < std::int64_t{48} * 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {:02} h", whole / 86400, whole % 86400 / 3600);
}

std::string bytes_text(double bytes) {
  for (const auto& [unit, size] : {std::pair("GiB", 0x1p30), std::pair("MiB", 0x1p20), std::pair("KiB", 0x1p10)}) {
    if (bytes >= size) return fmt::format("{:.3g} {}", bytes / size, unit);
  }
  return fmt::format("{} bytes", bytes);
}

std::string note(std::string_view text) { return fmt::format("<p class=\"note\">{}</p>", escaped(text)); }

std::string run_report(const fs::path& run_folder, const std::vector<std::string>& classes,
                       const Thumbnail& thumbnail) {
  const RunFacts run = read_run(run_folder, classes);
  std::vector<Section> sections{{"curves", "Training", curves(run)}};
  const auto with_predictions = [&](auto part) -> std::string {
    if (!run.predictions)
      return note("There is no predictions.csv in the run folder: training writes it at the end of the run.");
    if (run.predictions->empty()) return note("predictions.csv contains no images.");
    return part();
  };
  std::optional<metrics::Confusion> counted;
  if (run.predictions && !run.predictions->empty()) counted = count(run);
  sections.push_back({"confusion", "Confusion", with_predictions([&] { return confusion(run, *counted); })});
  sections.push_back({"classes", "Classes", with_predictions([&] { return per_class(run, *counted); })});
  sections.push_back({"calibration", "Calibration", with_predictions([&] { return calibration(run); })});
  sections.push_back({"mistakes", "Worst mistakes", with_predictions([&] { return mistakes(run, thumbnail); })});
  sections.push_back({"speed", "Speed and memory", speed(run)});
  sections.push_back({"configuration", "Configuration", configuration(run)});
  return page(run.name + " - effnet", headline(run), sections);
}

}  // namespace effnet::report

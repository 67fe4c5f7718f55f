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

#include "effnet/metrics/confusion.h"
#include "effnet/report/html.h"
#include "effnet/report/run_folder.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann's move constructor asserts
struct RunFacts {
  std::string name;   // name of the folder
  std::string model;  // model.name of config.toml; may be empty
  std::string config;
  std::vector<EpochMetrics> epochs;
  nlohmann::ordered_json summary;  // an object; empty if there is no summary.json
  std::optional<std::vector<Prediction>> predictions;
  std::vector<std::string> classes;

  // The class's name, or "class 7" if it has none.
  std::string class_name(std::int64_t index) const;
  // A number in summary.json; empty if it is absent or null.
  std::optional<double> number(const char* key) const;
};

std::string headline(const RunFacts& run);
std::string curves(const RunFacts& run);
std::string confusion(const RunFacts& run, const metrics::Confusion& confusion);
std::string per_class(const RunFacts& run, const metrics::Confusion& confusion);
std::string calibration(const RunFacts& run);
std::string mistakes(const RunFacts& run, const Thumbnail& thumbnail);
std::string speed(const RunFacts& run);
std::string configuration(const RunFacts& run);

// "1 h 02 min", "3 min 05 s", "12.3 s".
std::string duration(double seconds);
std::string bytes_text(double bytes);     // "1.25 GiB"
std::string note(std::string_view text);  // a highlighted paragraph, for example the reason why a section is empty

}  // namespace effnet::report

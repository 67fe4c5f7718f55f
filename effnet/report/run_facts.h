// What run_report read of a run folder, and the parts of the page made of it. Not for use outside of effnet/report.
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
  std::string name;   // of the folder
  std::string model;  // model.name of config.toml; may be empty
  std::string config;
  std::vector<EpochMetrics> epochs;
  nlohmann::ordered_json summary;  // an object; empty: no summary.json
  std::optional<std::vector<Prediction>> predictions;
  std::vector<std::string> classes;

  // "class 7" where there is no name.
  std::string class_name(std::int64_t index) const;
  // A number of summary.json; empty where it is absent or null.
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
std::string note(std::string_view text);  // why a part is missing

}  // namespace effnet::report

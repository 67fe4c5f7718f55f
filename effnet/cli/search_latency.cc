#include "effnet/cli/search_latency.h"

#include <algorithm>
#include <span>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/search.h"
#include "effnet/model/measure_latencies.h"

namespace effnet::cli {
namespace {

// An error above it is as large as the difference of many networks that a search compares.
constexpr double kLargeError = 0.1;

// The networks to measure, and how many of the last ones are for the error: these are random (covering_points()). The
// base is the default target of a search, so its parts must be in the table, also if its own options are not among the
// choices.
struct Networks {
  std::vector<arch::ArchSpec> specs;
  std::size_t checked = 0;
};
Networks networks_to_measure(const search::Space& space, std::int64_t random) {
  constexpr std::uint64_t kSeed = 1;
  const std::vector<search::Point> points = search::covering_points(space, random, kSeed);
  Networks networks{.specs = {}, .checked = static_cast<std::size_t>(search::networks_to_check(std::ssize(points)))};
  networks.specs.reserve(points.size() + 1);
  if (!search::find_point(space, space.base)) networks.specs.push_back(space.base);
  for (const search::Point& point : points) networks.specs.push_back(search::network_of(space, point));
  return networks;
}

}  // namespace

void declare_options(CLI::App& command, SearchLatencyOptions& o) {
  command.add_option("SPACE", o.space, kSpaceHelp)->required();
  add_output(command, "-o,--out", o.out, "Write the table to this file")->type_name("TABLE.json")->required();
  command.add_option("--seconds", o.seconds, "Measure each network for S seconds [0.5]")->type_name("S");
  add_number(command, "--random", o.random, 10, 100'000,
             "Measure N random networks too; a part of them gives the error of the predictions [100]");
}

SearchLatencyResult run_search_latency(const SearchLatencyOptions& o, const Globals& globals, Output& out) {
  check_seconds(o.seconds);
  check_no_stdout("-o", o.out);
  check_extension("-o", o.out, ".json");
  check_not_input("-o", o.out, o.space);
  const search::Space space = load_space(o.space);
  AtomicFile file(o.out);  // throws now, and not after an hour of measurement, if it cannot be written
  const int threads = thread_count(globals);
  auto [specs, checked] = networks_to_measure(space, o.random);
  out.say(fmt::format("measures {} of {} for {:g} s each: at least {}", count_of(std::ssize(specs), "network"),
                      space.name, o.seconds, time_text(static_cast<double>(specs.size()) * o.seconds)));
  const std::vector<double> ms = model::measure_latencies(
      specs, {.threads = threads, .seconds = o.seconds, .note = [&](std::string_view text) { out.status(text); }});
  out.status("");
  std::vector<search::TimedNetwork> timed;
  timed.reserve(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) timed.push_back({std::move(specs[i]), ms[i]});
  const std::span<const search::TimedNetwork> all = timed;
  SearchLatencyResult result{.space = space.name,
                             .given = o.space,
                             .table = search::fit_latency(all.first(all.size() - checked), all.last(checked)),
                             .out = o.out};
  result.table.machine = model::machine_text(threads);
  file.write(search::to_text(result.table));
  file.commit();
  for (const std::string& text : latency_warnings(result.table)) out.warn(text);
  return result;
}

std::vector<std::string> latency_warnings(const search::LatencyTable& table) {
  std::vector<std::string> warnings;
  if (table.error > kLargeError) {
    warnings.push_back(fmt::format(
        "the predictions are not accurate: {:.1f} % from the measured latency on average (expected at most {:.0f} %). "
        "The machine was busy, or the networks are too small to measure. Stop other programs, and measure each network "
        "longer (--seconds)",
        100 * table.error, 100 * kLargeError));
  }
  const auto zero = std::ranges::count_if(table.parts_ms, [](const auto& part) { return part.second == 0; });
  // The fit gives 0 ms to a part whose time is smaller than the deviations of the measurements.
  if (zero > 0) {
    warnings.push_back(fmt::format("{} of {} have 0 ms: their times are too short to measure; --seconds S helps", zero,
                                   count_of(std::ssize(table.parts_ms), "part")));
  }
  return warnings;
}

Json to_json(const SearchLatencyResult& result) {
  const search::LatencyTable& table = result.table;
  return {{"space", result.space},
          {"machine", table.machine},
          {"networks", table.networks},
          {"parts", table.parts_ms.size()},
          {"checked", table.checked},
          {"error", table.error},
          {"worst_error", table.worst_error},
          {"path", result.out}};
}

std::string to_text(const SearchLatencyResult& result) {
  const search::LatencyTable& table = result.table;
  return fmt::format(
      "{}: times of {}, fitted to {}, on {}\n"
      "error of the prediction for {}: {:.1f} % on average, {:.1f} % at most\n"
      "written to {}; try: effnet search run STUDY --space {} --cost latency --latency-table {}\n",
      result.space, count_of(std::ssize(table.parts_ms), "part"), count_of(table.networks, "network"), table.machine,
      count_of(table.checked, "other network"), 100 * table.error, 100 * table.worst_error, result.out,
      path_in_shell(result.given), path_in_shell(result.out));
}

Body declare_search_latency(CLI::App& command, const Globals& globals) {
  return bind(command, globals, run_search_latency);
}

}  // namespace effnet::cli

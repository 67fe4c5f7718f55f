#include "effnet/cli/search_latency.h"

#include <span>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/search.h"
#include "effnet/model/measure_latencies.h"

namespace effnet::cli {

void declare_options(CLI::App& command, SearchLatencyOptions& o) {
  command.add_option("SPACE", o.space, kSpaceHelp)->required();
  command.add_option("-o,--out", o.out, "Write the table to this file")->type_name("TABLE.json")->required();
  command.add_option("--seconds", o.seconds, "Measure each network for S seconds [0.5]")->type_name("S");
  add_number(command, "--random", o.random, 10, 100'000,
             "Measure N random networks too; a part of them gives the error of the predictions [100]");
}

SearchLatencyResult run_search_latency(const SearchLatencyOptions& o, const Globals& globals, Output& out) {
  constexpr std::uint64_t kSeed = 1;
  check_seconds(o.seconds);
  check_no_stdout("-o", o.out);
  check_not_input("-o", o.out, o.space);
  const search::Space space = load_space(o.space);
  AtomicFile file(o.out);  // throws now, and not after an hour of measurement, if it cannot be written
  const int threads = thread_count(globals);
  std::vector<arch::ArchSpec> specs;
  for (const search::Point& point : search::covering_points(space, o.random, kSeed))
    specs.push_back(search::network_of(space, point));
  const double minutes = static_cast<double>(specs.size()) * o.seconds / 60;
  out.say(fmt::format("measures {} of {} for {:g} s each: at least {:.0f} min", count_of(std::ssize(specs), "network"),
                      space.name, o.seconds, minutes));
  const std::vector<double> ms = model::measure_latencies(
      specs, {.threads = threads, .seconds = o.seconds, .note = [&](std::string_view text) { out.status(text); }});
  out.status("");
  std::vector<search::TimedNetwork> timed;
  timed.reserve(specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) timed.push_back({std::move(specs[i]), ms[i]});
  // The last ones are random networks (covering_points()).
  const std::span<const search::TimedNetwork> all = timed;
  const auto checked = static_cast<std::size_t>(search::networks_to_check(static_cast<std::int64_t>(all.size())));
  SearchLatencyResult result{.space = space.name,
                             .table = search::fit_latency(all.first(all.size() - checked), all.last(checked)),
                             .out = o.out};
  result.table.machine = model::machine_text(threads);
  file.write(search::to_text(result.table));
  file.commit();
  return result;
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
      count_of(table.checked, "other network"), 100 * table.error, 100 * table.worst_error, result.out, result.space,
      in_shell(result.out));
}

Body declare_search_latency(CLI::App& command, const Globals& globals) {
  return bind(command, globals, run_search_latency);
}

}  // namespace effnet::cli

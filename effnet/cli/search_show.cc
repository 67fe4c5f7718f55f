#include "effnet/cli/search_show.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/search_text.h"
#include "effnet/report/run_warnings.h"
#include "effnet/search/nas/toy.h"

namespace effnet::cli {
namespace {

using search::NasRow;
using search::NasSearch;
using search::TrialState;

constexpr double kLiveS = 1;                 // between two texts of --live
constexpr std::uint64_t kBootstrapSeed = 1;  // of the intervals of rank correlations

// The different networks with their qualities with the first budget, which every network has got: the best networks of
// successive halving alone would be a biased sample.
std::vector<search::ValuedPoint> valued_points(const NasSearch& search, const std::vector<search::NasTrial>& trials) {
  std::vector<search::ValuedPoint> values;
  std::set<std::string_view> seen;
  for (const search::NasTrial& trial : trials) {
    if (trial.state == TrialState::done && trial.what.budget == search.budgets.front() &&
        seen.insert(trial.what.candidate).second)
      values.push_back({trial.point, trial.numbers.quality});
  }
  return values;
}

std::vector<RankedChoice> ranked_choices(const search::Space& space, const std::vector<search::ValuedPoint>& values) {
  std::vector<RankedChoice> ranked;
  if (std::ssize(values) < kFewestForImportance) return ranked;
  ranked.reserve(space.choices.size());
  for (search::ChoiceImportance& one : search::importance(space, values))
    ranked.push_back({.choice = ranked.size(), .importance = std::move(one)});
  std::ranges::stable_sort(ranked, std::greater<>(), [](const RankedChoice& one) { return one.importance.explained; });
  return ranked;
}

// The number of networks of a small space; 0 if it has more points.
std::int64_t count_networks(const search::Space& space) {
  constexpr std::int64_t kMostPoints = 2000;  // takes some milliseconds
  std::int64_t points = 1;
  for (const search::Choice& choice : space.choices) {
    points *= std::ssize(choice.options);
    if (points > kMostPoints) return 0;
  }
  std::set<search::Point> networks;
  for (std::int64_t i = 0; i < points; ++i) {
    search::Point point;
    point.reserve(space.choices.size());
    std::int64_t rest = i;
    for (const search::Choice& choice : space.choices) {
      point.push_back(static_cast<int>(rest % std::ssize(choice.options)));
      rest /= std::ssize(choice.options);
    }
    networks.insert(search::canonical(space, point));
  }
  return std::ssize(networks);
}

// The best network of the toy; empty for other evaluators, and if it cannot be found.
std::optional<NasRow> known_optimum(const NasSearch& search) {
  if (search.evaluator.name != "toy") return {};
  try {
    const auto found = search::toy_optimum(search.space, search.evaluator.seed);
    return NasRow{.point = found.point,
                  .quality = found.quality,
                  .cost = search::cost_of(search, search::network_of(search.space, found.point))};
  } catch (const Error&) {
    return {};
  }
}

// What a training says of its accuracy, for the best network: with few images the best of many networks is the
// luckiest. Studies of earlier versions do not have the number of images.
std::vector<std::string> quality_warnings(const NasRow& best, const std::vector<search::NasTrial>& trials) {
  const auto trial = std::ranges::find(trials, best.trial, &search::Trial::id);
  if (trial == trials.end()) return {};
  const Json details = Json::parse(trial->details, nullptr, /*allow_exceptions=*/false);
  const auto count = [&](const char* name) -> std::int64_t {
    const Json::json_pointer path(fmt::format("/evaluator/{}", name));
    return details.contains(path) && details[path].is_number_integer() ? details[path].get<std::int64_t>() : 0;
  };
  const std::int64_t images = count("images"), largest = count("largest_class");
  if (images < 1 || largest < 1) return {};
  const std::int64_t right = std::llround(best.quality * static_cast<double>(images));
  const std::optional<std::string> warning = report::chance_warning(right, images, largest);
  if (!warning) return {};
  return {fmt::format("the best network, trial {}: {}", best.trial, *warning)};
}

SearchComparison compare(const NasSearch& search, const search::NasResult& result, const std::string& against) {
  search::Study study(against, search::kNasStudy, {}, search::Access::read);
  const NasSearch other = stored_search(study);
  if (!search::same_networks(other.space, search.space))
    throw usage_error("--against: the studies have different spaces (got {} and {}, expected the same one)",
                      other.space.name, search.space.name);
  std::map<search::Point, double> qualities;
  const search::NasResult other_result = search::result_of(other, stored_trials(study, other));
  for (const NasRow& row : other_result.best) qualities[row.point] = row.quality;
  std::vector<double> a, b;
  for (const NasRow& row : result.best) {
    const auto found = qualities.find(row.point);
    if (found == qualities.end()) continue;
    a.push_back(row.quality);
    b.push_back(found->second);
  }
  constexpr std::size_t kFewest = 3;
  if (a.size() < kFewest) {
    throw usage_error("--against: too few networks are done in both studies (got {}, expected at least {})", a.size(),
                      kFewest)
        .with_hint("effnet search run STUDY2 --points-of STUDY evaluates the networks of a study again");
  }
  return {.study = study.name(),
          .evaluator = other.evaluator.name,
          .networks = static_cast<std::int64_t>(a.size()),
          .spearman = search::correlation_95(search::spearman_rho, a, b, kBootstrapSeed),
          .kendall = search::correlation_95(search::kendall_tau_b, a, b, kBootstrapSeed)};
}

// Shows the results again and again, until the search has ended.
SearchReport watch(const SearchShowOptions& o, bool draw, Output& out) {
  while (true) {
    SearchReport report = search_report(o);
    if (report.result.complete) {
      if (draw) out.redraw("");
      return report;
    }
    if (draw) out.redraw(to_text(report));
    interruptible_sleep(kLiveS);
  }
}

}  // namespace

void declare_options(CLI::App& command, SearchShowOptions& o) {
  command.add_option("STUDY", o.study, kStudyHelp)->required();
  add_number(command, "--top", o.top, 1, 100'000, "List the best N networks [10]");
  command.add_flag("--live", o.live, "Show the results again and again, until the search has ended");
  add_output(command, "--report", o.page, "Write a page with charts")->type_name("FILE.html");
  command
      .add_option("--against", o.against,
                  "Compare the qualities with those of another study: rank correlation over the networks of both")
      ->type_name("STUDY2");
}

SearchReport search_report(const SearchShowOptions& o) {
  search::Study study(o.study, search::kNasStudy, {}, search::Access::read);
  SearchReport report{
      .study = study.name(), .search = stored_search(study), .page = o.page, .top = static_cast<std::size_t>(o.top)};
  report.trials = stored_trials(study, report.search);
  report.result = search::result_of(report.search, report.trials);
  const std::vector<search::ValuedPoint> values = valued_points(report.search, report.trials);
  report.networks = std::ssize(values);
  report.all_networks = count_networks(report.search.space);
  if (report.result.complete) report.optimum = known_optimum(report.search);
  report.importance = ranked_choices(report.search.space, values);
  if (!report.result.best.empty()) report.warnings = quality_warnings(report.result.best.front(), report.trials);
  if (!o.against.empty()) report.against = compare(report.search, report.result, o.against);
  return report;
}

void show_report(const SearchReport& report, const Globals& globals, Output& out) {
  show(report, globals, out);
  for (const std::string& text : report.warnings) out.warn(text);
}

Body declare_search_show(CLI::App& command, const Globals& globals) {
  auto o = std::make_shared<SearchShowOptions>();
  declare_options(command, *o);
  return [o, &globals](Output& out) {
    check_no_stdout("--report", o->page);
    check_extension("--report", o->page, ".html");
    const SearchReport report = o->live ? watch(*o, !globals.json, out) : search_report(*o);
    if (!o->page.empty()) write_text(o->page, search_page(report));
    show_report(report, globals, out);
    return 0;
  };
}

}  // namespace effnet::cli

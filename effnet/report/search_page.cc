#include "effnet/report/search_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/html.h"
#include "effnet/report/network_boxes.h"
#include "effnet/report/page_parts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

constexpr int kWidth = 1080, kHeight = 340;  // of the charts

// The trials that can be drawn.
std::vector<SearchTrial> drawn_trials(const SearchPage& page) {
  std::vector<SearchTrial> trials = page.history;
  std::erase_if(trials, [](const SearchTrial& one) {
    return one.failed || !std::isfinite(one.reward) || !std::isfinite(one.quality) || !std::isfinite(one.cost);
  });
  return trials;
}

// For columns of tables: all values with the same digits.
std::string digits(double value) { return std::isfinite(value) ? fmt::format("{:#.4g}", value) : "?"; }
std::string digits(double value, const SearchNumber& what) { return digits(value) + what.unit; }

// What a dot of the charts is.
std::string dot_text(const SearchPage& page) {
  return fmt::format("One dot for each trial that is done{}{}", page.scope.empty() ? "" : " ", escaped(page.scope));
}

std::string axis_title(const SearchNumber& what) {
  const std::string_view unit = std::string_view(what.unit).substr(what.unit.starts_with(' ') ? 1 : 0);
  return unit.empty() ? what.name : fmt::format("{} in {}", what.name, unit);
}

// The best reward so far as a step line: it changes at the trials that are better than all before them.
Line best_so_far(std::span<const SearchTrial> trials) {
  Line line{.name = "best so far", .points = {}, .colour = 1};
  for (const SearchTrial& one : trials) {
    if (!line.points.empty() && one.reward <= line.points.back().y) continue;
    const auto x = static_cast<double>(one.number);
    if (!line.points.empty()) line.points.push_back({x, line.points.back().y});
    line.points.push_back({x, one.reward});
  }
  const double last = trials.empty() ? 0 : static_cast<double>(trials.back().number);
  if (!line.points.empty() && line.points.back().x < last) line.points.push_back({last, line.points.back().y});
  return line;
}

// What the charts leave out, as HTML.
std::string missing(const SearchPage& page, std::size_t drawn) {
  std::string out;
  const auto failed = static_cast<std::int64_t>(page.history.size() - drawn);
  if (failed > 0)
    out += fmt::format("<span class=\"warn\">Not drawn: {} that failed.</span>", count_of(failed, "trial"));
  if (drawn > kMaxLinePoints)
    out += fmt::format(" Of {} trials, only the highest and the lowest of each range of neighbours are drawn.",
                       grouped(static_cast<std::int64_t>(drawn)));
  return out;
}

std::string history(const SearchPage& page, std::span<const SearchTrial> trials) {
  Line rewards{.name = "trial", .points = {}, .colour = 0, .joined = false};
  rewards.points.reserve(trials.size());
  for (const SearchTrial& one : trials) rewards.points.push_back({static_cast<double>(one.number), one.reward});
  const Chart chart{.title = "reward by trial",
                    .width = kWidth,
                    .height = kHeight,
                    .x = {.title = "trial", .low = {}, .high = {}, .unit = {}, .whole = true},
                    .y = {.title = "reward", .low = {}, .high = {}, .unit = {}},
                    .bars = {},
                    .lines = {std::move(rewards), best_so_far(trials)}};
  return guide(dot_text(page) +
               ", and the best reward so far. If the line has been flat for a long time, more "
               "trials will probably not find a much better network. If the dots do not rise, the controller finds no "
               "relation between choices and rewards (the random controller never does): the evaluation may be too "
               "noisy.") +
         figure("Reward", svg(chart), missing(page, trials.size()));
}

// The best quality that was found up to each cost: it changes at the networks of the front, and nothing is known to be
// between them.
Line steps_of(const Line& front) {
  Line steps{.name = {}, .points = {}, .colour = front.colour, .hints = false};
  steps.points.reserve(2 * front.points.size());
  for (const Point& one : front.points) {
    if (!steps.points.empty()) steps.points.push_back({one.x, steps.points.back().y});
    steps.points.push_back(one);
  }
  return steps;
}

std::string tradeoff(const SearchPage& page, std::vector<SearchTrial> trials) {
  std::ranges::stable_sort(trials, {}, &SearchTrial::cost);  // if the chart thins the dots: by ranges of similar cost
  Line all{.name = "trial", .points = {}, .colour = 0, .joined = false};
  all.points.reserve(trials.size());
  for (const SearchTrial& one : trials) all.points.push_back({one.cost, one.quality});
  Line front{.name = "Pareto front", .points = {}, .colour = 1, .joined = false};
  front.points.reserve(page.front.size());
  for (const SearchPoint& one : page.front) {
    if (std::isfinite(one.cost) && std::isfinite(one.quality)) front.points.push_back({one.cost, one.quality});
  }
  std::ranges::sort(front.points, {}, &Point::x);
  const Chart chart{.title = fmt::format("{} by {}", page.quality.name, page.cost.name),
                    .width = kWidth,
                    .height = kHeight,
                    .x = {.title = axis_title(page.cost), .low = {}, .high = {}, .unit = {}},
                    .y = {.title = page.quality.name, .low = {}, .high = {}, .unit = page.quality.unit},
                    .bars = {},
                    .lines = {std::move(all), steps_of(front), front}};
  return guide(dot_text(page) +
               ". For a network of the Pareto front no other one was found that has a higher "
               "quality and a lower cost.") +
         figure(chart.title, svg(chart), missing(page, trials.size()));
}

std::string importance(const SearchPage& page) {
  std::vector<SearchImportance> rows = page.importance;
  for (SearchImportance& one : rows)
    one.fraction = std::isfinite(one.fraction) ? std::clamp(one.fraction, 0.0, 1.0) : 0;
  std::ranges::stable_sort(rows, std::ranges::greater{}, &SearchImportance::fraction);
  StackedBars bars{
      .title = "importance of the choices", .parts = {"percent of the variance of the quality"}, .rows = {}};
  bars.rows.reserve(rows.size());
  std::string table =
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">choice</th><th>importance</th>"
      "<th class=\"text\">best option</th></tr></thead>\n<tbody>\n";
  for (const SearchImportance& one : rows) {
    bars.rows.push_back({one.choice, {100 * one.fraction}});
    table += fmt::format("<tr><td class=\"text\">{}</td><td>{}</td><td class=\"text\">{}</td></tr>\n",
                         escaped(one.choice), percent_text(one.fraction), escaped(one.best_option));
  }
  return guide(
             "How much of the variance of the quality each choice explains on its own, and the option with the highest "
             "mean quality. A choice that explains almost nothing can be left out of the next search. A controller "
             "tries good options more often than others, so these numbers are estimates.") +
         figure("Importance of the choices", svg(bars)) + table + "</tbody></table></div>\n";
}

// The part of the legend of each stage of a network: the kind of its blocks and the kernel. Adds new parts to `parts`.
std::vector<std::size_t> parts_of(const arch::ArchSpec& spec, std::vector<std::string>& parts) {
  std::vector<std::size_t> indices;
  indices.reserve(spec.stages.size());
  for (const arch::StageSpec& stage : spec.stages) {
    const std::string name = fmt::format("{} {}x{}", stage.block, stage.kernel, stage.kernel);
    const auto found = std::ranges::find(parts, name);
    indices.push_back(static_cast<std::size_t>(found - parts.begin()));
    if (found == parts.end()) parts.push_back(name);
  }
  return indices;
}

// The counts of a network, except the one that is the cost of the search: the page has a column for that.
std::vector<std::pair<std::string_view, std::int64_t>> other_counts(const graph::Costs& costs, std::string_view cost) {
  std::vector<std::pair<std::string_view, std::int64_t>> counts{{"parameters", costs.params}, {"MACs", costs.macs}};
  std::erase_if(counts, [&](const auto& one) { return one.first == cost; });
  return counts;
}

std::string best_networks(const SearchPage& page) {
  const auto shown = std::span(page.best).first(std::min(page.best.size(), kMaxSearchNetworks));
  std::string table = fmt::format(
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">network</th><th>reward</th><th>{}</th><th>{}</th>",
      escaped(page.quality.name), escaped(page.cost.name));
  for (const auto& [name, unused] : other_counts({}, page.cost.name)) table += fmt::format("<th>{}</th>", name);
  table += "<th>blocks</th><th class=\"text\">on the front</th><th class=\"text\">options</th></tr></thead>\n<tbody>\n";
  BoxRows drawing{.title = "the best networks", .parts = {}, .rows = {}, .neutral = std::string(kStemAndHead)};
  for (const SearchNetwork& one : shown) {
    const graph::Graph graph = graph::lower(one.spec);
    std::int64_t blocks = 0;
    for (const graph::Stage& stage : graph.stages) blocks += stage.repeats;
    const std::string quality = digits(one.quality, page.quality), cost = digits(one.cost, page.cost);
    const std::vector<std::size_t> parts = parts_of(one.spec, drawing.parts);
    table += fmt::format("<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td>", escaped(one.name),
                         digits(one.reward), escaped(quality), escaped(cost));
    for (const auto& [unused, count] : other_counts(graph::costs(graph), page.cost.name))
      table += fmt::format("<td>{}</td>", abbreviated(static_cast<double>(count)));
    table += fmt::format("<td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>\n", blocks,
                         one.front ? "yes" : "", escaped(one.options));
    drawing.rows.push_back(
        {one.name,
         fmt::format("reward {}, {} {}, {} {}", digits(one.reward), page.quality.name, quality, page.cost.name, cost),
         network_boxes(one.spec, graph, parts)});
  }
  return guide(
             "The networks with the highest rewards. Options of the choices are written stage by stage. The colours "
             "are the kinds of blocks and their kernels.") +
         table + "</tbody></table></div>\n" + figure("From the input to the head", svg(drawing), kBoxesMeaning);
}

std::string correlations(const SearchPage& page) {
  std::string out =
      guide(
          "Networks that were evaluated in two ways, ordered by both qualities. 1: the same order; 0: no relation. The "
          "higher the correlation, the better the cheap evaluation replaces the expensive one.") +
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">compared with</th><th>networks</th>"
      "<th>Kendall's tau</th><th>Spearman's rho</th></tr></thead>\n<tbody>\n";
  for (const SearchCorrelation& one : page.correlations) {
    out += fmt::format("<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", escaped(one.with),
                       grouped(one.networks), digits(one.kendall), digits(one.spearman));
  }
  return out + "</tbody></table></div>\n";
}

std::string head(const SearchPage& page) {
  std::string out = fmt::format("<header>\n<h1>{}</h1>\n", escaped(page.title));
  for (const std::string& line : page.about) out += fmt::format("<p class=\"lead\">{}</p>\n", escaped(line));
  out += "<div class=\"hero\">\n<dl class=\"facts\">\n";
  for (const auto& [name, value] : page.facts) out += fact(name, value);
  return out + "</dl>\n</div>\n</header>";
}

}  // namespace

std::string search_page(const SearchPage& page) {
  const std::vector<SearchTrial> trials = drawn_trials(page);
  std::vector<Section> sections;
  if (page.history.empty()) {
    sections.push_back({"history", "History", note("No trial has ended yet.")});
  } else {
    sections.push_back({"history", "History", history(page, trials)});
    sections.push_back({"tradeoff", "Quality and cost", tradeoff(page, trials)});
  }
  if (!page.importance.empty()) sections.push_back({"importance", "Choices", importance(page)});
  if (!page.best.empty()) sections.push_back({"best", "Best networks", best_networks(page)});
  if (!page.correlations.empty()) sections.push_back({"correlations", "Rank correlation", correlations(page)});
  return report::page(page.title + " - effnet", head(page), sections);
}

}  // namespace effnet::report

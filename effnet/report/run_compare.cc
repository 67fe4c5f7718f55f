// The page of several runs: a table, curves in common charts, and the settings in which the runs differ.
#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

std::string cell(const std::string& text) { return fmt::format("<td>{}</td>", text); }

const std::string kNone = "\xE2\x80\x93";

std::string number_or_none(const std::optional<double>& value) { return value ? abbreviated(*value) : kNone; }

bool same_images(const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
  const auto names = [](const std::vector<Prediction>& all) {
    std::set<std::string> set;
    for (const Prediction& one : all) set.insert(one.name);
    return set;
  };
  return a.size() == b.size() && names(a) == names(b);
}

std::string accuracy_cells(const RunFacts& run) {
  const std::optional<ShownAccuracy> shown = shown_accuracy(run);
  if (!shown) return cell(kNone) + cell(kNone) + "<td class=\"text\">no accuracy yet</td>";
  std::string on = shown->is_unseen ? "test" : "validation";
  if (shown->images > 0) on = count_of(shown->images, fmt::format("{} image", on));
  if (shown->is_selected) on += ", which selected the epoch";
  return fmt::format("<td>{:.2f} %</td><td>{}</td><td class=\"text\">{}</td>", shown->top1,
                     shown->interval
                         ? fmt::format("{:.1f} to {:.1f} %", 100 * shown->interval->low, 100 * shown->interval->high)
                         : kNone,
                     on);
}

std::string table(const std::vector<RunFacts>& runs, const std::vector<std::string>& names) {
  std::string out =
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">run</th><th class=\"text\">model</th><th>top-1</th>"
      "<th>95 % interval</th><th class=\"text\">measured on</th><th>parameters</th><th>multiply-adds</th>"
      "<th>training time</th><th>epochs</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunFacts& run = runs[i];
    const auto seconds = run.number("seconds"), epochs = run.number("epochs");
    out += fmt::format("<tr><td class=\"text\">{}</td><td class=\"text\">{}</td>{}{}{}{}{}</tr>\n", escaped(names[i]),
                       escaped(run.model), accuracy_cells(run), cell(number_or_none(run.number("params"))),
                       cell(number_or_none(run.number("macs"))), cell(seconds ? duration(*seconds) : kNone),
                       cell(epochs ? fmt::format("{:.4g}", *epochs) : fmt::format("{} so far", run.epochs.size())));
  }
  return out + "</tbody></table></div>\n";
}

// The names of the classes that a run's accuracy was measured on; empty if the run folder does not have them.
std::set<std::string> classes_of(const RunFacts& run) {
  std::set<std::string> names;
  for (const ClassCounts& one : run.counts) names.insert(one.name);
  return names;
}

// A warning about accuracies that are not of the same images, and so cannot be compared; empty if none is known.
std::string different_images(const std::vector<RunFacts>& runs, const std::vector<std::string>& names) {
  std::string classes, images;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const std::set<std::string> first = classes_of(runs[0]), other = classes_of(runs[i]);
    if (!first.empty() && !other.empty() && first != other) classes += (classes.empty() ? "" : ", ") + names[i];
    const auto count = [](const RunFacts& run) { return run.predictions ? run.predictions->size() : std::size_t{0}; };
    if (count(runs[0]) > 0 && count(runs[i]) > 0 && !same_images(*runs[0].predictions, *runs[i].predictions))
      images += (images.empty() ? "" : ", ") + names[i];
  }
  if (!classes.empty())
    return note(fmt::format("The classes of {} are others than those of {}: their accuracies cannot be compared.",
                            classes, names[0]));
  if (images.empty()) return {};
  return note(
      fmt::format("The accuracy of {} was measured on other images than that of {}: the difference may be one of "
                  "the images. effnet compare-models measures both models on the same images.",
                  images, names[0]));
}

// Adds one line for each run that has values.
template <class Value>
std::string overlay(const std::vector<RunFacts>& runs, const std::vector<std::string>& names, const std::string& title,
                    const std::string& unit, Value value) {
  Chart chart;
  chart.title = title;
  chart.width = 1080;
  chart.height = 340;
  chart.x.title = "epoch";
  chart.x.whole = true;
  chart.y.title = title;
  chart.y.unit = unit;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Line line{.name = shortened(names[i], 24), .points = {}, .colour = static_cast<int>(i)};
    line.dashed = i >= 7;  // from here on the colours repeat
    for (const EpochMetrics& row : runs[i].epochs) {
      if (const std::optional<double> y = value(row)) line.points.push_back({static_cast<double>(row.epoch), *y});
    }
    if (!line.points.empty()) chart.lines.push_back(std::move(line));
  }
  return chart.lines.empty() ? "" : figure(title, svg(chart));
}

std::string all_curves(const std::vector<RunFacts>& runs, const std::vector<std::string>& names) {
  return guide(
             "One line for each run. Compare the height at the end, and how early a run reaches it. Epochs of runs "
             "with "
             "different data or batch sizes have different numbers of steps.") +
         overlay(runs, names, "Validation top-1", " %", [](const EpochMetrics& row) { return row.score(); }) +
         overlay(runs, names, "Validation loss", "", [](const EpochMetrics& row) { return row.val_loss; }) +
         overlay(runs, names, "Training loss", "",
                 [](const EpochMetrics& row) { return std::optional(row.train_loss); });
}

std::string settings_table(const std::vector<ComparedSetting>& settings, const std::vector<std::string>& names) {
  if (settings.empty()) return note("All settings of the runs are the same.");
  std::string out = guide("Only settings that differ. docs/recipes.md explains each one.") +
                    "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">setting</th>";
  for (const std::string& name : names) out += fmt::format("<th class=\"text\">{}</th>", escaped(name));
  out += "</tr></thead>\n<tbody>\n";
  for (const ComparedSetting& setting : settings) {
    EFFNET_CHECK(setting.values.size() == names.size());
    out += fmt::format("<tr><td class=\"text\"><code>{}</code></td>", escaped(setting.key));
    for (const std::string& value : setting.values) out += fmt::format("<td class=\"text\">{}</td>", escaped(value));
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>";
}

std::string links(const std::vector<ComparedRun>& runs, const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].link.empty())
      out += fmt::format("<li><a href=\"{}\">{}</a></li>\n", escaped(runs[i].link), escaped(names[i]));
  }
  return out.empty() ? note("No run has a page of its own yet: effnet report RUN makes it.") : "<ul>\n" + out + "</ul>";
}

// The names of the folders; if two are equal, the paths as given.
std::vector<std::string> names_of(const std::vector<RunFacts>& facts, const std::vector<ComparedRun>& runs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const bool unique = std::ranges::count(facts, facts[i].name, &RunFacts::name) == 1;
    names.push_back(unique ? facts[i].name : runs[i].folder.string());
  }
  return names;
}

}  // namespace

std::string comparison_report(const std::vector<ComparedRun>& runs, const std::vector<ComparedSetting>& settings) {
  if (runs.size() < 2 || runs.size() > kMaxComparedRuns)
    throw usage_error("wrong number of runs (got {}, expected 2 to {})", runs.size(), kMaxComparedRuns);
  std::vector<RunFacts> facts;
  facts.reserve(runs.size());
  for (const ComparedRun& run : runs) facts.push_back(read_run(run.folder, {}));
  const std::vector<std::string> names = names_of(facts, runs);
  const std::string head = fmt::format(
      "<header>\n<h1>{} runs</h1>\n{}{}</header>", runs.size(),
      guide("If the 95 % intervals of two runs overlap much, the difference may be chance. <code>effnet compare-models"
            "</code> compares two models on the same images and is more exact."),
      table(facts, names) + different_images(facts, names));
  return page(fmt::format("{} runs - effnet", runs.size()), head,
              {{"curves", "Curves", all_curves(facts, names)},
               {"settings", "Different settings", settings_table(settings, names)},
               {"pages", "Pages of the runs", links(runs, names)}});
}

}  // namespace effnet::report

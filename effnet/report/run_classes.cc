// The sections with the confusion matrix and the table of classes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "effnet/base/text.h"
#include "effnet/metrics/intervals.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

constexpr std::int64_t kMaxMatrixClasses = 100;  // with more classes the cells are too small to point at
constexpr std::size_t kMaxPairs = 30;
constexpr std::size_t kShownRows = 25, kMaxRows = 2000;

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f} %", 100 * *value) : "\xE2\x80\x93";
}

std::string heat_map(const RunFacts& run, const metrics::Confusion& confusion) {
  HeatMap map;
  map.title = "confusion matrix: rows are the true classes, columns the predicted ones";
  map.row_title = "true class";
  map.column_title = "predicted class";
  for (std::int64_t c = 0; c < confusion.classes(); ++c) map.rows.push_back(run.class_name(c));
  map.columns = map.rows;
  // A good network misclassifies only a few percent of the images. To keep these cells visible, the colour of a mistake
  // has its own scale: the square root of its fraction of the row, relative to the largest such fraction.
  double worst = 0;
  for (const auto& [cell, count] : confusion.cells()) {
    if (cell.first != cell.second) worst = std::max(worst, ratio(count, confusion.score(cell.first).support));
  }
  for (const auto& [cell, count] : confusion.cells()) {
    const auto [truth, predicted] = cell;
    const std::int64_t support = confusion.score(truth).support;
    const double part = ratio(count, support);
    const bool wrong = truth != predicted;
    map.cells.push_back({static_cast<std::size_t>(truth), static_cast<std::size_t>(predicted),
                         wrong ? 0.06 + 0.79 * std::sqrt(part / worst) : 0.1 + 0.8 * part, wrong, grouped(count),
                         fmt::format("true {}, predicted {}: {} ({:.1f} % of the row)", run.class_name(truth),
                                     run.class_name(predicted), grouped(count), 100 * part)});
  }
  return svg(map);
}

std::string pairs_table(const RunFacts& run, const metrics::Confusion& confusion) {
  const std::vector<metrics::ConfusedPair> pairs = confusion.most_confused(kMaxPairs);
  if (pairs.empty()) return note("No image is misclassified.");
  std::string out =
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">true class</th>"
      "<th class=\"text\">predicted class</th><th>images</th><th>% of the images of the true class</th>"
      "<th>images with the two classes exchanged</th></tr></thead>\n<tbody>\n";
  for (const metrics::ConfusedPair& pair : pairs) {
    const std::int64_t support = confusion.score(pair.truth).support;
    out +=
        fmt::format("<tr><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                    escaped(run.class_name(pair.truth)), escaped(run.class_name(pair.predicted)), grouped(pair.count),
                    percent(ratio(pair.count, support)), grouped(confusion.at(pair.predicted, pair.truth)));
  }
  return out + "</tbody></table></div>";
}

// Two cells: a fraction with its bar, and its 95 % interval.
std::string with_interval(const std::optional<double>& value, std::int64_t part, std::int64_t whole) {
  if (!value) return "<td>\xE2\x80\x93</td><td>\xE2\x80\x93</td>";
  const metrics::Interval interval = metrics::wilson_95(part, whole);
  return fmt::format(
      "<td>{}<span class=\"meter\"><i style=\"width:{:.1f}%\"></i></span></td><td>{:.0f} to {:.0f} %</td>",
      percent(value), 100 * *value, 100 * interval.low, 100 * interval.high);
}

std::string class_row(const RunFacts& run, const metrics::Confusion& confusion, std::int64_t c) {
  const metrics::ClassScore score = confusion.score(c);
  std::string out =
      fmt::format("<tr><td class=\"text\">{}</td><td>{}</td>", escaped(run.class_name(c)), grouped(score.support));
  out += with_interval(score.recall, score.right, score.support);
  out += with_interval(score.precision, score.right, score.predicted);
  out += fmt::format("<td>{}</td><td class=\"text\">", percent(score.f1));
  if (const auto mistake = confusion.most_frequent_mistake(c))
    out += fmt::format("{} <span class=\"soft\">({})</span>", escaped(run.class_name(mistake->predicted)),
                       grouped(mistake->count));
  return out + "</td></tr>\n";
}

}  // namespace

std::string confusion(const RunFacts& run, const metrics::Confusion& confusion) {
  const std::int64_t wrong = confusion.images() - confusion.right();
  std::string out = fmt::format("<p class=\"soft\">{} of {} {} misclassified.", grouped(wrong),
                                count_of(confusion.images(), "image"), wrong == 1 ? "is" : "are");
  if (confusion.classes() > kMaxMatrixClasses) {
    return out +
           fmt::format(" {} classes are too many for a matrix; the table lists the most confused pairs.</p>\n",
                       grouped(confusion.classes())) +
           pairs_table(run, confusion);
  }
  out +=
      " Each row is a true class, each column a predicted class. A stronger colour means a larger part of "
      "the images of the row. Mistakes have a second colour with its own scale. If two classes are often exchanged, "
      "compare their images: the labels may be mixed up, or the classes need more images that show the "
      "difference.</p>\n";
  return out + heat_map(run, confusion) + "\n<details><summary>Most confused pairs</summary>\n" +
         pairs_table(run, confusion) + "\n</details>";
}

std::string per_class(const RunFacts& run, const metrics::Confusion& confusion) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(confusion.classes()));
  std::iota(order.begin(), order.end(), 0);
  // Classes without images have no recall, so they are last.
  std::ranges::stable_sort(order, {}, [&](std::int64_t c) {
    const metrics::ClassScore score = confusion.score(c);
    return std::pair(score.recall.value_or(2), score.f1.value_or(2));
  });
  const metrics::Confusion::Means means = confusion.means();
  std::string out = fmt::format(
      "<p class=\"soft\">Sorted by recall, the lowest first. Means over classes: recall {}, precision {}, F1 {}. "
      "Recall is the fraction of the images of a class that are predicted as this class. Precision is the fraction of "
      "the predictions of a class that are right. F1 is the harmonic mean of recall and precision. The ranges are 95 % "
      "intervals (Wilson): with few images they are wide, and a difference inside them may be chance. A class with low "
      "recall needs more or more varied images; for a class with low precision, look at its mistakes below.</p>\n",
      percent(means.recall), percent(means.precision), percent(means.f1));
  const auto table = [&](std::size_t begin, std::size_t end) {
    std::string text =
        "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">class</th><th>images</th><th>recall</th>"
        "<th>range</th><th>precision</th><th>range</th><th>F1</th><th class=\"text\">most frequent wrong "
        "prediction</th></tr></thead>\n<tbody>\n";
    for (std::size_t i = begin; i < end; ++i) text += class_row(run, confusion, order[i]);
    return text + "</tbody></table></div>\n";
  };
  // If at most 5 rows would be folded, all rows are shown directly.
  const std::size_t shown = order.size() <= kShownRows + 5 ? order.size() : kShownRows;
  out += table(0, shown);
  if (shown < order.size()) {
    const std::size_t end = std::min(order.size(), kMaxRows);
    out += fmt::format("<details><summary>{}</summary>\n{}</details>",
                       count_of(static_cast<std::int64_t>(end - shown), "more class"), table(shown, end));
    if (end < order.size())
      out += note(fmt::format("{} not shown.", count_of(static_cast<std::int64_t>(order.size() - end), "more class")));
  }
  return out;
}

}  // namespace effnet::report

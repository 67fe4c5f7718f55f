#include <algorithm>
#include <cmath>
#include <functional>

#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

using Value = std::function<std::optional<double>(const EpochMetrics&)>;

Line line_of(const RunFacts& run, std::string name, int colour, const Value& value) {
  Line line;
  line.name = std::move(name);
  line.colour = colour;
  for (const EpochMetrics& row : run.epochs) {
    if (const auto y = value(row)) line.points.push_back({static_cast<double>(row.epoch), *y});
  }
  return line;
}

// If the largest loss exceeds the smallest by this factor, the chart has a log scale: on a linear scale the end of the
// curve would look flat.
constexpr double kLogRatio = 30;

bool needs_log_scale(const std::vector<Line>& lines) {
  double low = INFINITY, high = 0;
  for (const Line& line : lines) {
    for (const Point& p : line.points) {
      if (!std::isfinite(p.y)) continue;
      low = std::min(low, p.y);
      high = std::max(high, p.y);
    }
  }
  return low > 0 && high > kLogRatio * low;
}

std::vector<Point> steps_of(const RunFacts& run, std::string_view tag) {
  std::vector<Point> points;
  const auto found = run.steps.find(tag);
  if (found == run.steps.end()) return points;
  for (const ScalarEvent& event : found->second) points.push_back({static_cast<double>(event.step), event.value});
  return points;
}

void drop_empty(std::vector<Line>& lines) {
  std::erase_if(lines, [](const Line& line) { return line.points.empty(); });
}

// Returns a warning that lists the epochs whose loss is not finite, because the curves cannot show them; empty if there
// are none.
std::string not_finite(const RunFacts& run) {
  std::string epochs;
  std::size_t count = 0;
  constexpr std::size_t kMaxListed = 8;
  for (const EpochMetrics& row : run.epochs) {
    if (std::isfinite(row.train_loss) && (!row.val_loss || std::isfinite(*row.val_loss))) continue;
    if (++count <= kMaxListed) epochs += fmt::format("{}{}", count > 1 ? ", " : "", row.epoch);
  }
  if (count == 0) return {};
  return fmt::format("<span class=\"warn\">The loss is not a finite number at epoch{} {}{}.</span>",
                     count > 1 ? "s" : "", epochs,
                     count > kMaxListed ? fmt::format(" and {} more", count - kMaxListed) : "");
}

std::string step_curves(const RunFacts& run) {
  std::string out;
  const auto add = [&](const char* tag, const char* title, const char* what, int colour, bool from_zero) {
    Chart chart;
    chart.title = title;
    chart.x.title = "step";
    chart.y.title = what;
    chart.x.whole = true;
    chart.lines = {{.name = "", .points = steps_of(run, tag), .colour = colour}};
    if (chart.lines[0].points.empty()) return;
    chart.y.log = !from_zero && needs_log_scale(chart.lines);
    if (from_zero) chart.y.low = 0;
    out += figure(fmt::format("{}{}", title, chart.y.log ? " (log scale)" : ""), svg(chart));
  };
  add("train/loss", "Training loss by step", "loss", 0, false);
  add("train/lr", "Learning rate by step", "learning rate", 0, true);
  return out;
}

}  // namespace

std::string curves(const RunFacts& run) {
  const bool has_trial = run.finetune && run.finetune->trial_top1;
  if (run.epochs.empty()) {
    if (run.summary.empty()) return note("No epoch has finished yet: metrics.csv has no rows.");
    return note(
        fmt::format("The linear probe is the result, so this run has no epochs of fine-tuning.{}",
                    has_trial ? " The run folder trial/ has those of the trial: effnet report RUN/trial." : ""));
  }
  Axis epoch;
  epoch.title = "epoch";
  epoch.whole = true;
  if (run.epochs.size() > 1) {  // so the axis includes epochs whose values are not finite
    epoch.low = static_cast<double>(run.epochs.front().epoch);
    epoch.high = static_cast<double>(run.epochs.back().epoch);
  }
  const auto chart = [&](std::string what) {
    Chart one;
    one.title = what + " by epoch";
    one.x = epoch;
    one.y.title = std::move(what);
    return one;
  };

  Chart loss = chart("loss");
  loss.lines = {line_of(run, "training", 0, [](const auto& row) { return row.train_loss; }),
                line_of(run, "validation", 1, [](const auto& row) { return row.val_loss; })};
  drop_empty(loss.lines);
  loss.y.log = needs_log_scale(loss.lines);

  Chart top1 = chart("accuracy");
  top1.y.unit = " %";
  top1.lines = {line_of(run, "training", 0, [](const auto& row) { return row.train_top1; }),
                line_of(run, "validation", 1, [](const auto& row) { return row.val_top1; }),
                line_of(run, "averaged weights", 2, [](const auto& row) { return row.val_ema_top1; }),
                line_of(run, "top-5", 3, [](const auto& row) { return row.val_top5; })};
  top1.lines[3].dashed = true;
  // With at most 5 classes top-5 is always 100 %.
  if (!run.classes.empty() && run.classes.size() <= 5) top1.lines.pop_back();
  // A ring marks the best epoch. It is on the line of the averaged weights if there is one, else on the validation
  // line, as EpochMetrics::score().
  double best = -INFINITY;
  Line& scores = top1.lines[top1.lines[2].points.empty() ? 1 : 2];
  for (std::size_t i = 0; i < scores.points.size(); ++i) {
    if (!(scores.points[i].y > best)) continue;
    best = scores.points[i].y;
    scores.mark = i;
  }
  std::string best_caption;
  if (best > -INFINITY) {
    best_caption = fmt::format("The ring marks the best validation top-1: {:.2f} % at epoch {:.0f}.", best,
                               scores.points[*scores.mark].x);
  }
  drop_empty(top1.lines);

  Chart lr = chart("learning rate");
  lr.y.low = 0;
  lr.lines = {line_of(run, "", 0, [](const auto& row) { return row.lr; })};
  Chart rate = chart("images per second");
  rate.y.low = 0;
  rate.lines = {line_of(run, "", 2, [](const auto& row) { return row.images_per_second; })};

  return guide(
             "The curves over the epochs. Both losses should fall and both accuracies should rise until they are flat. "
             "If "
             "they still improve at the end, train longer. If the validation loss rises while the training loss falls, "
             "the network overfits: use more images, stronger augmentation or fewer epochs. Training loss and accuracy "
             "are "
             "means over the batches of an epoch, measured on augmented images before each weight update, so they may "
             "be "
             "worse than those of validation, which measures the weights at the end of the epoch.") +
         (has_trial ? note(fmt::format("This run was trained on {}, so it has no validation curves. The run folder "
                                       "trial/ has them: effnet report RUN/trial.",
                                       measures_trial(run) ? "all images" : "the training and validation images"))
                    : "") +
         "<div class=\"grid\">\n" + figure(loss.y.log ? "Loss (log scale)" : "Loss", svg(loss), not_finite(run)) +
         figure("Top-1 accuracy", svg(top1), best_caption) + step_curves(run) +
         (steps_of(run, "train/lr").empty() ? figure("Learning rate", svg(lr)) : "") +
         figure("Images per second", svg(rate)) + "</div>";
}

}  // namespace effnet::report

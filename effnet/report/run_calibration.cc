// The section about calibration: reliability diagrams before and after temperature scaling.
#include <algorithm>
#include <cmath>
#include <utility>

#include "effnet/base/text.h"
#include "effnet/metrics/calibration.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

std::string row(std::string_view name, std::string_view value, std::string_view meaning) {
  return fmt::format("<dt>{}</dt><dd><b>{}</b> <span class=\"soft\">{}</span></dd>\n", name, value, meaning);
}

Chart percent_chart(std::string title, std::string what) {
  Chart chart;
  chart.title = std::move(title);
  chart.width = 520;
  chart.height = 360;
  chart.x = {"confidence, %", false, 0, 100, ""};
  chart.y = {std::move(what), false, 0, 100, " %"};
  return chart;
}

std::string reliability(const metrics::Calibration& c, const std::string& title) {
  Chart chart = percent_chart("reliability diagram: accuracy by confidence", "accuracy");
  Bars accuracy{"accuracy", {}, 0};
  for (const metrics::ReliabilityBin& bin : c.bins) {
    if (bin.images == 0) continue;
    accuracy.bars.push_back({100 * bin.low, 100 * bin.high, 100 * bin.accuracy,
                             fmt::format("{}: confidence {:.1f} %, accuracy {:.1f} %", count_of(bin.images, "image"),
                                         100 * bin.confidence, 100 * bin.accuracy)});
  }
  chart.bars = {accuracy};
  chart.lines = {{"perfect calibration", {{0, 0}, {100, 100}}, 1, true, false, {}}};
  return figure(title, svg(chart),
                fmt::format("mean confidence {:.1f} %, accuracy {:.1f} %, expected calibration error {:.2f} %",
                            100 * c.confidence, 100 * c.accuracy, 100 * c.ece));
}

std::string histogram(const metrics::Calibration& c) {
  Chart chart = percent_chart("images by confidence", "images");
  chart.y.high = {};
  Bars bars{"", {}, 2};
  for (const metrics::ReliabilityBin& bin : c.bins) {
    if (bin.images == 0) continue;
    const double part = 100 * static_cast<double>(bin.images) / static_cast<double>(c.images);
    bars.bars.push_back(
        {100 * bin.low, 100 * bin.high, part, fmt::format("{} ({:.1f} %)", count_of(bin.images, "image"), part)});
  }
  chart.bars = {bars};
  return figure("Images by confidence", svg(chart));
}

std::string numbers(const metrics::Calibration& c) {
  std::string out = "<dl class=\"rows\">\n";
  out += row("Expected calibration error", fmt::format("{:.2f} %", 100 * c.ece),
             fmt::format("mean difference of confidence and accuracy over {} bins", c.bins.size()));
  const auto worst = std::ranges::max_element(c.bins, {}, [](const metrics::ReliabilityBin& bin) {
    return bin.images == 0 ? -1 : std::abs(bin.accuracy - bin.confidence);
  });
  out += row("Maximum calibration error", fmt::format("{:.2f} %", 100 * c.mce),
             fmt::format("largest difference in a bin; this bin has {}", count_of(worst->images, "image")));
  out += row("Negative log-likelihood", std::isfinite(c.nll) ? fmt::format("{:.4f}", c.nll) : std::string("infinite"),
             c.zero_probability == 0
                 ? "mean of \xE2\x88\x92ln(probability of the true class)"
                 : fmt::format("{} with a probability of 0 for the true class", count_of(c.zero_probability, "image")));
  out += row("Brier score", fmt::format("{:.4f}", c.brier),
             "mean of (confidence \xE2\x88\x92 y)\xC2\xB2, with y = 1 for a right and y = 0 for a wrong prediction");
  if (c.skipped > 0) out += row("Skipped", grouped(c.skipped), "images whose probability is NaN or infinite");
  return out + "</dl>";
}

std::string_view verdict(const metrics::Calibration& c) {
  if (std::abs(c.confidence - c.accuracy) < 0.005) return "well calibrated on average";
  return c.confidence > c.accuracy ? "overconfident" : "underconfident";
}

std::string temperature_text(const FinetuneCalibration& fitted) {
  std::string out = fmt::format(
      "The temperature {:.3f} was fitted on the validation images. <code>effnet predict</code> divides the logits by "
      "it, which changes the confidence but not the predicted class.",
      fitted.temperature);
  if (fitted.min_score) {
    out += fmt::format(" <code>--min-score auto</code> answers \"not sure\" below a confidence of {:.1f} %",
                       100 * *fitted.min_score);
    if (fitted.coverage) out += fmt::format(", and answers {:.1f} % of the validation images", 100 * *fitted.coverage);
    out += ".";
    if (const std::string support = support_text(fitted); !support.empty())
      out += fmt::format(" Of the answers above the threshold, 95 % should be right: {}.", support);
  }
  return out;
}

}  // namespace

std::string calibration(const RunFacts& run) {
  std::vector<metrics::ScoredPrediction> raw, scaled;
  for (const Prediction& one : *run.predictions) {
    const bool right = one.label == one.predicted;
    raw.push_back({one.confidence, one.of_label, right});
    if (one.calibrated) scaled.push_back({one.calibrated->confidence, one.calibrated->of_label, right});
  }
  const metrics::Calibration before = metrics::calibrate(raw);
  if (before.images == 0) return note("The probabilities of all images are NaN or infinite.");
  const bool has_after = scaled.size() == raw.size();
  const metrics::Calibration after = metrics::calibrate(scaled);
  std::string text = fmt::format(
      "The diagram groups the predictions by their confidence (the probability of the predicted class). A bar shows "
      "which part of a group is right. Of the predictions with 80 % confidence, 80 % should be right: the bars should "
      "reach the dotted line. Bars below the line mean that the network is overconfident. Over all images, the mean "
      "confidence is {:.1f} % and the accuracy is {:.1f} %: the network is {}.",
      100 * before.confidence, 100 * before.accuracy, verdict(before));
  if (run.finetune && run.finetune->calibration) text += " " + temperature_text(*run.finetune->calibration);
  std::string out = guide(text) + "<div class=\"grid\">\n";
  out += reliability(before, has_after ? "Before: without temperature" : "Accuracy by confidence");
  if (has_after && after.images > 0) out += reliability(after, "After: with temperature");
  const metrics::Calibration& used = has_after && after.images > 0 ? after : before;
  out += histogram(used) + "</div>\n";
  if (has_after && after.images > 0) out += "<h3>With temperature</h3>\n";
  return out + numbers(used);
}

}  // namespace effnet::report

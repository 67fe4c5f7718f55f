// The sections about calibration and about the mistakes with the highest confidence.
#include <algorithm>
#include <cmath>
#include <span>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/metrics/calibration.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

constexpr std::size_t kMistakes = 24;
constexpr std::int64_t kTinyPx = 64;  // images up to this width (CIFAR) are enlarged without interpolation

std::string row(std::string_view name, std::string_view value, std::string_view meaning) {
  return fmt::format("<dt>{}</dt><dd><b>{}</b> <span class=\"soft\">{}</span></dd>\n", name, value, meaning);
}

std::string counted(std::int64_t images) { return grouped(images) + (images == 1 ? " image" : " images"); }

std::string percent_text(float probability) {
  const double percent = 100 * double{probability};
  if (!std::isfinite(percent)) return "?";
  if (percent >= 99.95 && percent < 100) return fmt::format("{:.2f} %", std::min(percent, 99.99));
  return percent != 0 && percent < 0.1 ? "&lt; 0.1 %" : fmt::format("{:.1f} %", percent);
}

// Returns the image's width from the frame header of a JPEG file (markers C0 to C2, the encodings that browsers
// support). Returns 0 if the bytes are not such a file.
std::int64_t jpeg_width(std::span<const std::byte> file) {
  const auto word = [&](std::size_t at) {
    return std::to_integer<std::size_t>(file[at]) << 8 | std::to_integer<std::size_t>(file[at + 1]);
  };
  if (file.size() < 4 || word(0) != 0xFFD8) return 0;
  for (std::size_t at = 2; at + 9 <= file.size(); at += 2 + word(at + 2)) {
    if (word(at) >> 8 != 0xFF) return 0;
    if (word(at) >= 0xFFC0 && word(at) <= 0xFFC2) return static_cast<std::int64_t>(word(at + 7));
  }
  return 0;
}

std::string image_of(const std::string& name, const Thumbnail& thumbnail) {
  std::vector<std::byte> bytes;
  if (thumbnail) {
    try {
      bytes = thumbnail(name);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;  // the report is made even if an image is missing or corrupt
    }
  }
  const std::int64_t width = jpeg_width(bytes);
  if (width == 0) return "no image";
  return fmt::format("<img{} alt=\"\" src=\"{}\">", width <= kTinyPx ? " class=\"tiny\"" : "",
                     data_uri("image/jpeg", bytes));
}

}  // namespace

std::string calibration(const RunFacts& run) {
  std::vector<metrics::ScoredPrediction> predictions;
  for (const Prediction& one : *run.predictions)
    predictions.push_back({one.confidence, one.of_label, one.label == one.predicted});
  const metrics::Calibration c = metrics::calibrate(predictions);
  if (c.images == 0) return note("The probabilities of all images are NaN or infinite.");

  Chart reliability;
  reliability.title = "reliability diagram: accuracy by confidence";
  reliability.width = 520;
  reliability.height = 360;
  reliability.x = {"confidence, %", false, 0, 100, ""};
  reliability.y = {"", false, 0, 100, " %"};
  Chart histogram = reliability;
  histogram.title = "images by confidence";
  histogram.y = {"", false, 0, {}, " %"};
  Bars accuracy{"accuracy", {}, 0}, images_percent{"", {}, 2};
  for (const metrics::ReliabilityBin& bin : c.bins) {
    if (bin.images == 0) continue;
    const std::string images = counted(bin.images);
    const double part = 100 * static_cast<double>(bin.images) / static_cast<double>(c.images);
    accuracy.bars.push_back(
        {100 * bin.low, 100 * bin.high, 100 * bin.accuracy,
         fmt::format("{}: confidence {:.1f} %, accuracy {:.1f} %", images, 100 * bin.confidence, 100 * bin.accuracy)});
    images_percent.bars.push_back({100 * bin.low, 100 * bin.high, part, fmt::format("{} ({:.1f} %)", images, part)});
  }
  Line ideal{"perfect calibration", {{0, 0}, {100, 100}}, 1, true, false, {}};
  reliability.bars = {accuracy};
  reliability.lines = {ideal};
  histogram.bars = {images_percent};

  std::string out = fmt::format(
      "<p class=\"soft\">Of the predictions with 80 % confidence, 80 % should be right. Over all images, the mean "
      "confidence is {:.1f} % and the accuracy is {:.1f} %: the network is {}.</p>\n<div class=\"grid\">\n",
      100 * c.confidence, 100 * c.accuracy,
      std::abs(c.confidence - c.accuracy) < 0.005 ? "well calibrated on average"
      : c.confidence > c.accuracy                 ? "overconfident"
                                                  : "underconfident");
  out += fmt::format("<figure>\n<h3>Accuracy by confidence</h3>\n{}\n</figure>\n", svg(reliability));
  out += fmt::format("<figure>\n<h3>Images by confidence</h3>\n{}\n</figure>\n</div>\n<dl class=\"rows\">\n",
                     svg(histogram));
  out += row("Expected calibration error", fmt::format("{:.2f} %", 100 * c.ece),
             fmt::format("mean difference of confidence and accuracy over {} bins", c.bins.size()));
  const auto worst = std::ranges::max_element(c.bins, {}, [](const metrics::ReliabilityBin& bin) {
    return bin.images == 0 ? -1 : std::abs(bin.accuracy - bin.confidence);
  });
  out += row("Maximum calibration error", fmt::format("{:.2f} %", 100 * c.mce),
             fmt::format("largest difference in a bin; this bin has {}", counted(worst->images)));
  out += row("Negative log-likelihood", std::isfinite(c.nll) ? fmt::format("{:.4f}", c.nll) : std::string("infinite"),
             c.zero_probability == 0
                 ? "mean of \xE2\x88\x92ln(probability of the true class)"
                 : fmt::format("{} with a probability of 0 for the true class", counted(c.zero_probability)));
  out += row("Brier score", fmt::format("{:.4f}", c.brier),
             "mean of (confidence \xE2\x88\x92 y)\xC2\xB2, with y = 1 for a right and y = 0 for a wrong prediction");
  if (c.skipped > 0) out += row("Skipped", grouped(c.skipped), "images whose probability is NaN or infinite");
  return out + "</dl>";
}

std::string mistakes(const RunFacts& run, const Thumbnail& thumbnail) {
  std::vector<const Prediction*> wrong;
  for (const Prediction& one : *run.predictions) {
    if (one.label != one.predicted && std::isfinite(one.confidence)) wrong.push_back(&one);
  }
  if (wrong.empty()) return note("There are no mistakes: all images are classified correctly.");
  std::ranges::stable_sort(wrong, std::greater{}, [](const Prediction* one) { return one->confidence; });
  const std::size_t shown = std::min(wrong.size(), kMistakes);
  std::string out = fmt::format(
      "<p class=\"soft\">The {} mistakes with the highest confidence, out of {} mistakes. Some of their labels may be "
      "wrong.</p>\n"
      "<div class=\"mistakes\">\n",
      shown, grouped(static_cast<std::int64_t>(wrong.size())));
  for (std::size_t i = 0; i < shown; ++i) {
    const Prediction& one = *wrong[i];
    out += fmt::format(
        "<div class=\"mistake\"><div class=\"image\">{}</div><dl><dt>predicted</dt><dd>{}</dd><dd>{}</dd>"
        "<dt>label</dt><dd>{}</dd><dd>{}</dd></dl><div class=\"name\">{}</div></div>\n",
        image_of(one.name, thumbnail), escaped(run.class_name(one.predicted)), percent_text(one.confidence),
        escaped(run.class_name(one.label)), percent_text(one.of_label), escaped(shortened(one.name, 120)));
  }
  return out + "</div>";
}

}  // namespace effnet::report

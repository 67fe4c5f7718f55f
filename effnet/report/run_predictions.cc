// What the probabilities are worth, and the mistakes that were made with most confidence.
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
constexpr std::int64_t kTinyPx = 64;  // images such as CIFAR's are enlarged as squares, not smeared

std::string row(std::string_view name, std::string_view value, std::string_view meaning) {
  return fmt::format("<dt>{}</dt><dd><b>{}</b> <span class=\"soft\">{}</span></dd>\n", name, value, meaning);
}

std::string counted(std::int64_t images) { return grouped(images) + (images == 1 ? " image" : " images"); }

std::string chance(float probability) {
  const double percent = 100 * double{probability};
  if (!std::isfinite(percent)) return "?";
  if (percent >= 99.95 && percent < 100) return fmt::format("{:.2f} %", std::min(percent, 99.99));
  return percent != 0 && percent < 0.1 ? "&lt; 0.1 %" : fmt::format("{:.1f} %", percent);
}

// From the frame header (markers C0 to C2, of the encodings that browsers show); 0 if the bytes are no JPEG file.
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
      if (error.code() != ErrorCode::input) throw;  // an image that is gone or broken is no reason to have no report
    }
  }
  const std::int64_t width = jpeg_width(bytes);
  if (width == 0) return "no image";
  return fmt::format("<img{} alt=\"\" src=\"{}\">", width <= kTinyPx ? " class=\"tiny\"" : "",
                     data_uri("image/jpeg", bytes));
}

}  // namespace

std::string calibration(const RunFacts& run) {
  std::vector<metrics::Judged> judged;
  for (const Prediction& one : *run.predictions)
    judged.push_back({one.confidence, one.of_label, one.label == one.predicted});
  const metrics::Calibration c = metrics::calibrate(judged);
  if (c.images == 0) return note("No image has a probability that is a number.");

  Chart reliability;
  reliability.title = "reliability: the share that was right by confidence";
  reliability.width = 520;
  reliability.height = 360;
  reliability.x = {"confidence, %", false, 0, 100, ""};
  reliability.y = {"", false, 0, 100, " %"};
  Chart histogram = reliability;
  histogram.title = "images by confidence";
  histogram.y = {"", false, 0, {}, " %"};
  Bars right{"right", {}, 0}, shares{"", {}, 2};
  for (const metrics::ReliabilityBin& bin : c.bins) {
    if (bin.images == 0) continue;
    const std::string images = counted(bin.images);
    const double part = 100 * static_cast<double>(bin.images) / static_cast<double>(c.images);
    right.bars.push_back(
        {100 * bin.low, 100 * bin.high, 100 * bin.accuracy,
         fmt::format("{}: confidence {:.1f} %, right {:.1f} %", images, 100 * bin.confidence, 100 * bin.accuracy)});
    shares.bars.push_back({100 * bin.low, 100 * bin.high, part, fmt::format("{} ({:.1f} %)", images, part)});
  }
  Line ideal{"as it should be", {{0, 0}, {100, 100}}, 1, true, false, {}};
  reliability.bars = {right};
  reliability.lines = {ideal};
  histogram.bars = {shares};

  std::string out = fmt::format(
      "<p class=\"soft\">Of the images that the network is 80 % sure of, 80 % should be right. On average it is "
      "{:.1f} % "
      "sure and {:.1f} % right: {}.</p>\n<div class=\"grid\">\n",
      100 * c.confidence, 100 * c.accuracy,
      std::abs(c.confidence - c.accuracy) < 0.005 ? "about as sure as it should be"
      : c.confidence > c.accuracy                 ? "too sure"
                                                  : "not sure enough");
  out += fmt::format("<figure>\n<h3>Right, by confidence</h3>\n{}\n</figure>\n", svg(reliability));
  out += fmt::format("<figure>\n<h3>Images, by confidence</h3>\n{}\n</figure>\n</div>\n<dl class=\"rows\">\n",
                     svg(histogram));
  out += row("Expected calibration error", fmt::format("{:.2f} %", 100 * c.ece),
             fmt::format("mean distance of confidence and accuracy over {} bins", c.bins.size()));
  const auto worst = std::ranges::max_element(c.bins, {}, [](const metrics::ReliabilityBin& bin) {
    return bin.images == 0 ? -1 : std::abs(bin.accuracy - bin.confidence);
  });
  out += row("Worst bin", fmt::format("{:.2f} %", 100 * c.worst),
             fmt::format("the largest such distance, of {}", counted(worst->images)));
  out +=
      row("Negative log-likelihood", std::isfinite(c.nll) ? fmt::format("{:.4f}", c.nll) : std::string("infinite"),
          c.impossible == 0 ? "mean of \xE2\x88\x92ln of the true class's probability"
                            : fmt::format("{} images give their own class a probability of 0", grouped(c.impossible)));
  out += row("Brier score", fmt::format("{:.4f}", c.brier), "mean square of confidence less right (1) or wrong (0)");
  if (c.left_out > 0) out += row("Left out", grouped(c.left_out), "images with a probability that is not a number");
  return out + "</dl>";
}

std::string mistakes(const RunFacts& run, const Thumbnail& thumbnail) {
  std::vector<const Prediction*> wrong;
  for (const Prediction& one : *run.predictions) {
    if (one.label != one.predicted && std::isfinite(one.confidence)) wrong.push_back(&one);
  }
  if (wrong.empty()) return note("There is none: every image is classified right.");
  std::ranges::stable_sort(wrong, std::greater{}, [](const Prediction* one) { return one->confidence; });
  const std::size_t shown = std::min(wrong.size(), kMistakes);
  std::string out = fmt::format(
      "<p class=\"soft\">The {} of {} mistakes that were made with most confidence. Some are the labels' "
      "mistakes.</p>\n"
      "<div class=\"mistakes\">\n",
      shown, grouped(static_cast<std::int64_t>(wrong.size())));
  for (std::size_t i = 0; i < shown; ++i) {
    const Prediction& one = *wrong[i];
    out += fmt::format(
        "<div class=\"mistake\"><div class=\"image\">{}</div><dl><dt>seen</dt><dd>{}</dd><dd>{}</dd>"
        "<dt>label</dt><dd>{}</dd><dd>{}</dd></dl><div class=\"name\">{}</div></div>\n",
        image_of(one.name, thumbnail), escaped(run.class_name(one.predicted)), chance(one.confidence),
        escaped(run.class_name(one.label)), chance(one.of_label), escaped(shortened(one.name, 120)));
  }
  return out + "</div>";
}

}  // namespace effnet::report

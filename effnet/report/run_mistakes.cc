// The sections with images: the mistakes with the highest confidence, the probable label errors, augmented images.
#include <algorithm>
#include <cmath>
#include <functional>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

constexpr std::size_t kMistakes = 24, kLabelErrors = 40, kViewRows = 6;
static_assert(kMistakes <= kMaxHeats);

struct Classed {
  std::string_view title;
  std::string name;
  double probability = 0;
};

std::string caption(const Classed& first, const Classed& second, std::string_view name) {
  return fmt::format(
      "<dl><dt>{}</dt><dd>{}</dd><dd>{}</dd><dt>{}</dt><dd>{}</dd><dd>{}</dd></dl><div class=\"name\">{}</div>",
      first.title, escaped(first.name), percent_text(first.probability), second.title, escaped(second.name),
      percent_text(second.probability), escaped(shortened(name, 120)));
}

// The confidence that effnet predict prints: with the temperature, if the run has one.
double confidence_of(const Prediction& one) { return one.calibrated ? one.calibrated->confidence : one.confidence; }
double of_label(const Prediction& one) { return one.calibrated ? one.calibrated->of_label : one.of_label; }

}  // namespace

std::string mistakes(const RunFacts& run, const Thumbnail& thumbnail, const Heat& heat) {
  std::vector<const Prediction*> wrong;
  bool any = false;
  for (const Prediction& one : *run.predictions) {
    if (one.label == one.predicted) continue;
    any = true;
    if (std::isfinite(confidence_of(one))) wrong.push_back(&one);
  }
  if (!any) return note("There are no mistakes: all images are classified correctly.");
  if (wrong.empty()) return note("The confidences of all mistakes are not finite, so they have no order.");
  std::ranges::stable_sort(wrong, std::greater{}, [](const Prediction* one) { return confidence_of(*one); });
  const std::size_t shown = std::min(wrong.size(), kMistakes);
  std::string out = guide(fmt::format(
      "{}, the highest confidence first. Look first whether the label is right. If similar "
      "images "
      "are often wrong, add such images to the training images.{}",
      shown < wrong.size()
          ? fmt::format("{} of {}", shown, count_of(static_cast<std::int64_t>(wrong.size()), "mistake"))
          : count_of(static_cast<std::int64_t>(wrong.size()), "mistake"),
      heat ? " The second image is the class activation map of the predicted class: red regions support this class "
             "most. The network sees only the bright rectangle. If the red regions are not on the object, the network "
             "has learned the background."
           : ""));
  out += fmt::format("<div class=\"mistakes{}\">\n", heat ? " wide" : "");
  for (std::size_t i = 0; i < shown; ++i) {
    check_interrupt();
    const Prediction& one = *wrong[i];
    std::string image = fmt::format("<div class=\"image\">{}</div>", image_of(one.name, thumbnail, one.name));
    if (heat) {
      image = fmt::format("<div class=\"both\">{}<div class=\"image\">{}</div></div>", image,
                          image_of("class activation map of " + one.name, heat, one.name, one.predicted));
    }
    out += fmt::format("<div class=\"mistake\">{}{}</div>\n", image,
                       caption({"predicted", run.class_name(one.predicted), confidence_of(one)},
                               {"label", run.class_name(one.label), of_label(one)}, one.name));
  }
  return out + "</div>";
}

std::string label_errors(const RunFacts& run, const Thumbnail& thumbnail) {
  if (!run.label_errors) return {};
  const std::vector<LabelError>& errors = *run.label_errors;
  if (errors.empty())
    return note(
        "None found: for every image, a classifier that was not trained on it agrees with the label, or is not sure.");
  const std::size_t shown = std::min(errors.size(), kLabelErrors);
  std::string out = guide(fmt::format(
      "{} whose label is probably wrong, the most probable error first. A classifier that was not trained on the image "
      "is sure of another class. Look at each image. If the suggested class is right, move the file into the folder of "
      "that class (or change its line in the labels CSV) and run finetune again. If the label is right, keep it: the "
      "image is difficult, not wrong.",
      count_of(static_cast<std::int64_t>(errors.size()), "image")));
  out += "<div class=\"mistakes\">\n";
  for (std::size_t i = 0; i < shown; ++i) {
    check_interrupt();
    const LabelError& one = errors[i];
    out += fmt::format(
        "<div class=\"mistake\"><div class=\"image\">{}</div>{}</div>\n", image_of(one.name, thumbnail, one.name),
        caption({"label", one.label, one.p_label}, {"suggested", one.suggested, one.p_suggested}, one.name));
  }
  out += "</div>";
  if (shown < errors.size())
    out += note(fmt::format("label_errors.csv has {}.",
                            count_of(std::ssize(errors) - static_cast<std::int64_t>(shown), "more image")));
  return out;
}

std::string augmented_views(const ReportParts& parts) {
  if (!parts.views) return {};
  std::string rows;
  std::size_t count = 0;
  for (const std::string& name : parts.view_names) {
    check_interrupt();
    if (count == kViewRows) break;
    std::vector<Jpeg> views;
    try {
      views = parts.views(name);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
    }
    if (views.empty()) continue;
    ++count;
    rows += "<div>" + image_of(name, parts.thumbnail, name);
    for (const Jpeg& view : views) rows += jpeg_image(view, "augmented view of " + name);
    rows += "</div>\n";
  }
  if (rows.empty()) return {};
  return guide(
             "Each row has an image of the data (left) and views of it as training makes them, with the run's crop, "
             "flip "
             "and augmentation (data.* in the configuration). A person should still recognise the class in almost "
             "every "
             "view. If not, set a weaker data.augment or a larger data.area_low.") +
         "<div class=\"views\">\n" + rows + "</div>";
}

}  // namespace effnet::report

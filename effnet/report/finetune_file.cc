#include "effnet/report/finetune_file.h"

#include <cmath>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/metrics/paired.h"
#include "effnet/metrics/temperature.h"
#include "effnet/report/json_fields.h"

namespace effnet::report {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
constexpr double kMaxSeconds = 1e12, kMaxNumber = 1e300;

std::optional<metrics::Interval> interval(const JsonFields& fields, const char* key = "interval") {
  const auto percent = fields.range(key, 0, 100);
  if (!percent) return {};
  return metrics::Interval{percent->first / 100, percent->second / 100};
}

FinetuneData data_of(const JsonFields& fields) {
  FinetuneData data;
  data.folder = fields.text("folder");
  data.labels = fields.text("labels");
  data.images = fields.count("images");
  for (const JsonFields& one : fields.objects("classes")) {
    data.classes.push_back({one.text("name"), one.count("train").value_or(0), one.count("val").value_or(0),
                            one.count("test").value_or(0)});
  }
  for (const JsonFields& one : fields.objects("broken")) data.broken.push_back({one.text("path"), one.text("why")});
  data.duplicates = fields.text_lists("duplicates");
  data.near_duplicates = fields.text_lists("near_duplicates");
  return data;
}

FinetuneSplit split_of(const JsonFields& fields) {
  return {fields.count("train").value_or(0), fields.count("val").value_or(0), fields.count("test").value_or(0),
          fields.text("by"), fields.count("used_test").value_or(0)};
}

FinetuneProbe probe_of(const JsonFields& fields) {
  return {.val_top1 = fields.number("val_top1", 0, 100),
          .knn_top1 = fields.number("knn_top1", 0, 100),
          .l2 = fields.number("l2", 0, kMaxNumber),
          .seconds = fields.number("seconds", 0, kMaxSeconds),
          .interval = interval(fields),
          .test_top1 = fields.number("test_top1", 0, 100),
          .test_p = fields.number("test_p", 0, 1),
          .test_interval = interval(fields, "test_interval")};
}

FinetuneCalibration calibration_of(const JsonFields& fields) {
  FinetuneCalibration calibration{.temperature = fields.number("temperature", 1e-6, 1e6).value_or(1),
                                  .min_score = fields.number("min_score", 0, 1),
                                  .coverage = fields.number("coverage", 0, 1),
                                  .images = fields.count("images").value_or(0),
                                  .accepted = fields.count("accepted").value_or(0),
                                  .right = fields.count("right").value_or(0)};
  if (calibration.right > calibration.accepted || calibration.accepted > calibration.images)
    throw fields.wrong("right", calibration.right, "right <= accepted <= images");
  return calibration;
}

FinetuneResult result_of(const JsonFields& fields) {
  FinetuneResult result;
  result.model = fields.text("model");
  result.metric = fields.text("metric");
  result.images = fields.count("images");
  result.engine_top1 = fields.number("engine_top1", 0, 100);
  result.test_top1 = fields.number("test_top1", 0, 100);
  result.mean_per_class = fields.number("mean_per_class", 0, 100);
  result.interval = interval(fields);
  if (const auto worst = fields.object("worst_class")) {
    result.worst_class = {worst->text("name"), worst->number("recall", 0, 100).value_or(0),
                          worst->count("images").value_or(0)};
  }
  return result;
}

Json to_json(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

Json to_json(const std::optional<metrics::Interval>& interval) {
  return interval ? Json{100 * interval->low, 100 * interval->high} : Json();
}

Json to_json(const FinetuneData& data) {
  Json classes = Json::array(), broken = Json::array();
  for (const ClassCounts& one : data.classes)
    classes.push_back({{"name", one.name}, {"train", one.train}, {"val", one.val}, {"test", one.test}});
  for (const FinetuneData::Broken& one : data.broken) broken.push_back({{"path", one.path}, {"why", one.why}});
  return {{"folder", data.folder},
          {"labels", data.labels},
          {"images", data.images ? Json(*data.images) : Json()},
          {"classes", std::move(classes)},
          {"broken", std::move(broken)},
          {"duplicates", data.duplicates},
          {"near_duplicates", data.near_duplicates}};
}

Json to_json(const FinetuneResult& result) {
  Json json{{"model", result.model},
            {"metric", result.metric},
            {"images", result.images ? Json(*result.images) : Json()},
            {"test_top1", to_json(result.test_top1)},
            {"interval", to_json(result.interval)},
            {"mean_per_class", to_json(result.mean_per_class)},
            {"engine_top1", to_json(result.engine_top1)}};
  if (const auto& worst = result.worst_class)
    json["worst_class"] = {{"name", worst->name}, {"recall", worst->recall}, {"images", worst->images}};
  return json;
}

}  // namespace

std::string finetune_text(const FinetuneFile& file) {
  Json json{{"version", 1},        {"command", file.command},   {"effnet", file.effnet}, {"started", file.started},
            {"model", file.model}, {"data", to_json(file.data)}};
  json["options"] = file.options;
  if (const auto& split = file.split)
    json["split"] = {{"train", split->train},
                     {"val", split->val},
                     {"test", split->test},
                     {"by", split->by},
                     {"used_test", split->used_test}};
  json["budget_s"] = to_json(file.budget_s);
  json["spent_s"] = file.spent_s;
  if (const auto& probe = file.probe) {
    json["probe"] = {{"val_top1", to_json(probe->val_top1)},
                     {"interval", to_json(probe->interval)},
                     {"knn_top1", to_json(probe->knn_top1)},
                     {"l2", to_json(probe->l2)},
                     {"seconds", to_json(probe->seconds)},
                     {"test_top1", to_json(probe->test_top1)},
                     {"test_interval", to_json(probe->test_interval)},
                     {"test_p", to_json(probe->test_p)}};
  }
  json["plan"] = Json::array();
  for (const FinetuneChoice& one : file.plan)
    json["plan"].push_back({{"setting", one.setting}, {"value", one.value}, {"why", one.why}});
  json["trial_s"] = file.trial_s;
  json["trial_top1"] = to_json(file.trial_top1);
  json["trial_interval"] = to_json(file.trial_interval);
  json["final_epochs"] = file.final_epochs;
  if (const auto& calibration = file.calibration) {
    json["calibration"] = {{"temperature", calibration->temperature},
                           {"min_score", to_json(calibration->min_score)},
                           {"coverage", to_json(calibration->coverage)},
                           {"images", calibration->images},
                           {"accepted", calibration->accepted},
                           {"right", calibration->right},
                           {"interval", to_json(std::optional(calibration->interval()))}};
  }
  if (file.result) json["result"] = to_json(*file.result);
  json["warnings"] = file.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // a path may contain invalid UTF-8
}

FinetuneFile parse_finetune(std::string_view text, std::string_view source) {
  const Json json = parse_json_object(text, source, kMaxBytes);
  const JsonFields fields(json, source);
  if (const auto version = fields.count("version"); version != 1) {
    throw input_error("{}: version: wrong value (got {}, expected 1)", source,
                      version ? std::to_string(*version) : "none");
  }
  FinetuneFile file;
  file.command = fields.text("command");
  file.effnet = fields.text("effnet");
  file.started = fields.text("started");
  file.model = fields.text("model");
  file.options = fields.texts("options");
  if (const auto data = fields.object("data")) file.data = data_of(*data);
  if (const auto split = fields.object("split")) file.split = split_of(*split);
  if (const auto probe = fields.object("probe")) file.probe = probe_of(*probe);
  for (const JsonFields& one : fields.objects("plan"))
    file.plan.push_back({one.text("setting"), one.text("value"), one.text("why")});
  file.budget_s = fields.number("budget_s", 0, kMaxSeconds);
  file.spent_s = fields.number("spent_s", 0, kMaxSeconds).value_or(0);
  file.trial_s = fields.number("trial_s", 0, kMaxSeconds).value_or(0);
  file.trial_top1 = fields.number("trial_top1", 0, 100);
  file.trial_interval = interval(fields, "trial_interval");
  file.final_epochs = fields.number("final_epochs", 0, kMaxNumber).value_or(0);
  if (const auto calibration = fields.object("calibration")) file.calibration = calibration_of(*calibration);
  if (const auto result = fields.object("result")) file.result = result_of(*result);
  file.warnings = fields.texts("warnings");
  return file;
}

std::string support_text(const FinetuneCalibration& calibration) {
  if (calibration.images == 0) return {};
  if (calibration.accepted == 0)
    return fmt::format("none of the {} is above it, so the accuracy above it is unknown",
                       count_of(calibration.images, "validation image"));
  const metrics::Interval interval = calibration.interval();
  const double promised = 100 * metrics::kSureAccuracy;
  std::string text =
      fmt::format("{} of the {} above it {} right, which supports {:.1f} % (95 % interval {:.1f} to {:.1f})",
                  grouped(calibration.right), count_of(calibration.accepted, "validation image"),
                  calibration.right == 1 ? "is" : "are", 100 * interval.low, 100 * interval.low, 100 * interval.high);
  if (interval.low >= metrics::kSureAccuracy) return text;
  const std::int64_t needed = metrics::images_for(metrics::kSureAccuracy);
  text += fmt::format(", not {:g} %", promised);
  if (calibration.accepted < needed)
    text += fmt::format(": {:g} % needs at least {} such images without a mistake", promised, needed);
  return text;
}

std::string gain_text(const FinetuneFile& file) {
  if (file.final_epochs <= 0 || !file.probe || !file.probe->test_top1 || !file.result || !file.result->engine_top1)
    return {};
  const double points = *file.result->engine_top1 - *file.probe->test_top1, p = file.probe->test_p.value_or(1);
  if (points == 0) return "fine-tuning and the linear probe are equally accurate on test";
  const bool clear = p < metrics::kClearP;
  return fmt::format(
      "fine-tuning is {}{} accurate than the linear probe{} by {:.1f} percentage points on test{} (p = {:.2g})",
      clear ? "clearly " : "", points > 0 ? "more" : "less", clear ? "," : "", std::abs(points),
      clear ? "" : ", but this may be chance", p);
}

FinetuneFile read_finetune(const std::filesystem::path& file) { return parse_finetune(read_text(file), file.string()); }

}  // namespace effnet::report

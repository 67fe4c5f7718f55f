#include "effnet/train/finetune/record.h"

#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::train {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const DataFacts& data) {
  Json classes = Json::array(), broken = Json::array();
  for (const ClassCounts& one : data.classes)
    classes.push_back({{"name", one.name}, {"train", one.train}, {"val", one.val}, {"test", one.test}});
  for (const NamedReason& one : data.corrupt) broken.push_back({{"path", one.name}, {"why", one.why}});
  return {{"folder", data.folder},
          {"labels", data.labels},
          {"images", data.images},
          {"classes", std::move(classes)},
          {"broken", std::move(broken)},
          {"duplicates", data.duplicates},
          {"near_duplicates", data.near_duplicates}};
}

DataFacts data_from(const Json& json, const Json& split) {
  DataFacts data{.folder = json.at("folder"),
                 .labels = json.at("labels"),
                 .images = json.at("images"),
                 .classes = {},
                 .corrupt = {},
                 .duplicates = json.at("duplicates"),
                 .near_duplicates = json.at("near_duplicates"),
                 .split_by = split.at("by")};
  for (const Json& one : json.at("classes"))
    data.classes.push_back({one.at("name"), one.at("train"), one.at("val"), one.at("test")});
  for (const Json& one : json.at("broken")) data.corrupt.push_back({one.at("path"), one.at("why")});
  return data;
}

Json interval(double low, double high) { return {low, high}; }

Json to_json(const ResultFacts& result) {
  return {{"model", result.model},
          {"images", result.images},
          {"test_top1", result.test_top1},
          {"interval", interval(result.low, result.high)},
          {"mean_per_class", result.mean_per_class},
          {"engine_top1", result.engine_top1},
          {"worst_class",
           {{"name", result.worst_class}, {"recall", result.worst_recall}, {"images", result.worst_images}}}};
}

ResultFacts result_from(const Json& json) {
  const Json& worst = json.at("worst_class");
  return {.model = json.at("model"),
          .images = json.at("images"),
          .test_top1 = json.at("test_top1"),
          .low = json.at("interval").at(0),
          .high = json.at("interval").at(1),
          .mean_per_class = json.at("mean_per_class"),
          .engine_top1 = json.at("engine_top1"),
          .worst_class = worst.at("name"),
          .worst_recall = worst.at("recall"),
          .worst_images = worst.at("images")};
}

Record record_from(const Json& json) {
  Record record{.command = json.at("command"),
                .version = json.at("effnet"),
                .started = json.at("started"),
                .model = json.at("model"),
                .data = data_from(json.at("data"), json.at("split")),
                .budget_s = json.at("budget_s"),
                .spent_s = json.at("spent_s"),
                .probe = {},
                .plan = {},
                .trial_s = json.at("trial_s"),
                .calibration = {},
                .final_epochs = json.at("final_epochs"),
                .result = {},
                .warnings = json.at("warnings")};
  if (const auto found = json.find("probe"); found != json.end()) {
    record.probe = {.val_top1 = found->at("val_top1"),
                    .low = found->at("interval").at(0),
                    .high = found->at("interval").at(1),
                    .knn_top1 = found->at("knn_top1"),
                    .l2 = found->at("l2"),
                    .seconds = found->at("seconds")};
  }
  for (const Json& one : json.at("plan")) record.plan.push_back({one.at("setting"), one.at("value"), one.at("why")});
  if (const auto found = json.find("calibration"); found != json.end()) {
    record.calibration = {.calibration = {.temperature = found->at("temperature"), .min_score = found->at("min_score")},
                          .coverage = found->at("coverage")};
  }
  if (const auto found = json.find("result"); found != json.end()) record.result = result_from(*found);
  return record;
}

}  // namespace

ClassCounts DataFacts::total() const {
  ClassCounts sum;
  for (const ClassCounts& one : classes) {
    sum.train += one.train;
    sum.val += one.val;
    sum.test += one.test;
  }
  return sum;
}

std::string record_text(const Record& record) {
  const ClassCounts total = record.data.total();
  Json json{{"version", 1},
            {"command", record.command},
            {"effnet", record.version},
            {"started", record.started},
            {"model", record.model},
            {"data", to_json(record.data)},
            {"split", {{"train", total.train}, {"val", total.val}, {"test", total.test}, {"by", record.data.split_by}}},
            {"budget_s", record.budget_s},
            {"spent_s", record.spent_s}};
  if (const auto& probe = record.probe) {
    json["probe"] = {{"val_top1", probe->val_top1},
                     {"interval", interval(probe->low, probe->high)},
                     {"knn_top1", probe->knn_top1},
                     {"l2", probe->l2},
                     {"seconds", probe->seconds}};
  }
  json["plan"] = Json::array();
  for (const Choice& one : record.plan)
    json["plan"].push_back({{"setting", one.setting}, {"value", one.value}, {"why", one.why}});
  json["trial_s"] = record.trial_s;
  json["final_epochs"] = record.final_epochs;
  if (const auto& facts = record.calibration) {
    json["calibration"] = {{"temperature", facts->calibration.temperature},
                           {"min_score", facts->calibration.min_score},
                           {"coverage", facts->coverage}};
  }
  if (record.result) json["result"] = to_json(*record.result);
  json["warnings"] = record.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // a path may contain invalid UTF-8
}

Record read_record(const std::filesystem::path& file) {
  try {
    const Json json = Json::parse(read_text(file));
    if (json.at("version") != 1)
      throw input_error("{}: a newer format (got version {}, expected 1)", file.string(), json.at("version").dump());
    return record_from(json);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: not the record of a fine-tuning run ({})", file.string(), error.what());
  }
}

}  // namespace effnet::train

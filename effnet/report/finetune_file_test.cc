#include "effnet/report/finetune_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::report {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    parse_finetune(text, "f.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(FinetuneFile, EveryFieldExceptTheVersionMayBeAbsentOrNull) {
  const FinetuneFile empty = parse_finetune("{\"version\": 1}", "x");
  EXPECT_TRUE(empty.command.empty() && empty.plan.empty() && !empty.split && !empty.probe && !empty.result);
  const FinetuneFile nulls = parse_finetune(
      R"({"version": 1, "data": null, "probe": {"val_top1": null}, "plan": null, "result": {"worst_class": null},
          "calibration": {}, "later": [1]})",
      "x");
  EXPECT_TRUE(nulls.probe && !nulls.probe->val_top1 && nulls.result && !nulls.result->worst_class);
  EXPECT_EQ(nulls.calibration->temperature, 1);
}

TEST(FinetuneFile, ReadsValues) {
  const FinetuneFile file = parse_finetune(
      R"({"version": 1, "data": {"images": 9007199254740992, "duplicates": [["a", "b"], []]},
          "probe": {"interval": [10, 20]}, "result": {"test_top1": 97.5, "interval": [90, 100]}, "warnings": ["w"]})",
      "x");
  EXPECT_EQ(file.data.images, std::int64_t{1} << 53);
  EXPECT_EQ(file.data.duplicates, (std::vector<std::vector<std::string>>{{"a", "b"}, {}}));
  EXPECT_DOUBLE_EQ(file.probe->interval->high, 0.2);
  EXPECT_DOUBLE_EQ(file.result->interval->low, 0.9);
  EXPECT_EQ(file.warnings, std::vector<std::string>{"w"});
}

TEST(FinetuneFile, ErrorsHaveThePathOfTheField) {
  EXPECT_THAT(refusal(""), HasSubstr("f.json: corrupt"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected one JSON object"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("corrupt"));
  EXPECT_THAT(refusal("{}"), HasSubstr("version: wrong value (got none, expected 1)"));
  EXPECT_THAT(refusal(R"({"version": 2})"), HasSubstr("version: wrong value (got 2, expected 1)"));
  const auto with = [](const std::string& rest) { return refusal(R"({"version": 1, )" + rest + "}"); };
  EXPECT_THAT(with(R"("command": 1)"), HasSubstr("f.json: command: wrong value (got '1', expected a text)"));
  EXPECT_THAT(with(R"("data": [])"), HasSubstr("data: wrong value (got '[]', expected an object)"));
  for (const char* images : {"-1", "1.5", "\"3\"", "9007199254740993", "1e400"})
    EXPECT_NE(with(fmt::format("\"data\": {{\"images\": {}}}", images)), "no error") << images;
  EXPECT_THAT(with(R"("data": {"classes": [{}, {"val": true}]})"), HasSubstr("data.classes[1].val: wrong value"));
  EXPECT_THAT(with(R"("data": {"classes": [3]})"), HasSubstr("expected a list of objects"));
  EXPECT_THAT(with(R"("data": {"duplicates": ["a"]})"), HasSubstr("expected a list of lists of texts"));
  EXPECT_THAT(with(R"("data": {"duplicates": [[1]]})"), HasSubstr("expected a text"));
  EXPECT_THAT(with(R"("result": {"test_top1": 100.5})"), HasSubstr("result.test_top1: wrong value (got '100.5'"));
  EXPECT_THAT(with(R"("result": {"interval": [3, 2]})"), HasSubstr("the smaller one first"));
  EXPECT_THAT(with(R"("result": {"interval": [3]})"), HasSubstr("result.interval"));
  EXPECT_THAT(with(R"("calibration": {"temperature": 0})"), HasSubstr("calibration.temperature"));
  EXPECT_THAT(with(R"("calibration": {"images": 5, "accepted": 3, "right": 4})"),
              HasSubstr("calibration.right: wrong value (got '4', expected right <= accepted <= images)"));
  EXPECT_THAT(with(R"("probe": {"test_p": 1.5})"), HasSubstr("probe.test_p"));
  EXPECT_THAT(with(R"("plan": {"a": 1})"), HasSubstr("plan: wrong value"));
  EXPECT_THAT(with(R"("warnings": "w")"), HasSubstr("warnings: wrong value (got '\"w\"', expected a list)"));
  EXPECT_LT(with("\"command\": [" + std::string(50000, ' ') + "]").size(), 200U);
}

FinetuneFile full_file() {
  FinetuneFile file{.command = "effnet finetune 'my flowers' --out run",
                    .effnet = "1.0",
                    .started = "2026-11-29T12:00:00Z",
                    .model = "efficientnet_lite0",
                    .options = {"--model efficientnet_lite0"}};
  file.data = {.folder = "/data/flowers",
               .labels = "/data/labels.csv",
               .images = 400,
               .classes = {{"rose", 24, 8, 8}, {"tulip, red", 1, 2, 3}},
               .broken = {{"rose/x.jpg", "truncated"}},
               .duplicates = {{"a", "b"}},
               .near_duplicates = {{"a", "b", "c"}}};
  file.split = {.train = 25, .val = 10, .test = 11, .by = "content"};
  file.budget_s = 300;
  file.spent_s = 12.5;
  file.probe = {.val_top1 = 93.75,
                .knn_top1 = 90,
                .l2 = 0.01,
                .seconds = 21,
                .interval = metrics::Interval{0.5, 1},
                .test_top1 = 95,
                .test_p = 0.5,
                .test_interval = metrics::Interval{0.75, 1}};
  file.plan = {{"train.batch", "32", "240 training images"}};
  file.trial_s = 60;
  file.calibration = {
      .temperature = 1.21, .min_score = 0.62, .coverage = 0.97, .images = 100, .accepted = 97, .right = 96};
  file.trial_top1 = 91.5;
  file.trial_interval = metrics::Interval{0.25, 1};
  file.final_epochs = 7.25;
  file.result = {.model = "final",
                 .images = 80,
                 .test_top1 = 97.5,
                 .mean_per_class = 97.25,
                 .engine_top1 = 97.5,
                 .interval = metrics::Interval{0.75, 1},
                 .worst_class = FinetuneResult::WorstClass{"rose", 87.5, 8}};
  file.warnings = {"class tulip has 7 images"};
  return file;
}

// wilson_95 of n right of n has the lower bound n / (n + 3.8415): 83.9 % for 20, 95.1 % for 75.
TEST(FinetuneFile, SaysHowFarTheThresholdIsSupported) {
  FinetuneCalibration calibration{.images = 23, .accepted = 20, .right = 20};
  EXPECT_EQ(
      support_text(calibration),
      "20 of the 20 validation images above it are right, which supports 83.9 % (95 % interval 83.9 to 100.0), not "
      "95 %: 95 % needs at least 73 such images without a mistake");
  calibration = {.images = 80, .accepted = 75, .right = 75};
  EXPECT_EQ(support_text(calibration),
            "75 of the 75 validation images above it are right, which supports 95.1 % (95 % interval 95.1 to 100.0)");
  calibration = {.images = 200, .accepted = 100, .right = 90};
  EXPECT_TRUE(support_text(calibration).ends_with(", not 95 %")) << "more images would not help";
  calibration = {.images = 4};
  EXPECT_EQ(support_text(calibration),
            "none of the 4 validation images is above it, so the accuracy above it is unknown");
  EXPECT_EQ(support_text({}), "") << "a file of an earlier version";
}

TEST(FinetuneFile, SaysWhatFineTuningGained) {
  FinetuneFile file = full_file();  // the engine 97.5 %, the probe 95 %, p = 0.5
  EXPECT_EQ(
      gain_text(file),
      "fine-tuning is more accurate than the linear probe by 2.5 percentage points on test, but this may be chance "
      "(p = 0.5)");
  file.probe->test_p = 0.012;
  file.probe->test_top1 = 100;
  EXPECT_EQ(gain_text(file),
            "fine-tuning is clearly less accurate than the linear probe, by 2.5 percentage points on test (p = 0.012)");
  file.probe->test_top1 = 97.5;
  EXPECT_EQ(gain_text(file), "fine-tuning and the linear probe are equally accurate on test");
  file.final_epochs = 0;
  EXPECT_EQ(gain_text(file), "") << "the probe is the result";
  EXPECT_EQ(gain_text({}), "");
}

TEST(FinetuneFile, ReadsBackWhatWasWritten) {
  FinetuneFile unfinished = full_file();
  unfinished.result.reset();
  unfinished.calibration.reset();
  for (const FinetuneFile& file : {full_file(), unfinished, FinetuneFile{}}) {
    const std::string text = finetune_text(file);
    EXPECT_EQ(finetune_text(parse_finetune(text, "finetune.json")), text);
  }
  const FinetuneFile read = parse_finetune(finetune_text(full_file()), "finetune.json");
  EXPECT_EQ(read.data.classes[1].name, "tulip, red");
  EXPECT_EQ(read.result->worst_class->images, 8);
  EXPECT_EQ(read.trial_top1, 91.5);
  EXPECT_EQ(read.trial_interval->low, 0.25);
  EXPECT_EQ(read.final_epochs, 7.25);
  EXPECT_EQ(read.calibration->accepted, 97);
  EXPECT_EQ(read.calibration->right, 96);
  EXPECT_EQ(read.probe->test_p, 0.5);
  EXPECT_EQ(read.split->by, "content");
}

}  // namespace
}  // namespace effnet::report

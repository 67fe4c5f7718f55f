#include "effnet/train/finetune/record.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::train {
namespace {

Record full_record() {
  Record record{.command = "effnet finetune 'my flowers' --out run",
                .version = "1.0",
                .started = "2026-11-29T12:00:00Z",
                .model = "efficientnet_lite0"};
  record.data = {.folder = "/data/flowers",
                 .labels = "",
                 .images = 400,
                 .classes = {{"rose", 24, 8, 8}, {"tulip, red", 1, 2, 3}},
                 .corrupt = {{"rose/x.jpg", "truncated"}},
                 .duplicates = {{"a", "b"}},
                 .near_duplicates = {{"a", "b", "c"}},
                 .split_by = "content"};
  record.budget_s = 300;
  record.spent_s = 12.5;
  record.probe = {.val_top1 = 93.1, .low = 90.2, .high = 95.5, .knn_top1 = 90, .l2 = 0.01, .seconds = 21};
  record.plan = {{"train.batch", "32", "240 training images"}};
  record.trial_s = 60;
  record.calibration = {.calibration = {.temperature = 1.21, .min_score = 0.62}, .coverage = 0.97};
  record.final_epochs = 7.25;
  record.result = {.model = "final",
                   .images = 80,
                   .test_top1 = 97.5,
                   .low = 91,
                   .high = 99,
                   .mean_per_class = 97.4,
                   .engine_top1 = 97.5,
                   .worst_class = "rose",
                   .worst_recall = 87.5,
                   .worst_images = 8};
  record.warnings = {"class tulip has 7 images"};
  return record;
}

class RecordFile : public testing::Test {
 protected:
  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "finetune.json";
};

TEST_F(RecordFile, ReadsBackWhatWasWritten) {
  for (Record record : {full_record(), Record{}}) {
    const std::string text = record_text(record);
    write_text(file_, text);
    EXPECT_EQ(record_text(read_record(file_)), text);
  }
  Record partial = full_record();
  partial.result.reset();
  write_text(file_, record_text(partial));
  EXPECT_FALSE(read_record(file_).result);
}

TEST_F(RecordFile, RefusesOtherFiles) {
  std::string newer = record_text(full_record());
  newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 2");
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[1]"), std::string("{\"version\": 1}"),
                                  newer, record_text(full_record()).substr(0, 200)}) {
    write_text(file_, text);
    try {
      read_record(file_);
      ADD_FAILURE() << text.substr(0, 40);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
    }
  }
}

}  // namespace
}  // namespace effnet::train

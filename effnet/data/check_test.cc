#include "effnet/data/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/data/testing_sets.h"

namespace effnet::data {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing_sets::png;

DataReport check(const testing_sets::Folder& folder, int threads = 2) {
  ThreadPool pool(threads);
  std::int64_t last = 0;
  DataReport report = check_data(folder.root(), pool, [&](std::int64_t done, std::int64_t) { last = done; });
  EXPECT_EQ(last, report.images);
  return report;
}

std::string golden(const std::string& name) {
  return read_text(std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/vision" / name);
}

TEST(DataCheck, ListsAllFindings) {
  const testing_sets::Folder folder;
  folder.write("train/cat/a.png", png(1));
  folder.write("train/cat/b.png", png(2));
  folder.write("train/cat/corrupt.png", png(3).substr(0, 150));
  folder.write("train/cat/corrupt_too.png", png(3).substr(0, 150));
  folder.write("train/dog/a.png", png(4));
  folder.write("train/dog/turned.jpg", golden("jpeg_turn6.jpg"));
  folder.write("train/dog/upright.jpg", golden("jpeg_turn1.jpg"));
  folder.write("train/dog/b.png", png(2));               // equals train/cat/b.png: two labels for one image
  folder.write("train/dog/wide.png", png(2, {10, 12}));  // the bytes of b.png, with width and height swapped
  folder.write("train/readme.txt", "x");
  folder.write("train/cat/readme.txt", "x");
  folder.write("val/dog/c.png", png(4));  // equals train/dog/a.png: a leak
  folder.write("val/eel/a.png", png(6));
  for (const int threads : {1, 3}) {
    const DataReport report = check(folder, threads);
    EXPECT_THAT(report.splits, ElementsAre("train", "val"));
    EXPECT_EQ(report.images, 11);
    ASSERT_EQ(report.classes.size(), 3U);
    EXPECT_EQ(report.classes[0].name, "cat");
    EXPECT_THAT(report.classes[0].images, ElementsAre(4, 0));
    EXPECT_THAT(report.classes[1].images, ElementsAre(5, 1));
    EXPECT_THAT(report.classes[2].images, ElementsAre(0, 1));
    EXPECT_THAT(report.missing, ElementsAre(Pair("cat", "val"), Pair("eel", "train")));
    ASSERT_EQ(report.broken.size(), 2U);
    EXPECT_EQ(report.broken[0].name, "train/cat/corrupt.png");
    ASSERT_EQ(report.duplicates.size(), 2U);
    EXPECT_THAT(report.duplicates[0].names, ElementsAre("train/cat/b.png", "train/dog/b.png"));
    EXPECT_TRUE(report.duplicates[0].across_classes);
    EXPECT_FALSE(report.duplicates[0].across_splits);
    EXPECT_THAT(report.duplicates[1].names, ElementsAre("train/dog/a.png", "val/dog/c.png"));
    EXPECT_FALSE(report.duplicates[1].across_classes);
    EXPECT_TRUE(report.duplicates[1].across_splits);
    ASSERT_EQ(report.turned.size(), 1U);
    EXPECT_EQ(report.turned[0].name, "train/dog/turned.jpg");
    EXPECT_EQ(report.turned[0].orientation, 6);
    EXPECT_EQ(report.skipped.size(), 2U);
  }
}

TEST(DataCheck, ChecksClassFoldersWithoutSplits) {
  const testing_sets::Folder folder;
  folder.write("cat/a.png", png(1));
  folder.write("dog/a.png", png(2));
  const DataReport report = check(folder);
  EXPECT_THAT(report.splits, ElementsAre("."));
  EXPECT_EQ(report.images, 2);
  EXPECT_TRUE(report.missing.empty());
}

TEST(DataCheck, ChecksShardsAndCifar) {
  const testing_sets::Folder folder;
  folder.write("train-0.tar",
               testing_sets::tar({{"a.png", png(1)}, {"a.cls", "0"}, {"b.png", png(2)}, {"b.cls", "1"}}));
  folder.write("val-0.tar", testing_sets::tar({{"a.png", png(2)}, {"a.cls", "1"}}));
  const DataReport shards = check(folder);
  ASSERT_EQ(shards.duplicates.size(), 1U);
  EXPECT_THAT(shards.duplicates[0].names, ElementsAre("train-0.tar:b.png", "val-0.tar:a.png"));
  EXPECT_THAT(shards.missing, ElementsAre(Pair("0", "val")));

  const testing_sets::Folder cifar;
  std::string records;
  for (int i = 0; i < 4; ++i) records += static_cast<char>(i) + std::string(3072, static_cast<char>(i % 3));
  cifar.write("data_batch_1.bin", records);
  cifar.write("test_batch.bin", static_cast<char>(7) + std::string(3072, 'x'));
  const DataReport report = check(cifar);
  EXPECT_THAT(report.splits, ElementsAre("train", "test"));
  ASSERT_EQ(report.duplicates.size(), 1U);
  EXPECT_THAT(report.duplicates[0].names, ElementsAre("data_batch_1.bin:0", "data_batch_1.bin:3"));
}

TEST(DataCheck, RejectsNamesThatAModelFileCannotStore) {
  const testing_sets::Folder folder;
  folder.classes("train", {"cat", "dog"}, 1, 0);
  folder.write("valid/caf\xe9/a.png", png(9));
  try {
    check(folder);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("valid: a class folder's name is not UTF-8 (got 'caf\\xe9'"));
    EXPECT_THAT(e.hint(), testing::HasSubstr("mv $'caf\\xe9' NEW"));
  }
}

TEST(DataCheck, UnusableFoldersAreErrors) {
  const testing_sets::Folder folder;
  EXPECT_THROW(check(folder), Error);
  folder.write("train/cat/a.png", png(1));
  EXPECT_THROW(check(folder), Error) << "a single class";
  folder.write("train/dog/a.png", png(1));
  folder.write("val-0.tar", "not a tar file");
  EXPECT_THROW(check(folder), Error);
}

TEST(DataCheck, ExceptionOfTheCallbackEndsTheCheck) {
  const testing_sets::Folder folder;
  folder.classes("train", {"cat", "dog"}, 3, 0);
  ThreadPool pool(2);
  EXPECT_THROW(check_data(folder.root(), pool, [](std::int64_t, std::int64_t) { throw input_error("stop"); }), Error);
}

}  // namespace
}  // namespace effnet::data

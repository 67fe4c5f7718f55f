#include "effnet/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "effnet/base/error.h"
#include "effnet/data/tar_index.h"
#include "effnet/data/testing_sets.h"
#include "effnet/vision/decode.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing_sets::png;
using testing_sets::tar;
using testing_sets::TarEntry;

class DatasetTest : public testing::Test, protected testing_sets::Folder {
 protected:
  std::string error(std::string_view split, const ClassNames& names = {}) const {
    try {
      open_dataset(root(), split, names);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::input);
      return std::string(e.what()) + " | " + e.hint();
    }
    return "no error";
  }
};

std::vector<std::pair<std::string, std::int64_t>> rows(const Dataset& set) {
  std::vector<std::pair<std::string, std::int64_t>> all;
  for (std::int64_t i = 0; i < set.size(); ++i) all.emplace_back(set.name(i), set.label(i));
  return all;
}
using Rows = std::vector<std::pair<std::string, std::int64_t>>;

std::vector<std::string> skipped(const Dataset& set) {
  std::vector<std::string> all;
  for (const SkippedFile& file : set.skipped()) {
    const std::string path = file.path.string();
    all.push_back(path.substr(path.rfind("/set/") + 5) + ": " + file.why);
  }
  return all;
}

vision::Image pixels(const Dataset& set, std::int64_t index) {
  const ImageData content = set.read(index);
  if (const auto* image = std::get_if<vision::Image>(&content)) return *image;
  return vision::decode(std::get<std::vector<std::byte>>(content));
}

TEST_F(DatasetTest, ReadsClassFoldersInSortedOrder) {
  write("train/dog/sub/b.png", png(1));
  write("train/cat/a.png", png(2));
  write("train/cat/notes.txt", "x");
  const auto set = open_dataset(root(), "train");
  EXPECT_THAT(set->classes(), ElementsAre("cat", "dog"));
  EXPECT_EQ(rows(*set), (Rows{{"train/cat/a.png", 0}, {"train/dog/sub/b.png", 1}}));
  EXPECT_EQ(pixels(*set, 1), testing_sets::noise(1));
  EXPECT_EQ(set->skipped().size(), 1U);
  EXPECT_EQ(open_validation(root()), nullptr);
}

TEST_F(DatasetTest, ValidationHasTheClassesOfTraining) {
  classes("train", {"ant", "bee", "cat"}, 1, 0);
  classes("test", {"cat"}, 2, 10);
  const auto test = open_validation(root());
  ASSERT_NE(test, nullptr);
  EXPECT_THAT(test->classes(), ElementsAre("ant", "bee", "cat"));
  EXPECT_EQ(rows(*test), (Rows{{"test/cat/000.png", 2}, {"test/cat/001.png", 2}}));
  classes("val", {"bee_eater"}, 1, 20);  // the class bee is only a prefix of it: no match
  EXPECT_THAT(error("val"), HasSubstr("not a class of train/ (got 'bee_eater'"));
}

TEST_F(DatasetTest, ClassesFollowTheGivenNames) {
  classes("train", {"n02", "n01_goldfish"}, 1, 0);
  const ClassNames names{3, {"n00", "n01", "n02"}, {}};
  EXPECT_EQ(rows(*open_dataset(root(), "train", names)),
            (Rows{{"train/n01_goldfish/000.png", 1}, {"train/n02/000.png", 2}}));
  write("train/n07/a.png", png(1));
  EXPECT_THAT(error("train", names), HasSubstr("not a class of the model"));
}

TEST_F(DatasetTest, ErrorsOfClassFoldersSayWhatIsMissing) {
  EXPECT_THAT(error("train"), HasSubstr("not a dataset folder"));
  write("cat/a.png", png(1));
  write("dog/a.png", png(1));
  EXPECT_THAT(error("train"), testing::AllOf(HasSubstr("no train images"), HasSubstr("effnet data split")));
  fs::create_directories(root() / "train");
  EXPECT_THAT(error("train"), HasSubstr("no class folders"));
  write("train/cat/a.png", png(1));
  EXPECT_THAT(error("train"), HasSubstr("a single class (got only 'cat'"));
  fs::create_directories(root() / "train/dog");
  EXPECT_THAT(error("train"), HasSubstr("a single class (got only 'cat'"));
  write("train/eel/a.png", png(1));
  EXPECT_THAT(error("train"), HasSubstr("train/dog: no images of this class"));
  write("val/cat/a.txt", "x");
  EXPECT_THAT(error("val"), HasSubstr("no images (got 1 other files"));
}

TEST_F(DatasetTest, MissingImageIsAnInputError) {
  classes("train", {"cat", "dog"}, 1, 0);
  const auto set = open_dataset(root(), "train");
  fs::remove(root() / "train/dog/000.png");
  try {
    set->read(1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::input);
    EXPECT_THAT(e.what(), HasSubstr("cannot read"));
  }
}

TEST_F(DatasetTest, NumbersInShardsAreClassIndices) {
  write("train-0.tar", tar({{"a.jpg", "AAA"},
                            {"a.cls", "1"},
                            {"dir/b.c.jpg", "not the sample: there is dir/b.PNG"},
                            {"dir/b.PNG", png(5)},
                            {"dir/b.cls", " 0\n"},
                            {"c.jpg", "C"},
                            {"d.json", "{}"}}));
  write("train-1.tar", tar({{"a.cls", "3"}, {"a.webp", "W"}}));
  const auto set = open_dataset(root(), "train");
  EXPECT_THAT(set->classes(), ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(rows(*set), (Rows{{"train-0.tar:a.jpg", 1}, {"train-0.tar:dir/b.PNG", 0}, {"train-1.tar:a.webp", 3}}));
  EXPECT_EQ(pixels(*set, 1), testing_sets::noise(5));
  EXPECT_THAT(skipped(*set), ElementsAre("train-0.tar:dir/b.c.jpg: a second image with the same key",
                                         "train-0.tar:c.jpg: no .cls file for this image",
                                         "train-0.tar:d.json: not an image by its name"));

  write("val/x.tar", tar({{"a.jpg", "A"}, {"a.cls", "2"}}));
  EXPECT_EQ(open_validation(root())->classes().size(), 4U);
  write("val/x.tar", tar({{"a.jpg", "A"}, {"a.cls", "4"}}));
  EXPECT_THAT(error("val"), HasSubstr("x.tar:a.jpg: unknown class (got '4', expected only class indices below 4"));
}

TEST_F(DatasetTest, NamesInShardsAreClassNames) {
  write("train/s.tar", tar({{"a.jpg", "A"}, {"a.cls", "dog"}, {"b.jpg", "B"}, {"b.cls", "cat"}}));
  EXPECT_EQ(rows(*open_dataset(root(), "train")), (Rows{{"train/s.tar:a.jpg", 1}, {"train/s.tar:b.jpg", 0}}));
  write("classes.txt", "dog\ncow\ncat\n");
  const auto set = open_dataset(root(), "train");
  EXPECT_THAT(set->classes(), ElementsAre("dog", "cow", "cat"));
  EXPECT_EQ(rows(*set), (Rows{{"train/s.tar:a.jpg", 0}, {"train/s.tar:b.jpg", 2}}));
  write("classes.txt", "dog\ncow\n");
  EXPECT_THAT(error("train"), HasSubstr("train/s.tar:b.jpg: unknown class (got 'cat'"));
  write("classes.txt", "dog\ndog\n");
  EXPECT_THAT(error("train"), HasSubstr("duplicate class name"));
  EXPECT_THAT(error("train", {1, {"dog"}, {}}), HasSubstr("unknown class"));
}

TEST_F(DatasetTest, RepeatedKeyInAShardNeedsTheSameLabel) {
  const auto shard = [&](const std::string& second) {
    return tar({{"a.jpg", "A"}, {"a.cls", "0"}, {"b.jpg", "B"}, {"b.cls", "1"}, {"a.jpg", "C"}, {"a.cls", second}});
  };
  write("train/s.tar", shard("1"));
  EXPECT_THAT(error("train"), HasSubstr("s.tar: a.cls: two labels for one key (got '0' and '1', expected one)"));
  write("train/s.tar", shard(" 0\n"));
  EXPECT_EQ(rows(*open_dataset(root(), "train")), (Rows{{"train/s.tar:a.jpg", 0}, {"train/s.tar:b.jpg", 1}}));
}

TEST_F(DatasetTest, ConcatenatedArchivesAreOneShard) {
  write("train/s.tar", tar({{"a.jpg", "A"}, {"a.cls", "0"}}) + tar({{"b.jpg", "B"}, {"b.cls", "1"}}));
  EXPECT_EQ(rows(*open_dataset(root(), "train")), (Rows{{"train/s.tar:a.jpg", 0}, {"train/s.tar:b.jpg", 1}}));
}

TEST_F(DatasetTest, ShardImagesMayHaveDotsInTheirNames) {
  write("train/s.tar", tar({{"IMG.2024.01.jpg", "A"},
                            {"IMG.2024.01.cls", "0"},
                            {"IMG.2024.02.jpg", "B"},
                            {"IMG.2024.02.cls", "1"},
                            {"v1.0/a.left.jpg", "C"},  // webdataset's key: v1.0/a
                            {"v1.0/a.cls",
                             "\xef\xbb\xbf"
                             "1\r\n"},
                            {"v1.0/a.json", "{}"},
                            {"b.mask.png", "D"},
                            {"b.jpg", "E"},
                            {"b.cls", "0"},
                            {"c.nef", "F"},
                            {"c.cls", "0"},
                            {"d.cls", "0"},
                            {"._b.jpg", "G"}}));
  write("train/more.tar.gz", "x");
  const auto set = open_dataset(root(), "train");
  EXPECT_EQ(rows(*set), (Rows{{"train/s.tar:IMG.2024.01.jpg", 0},
                              {"train/s.tar:IMG.2024.02.jpg", 1},
                              {"train/s.tar:v1.0/a.left.jpg", 1},
                              {"train/s.tar:b.jpg", 0}}));
  EXPECT_THAT(
      skipped(*set),
      ElementsAre(
          "train/more.tar.gz: not an uncompressed tar file by its name",
          "train/s.tar:._b.jpg: hidden: its name begins with a dot",
          "train/s.tar:b.mask.png: a second image with the same key",
          "train/s.tar:c.nef: a camera raw file by its name; to convert it: darktable-cli IN OUT.jpg (darktable)",
          "train/s.tar:d.cls: a label without an image"));
}

TEST_F(DatasetTest, AllLabelsOfShardsAreNamesOrAllAreIndices) {
  const auto labels = [&](const std::vector<std::string>& all) {
    std::vector<TarEntry> entries;
    for (std::size_t i = 0; i < all.size(); ++i) {
      entries.push_back({fmt::format("{}.jpg", i), "A"});
      entries.push_back({fmt::format("{}.cls", i), all[i]});
    }
    write("train/s.tar", tar(entries));
  };
  const auto read = [&] {
    std::vector<std::int64_t> all;
    for (const auto& [name, label] : rows(*open_dataset(root(), "train"))) all.push_back(label);
    return all;
  };
  write("classes.txt",
        "\xef\xbb\xbf"
        "1 \r\n2\r\n3\r\n");
  labels({"0", "1", "2"});
  EXPECT_THAT(read(), ElementsAre(0, 1, 2));
  labels({"1", "2", "3"});
  EXPECT_THAT(read(), ElementsAre(0, 1, 2));
  labels({"1", "2"});
  EXPECT_THAT(error("train"), HasSubstr("ambiguous labels: they could be class names or class indices"));
  write("classes.txt", "caf\xe9\nb\n");
  EXPECT_THAT(error("train"), HasSubstr("classes.txt:1: the line is not valid text (got 'caf\\xe9', expected UTF-8)"));
  fs::remove(root() / "classes.txt");
  labels({"caf\xe9", "b"});
  EXPECT_THAT(error("train"), HasSubstr("a label in a .cls file is not UTF-8 (got 'caf\\xe9'"));
}

TEST_F(DatasetTest, RejectsNamesThatAModelFileCannotStore) {
  classes("train", {"cat", "dog"}, 1, 0);
  for (const char* name : {"caf\xe9", "new\nline"}) {
    write(std::string("train/") + name + "/a.png", png(7));
    EXPECT_THAT(error("train"), HasSubstr(std::string("train: a class folder's name ")));
    EXPECT_THAT(error("train"), HasSubstr("| rename it: mv $'"));
    fs::rename(root() / "train" / name, root() / "val");
    fs::remove_all(root() / "val");
  }
  EXPECT_EQ(error("train"), "no error");
  write("val/caf\xe9/a.png", png(7));
  EXPECT_THAT(error("val"), HasSubstr("not a class of train/ (got 'caf\\xe9'"));
}

TEST_F(DatasetTest, ValidationFoldersMatchByName) {
  classes("train", {"A", "B", "C", "a"}, 1, 0);
  classes("val", {"A", "B", "a", "b"}, 1, 10);
  const ClassNames names{4, {}, {"A", "B", "C", "a"}};
  for (const ClassNames& given : {ClassNames{}, names}) {
    try {
      open_validation(root(), given);
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("val/b: this folder's name is ambiguous among the classes of train/"));
      EXPECT_THAT(e.hint(), testing::Not(HasSubstr("--classes"))) << "train has no such option";
    }
  }
  fs::rename(root() / "val/b", root() / "val/c");
  EXPECT_EQ(rows(*open_validation(root(), names)),
            (Rows{{"val/A/000.png", 0}, {"val/B/000.png", 1}, {"val/a/000.png", 3}, {"val/c/000.png", 2}}));
}

TEST_F(DatasetTest, NumericFolderNamesOfValAreNames) {
  classes("train", {"1", "2", "3"}, 1, 0);
  classes("val", {"0", "1", "2"}, 1, 10);
  EXPECT_THAT(error("val"), HasSubstr("val/0: this folder's name is not a class of train/"));
}

TEST_F(DatasetTest, ValMayBeCalledValidOrValidation) {
  classes("train", {"ant", "bee"}, 1, 0);
  for (const char* name : {"valid", "validation"}) {
    classes(name, {"bee"}, 1, 10);
    EXPECT_TRUE(has_split(root(), "val"));
    EXPECT_EQ(rows(*open_validation(root())), (Rows{{std::string(name) + "/bee/000.png", 1}}));
    fs::rename(root() / name, root() / "away");
    fs::remove_all(root() / "away");
  }
  write("validation-0.tar", tar({{"a.jpg", "A"}, {"a.cls", "1"}}));
  EXPECT_EQ(rows(*open_validation(root())), (Rows{{"validation-0.tar:a.jpg", 1}}));
  classes("valid", {"bee"}, 1, 10);
  EXPECT_THAT(error("val"), HasSubstr("exists twice (got valid and validation, expected one of them)"));
}

TEST_F(DatasetTest, FilesBesideClassFoldersAreReportedAsSkipped) {
  classes("train", {"cat", "dog"}, 1, 0);
  write("train/stray.png", png(9));
  write("train/.DS_Store", "x");
  write("train/.hidden/a.png", png(9));
  EXPECT_THAT(skipped(*open_dataset(root(), "train")), ElementsAre("train/.hidden: hidden: its name begins with a dot",
                                                                   "train/stray.png: not in a class folder"));
}

TEST_F(DatasetTest, CorruptShardsAreErrors) {
  const std::string good = tar({{"a.jpg", std::string(2000, 'A')}, {"a.cls", "0"}, {"b.jpg", "B"}, {"b.cls", "1"}});
  const auto shard_error = [&](const std::string& archive) {
    write("train/s.tar", archive);
    return error("train");
  };
  EXPECT_EQ(shard_error(good), "no error");
  for (const std::size_t size : {100, 513, 1500, 2561, 3200, 4100})
    EXPECT_NE(shard_error(good.substr(0, size)), "no error") << size;
  // Sizes of members that are too large or negative: 8 GiB in octal digits; then, as base-256 numbers, 2^62 and -1.
  EXPECT_THAT(shard_error(tar({{"a.jpg", "A", '0', "77777777777"}, {"a.cls", "0"}})), HasSubstr("corrupt tar archive"));
  EXPECT_THAT(shard_error(tar({{"a.jpg", "A", '0', std::string("\x80\0\0\0\x40\0\0\0\0\0\0\0", 12)}})),
              HasSubstr("corrupt tar archive"));
  EXPECT_NE(shard_error(tar({{"a.jpg", "A", '0', std::string(12, '\xff')}})), "no error");
  EXPECT_NE(shard_error(std::string(4096, 'x')), "no error");
  EXPECT_NE(shard_error(""), "no error");
  EXPECT_NE(shard_error(std::string("\x1f\x8b\x08\0", 4) + std::string(600, 'z')), "no error");
  EXPECT_THAT(shard_error(tar({{"a.jpg", "A"}, {"a.cls", std::string(300, '1')}})), HasSubstr("not a label"));
  for (const char* label : {"-1", "1048576", "99999999999999999999"}) {
    const std::string text = shard_error(tar({{"a.jpg", "A"}, {"a.cls", label}, {"b.jpg", "B"}, {"b.cls", "1"}}));
    if (std::string_view(label) == "1048576") {
      EXPECT_THAT(text, HasSubstr("label out of range"));
    } else {
      EXPECT_EQ(text, "no error") << "a class name like any other: " << label;
    }
  }
}

TEST_F(DatasetTest, LinksAndSparseFilesInShardsAreSkipped) {
  write("train/s.tar", tar({{"a.jpg", "A"},
                            {"a.cls", "0"},
                            {"b.jpg", "B"},
                            {"b.cls", "1"},
                            {"c.jpg", "", '2'},
                            {"c.cls", "1"},
                            {"b.png", "second"}}));
  const auto set = open_dataset(root(), "train");
  EXPECT_EQ(set->size(), 2);
  ASSERT_EQ(set->skipped().size(), 2U);
  EXPECT_EQ(set->skipped()[0].why, "a link or a sparse file");
  EXPECT_EQ(set->skipped()[1].why, "a second image with the same key");
}

TEST_F(DatasetTest, ShardTruncatedAfterOpeningIsAnInputError) {
  write("train/s.tar", tar({{"a.cls", "0"}, {"b.cls", "1"}, {"a.jpg", "A"}, {"b.jpg", std::string(3000, 'B')}}));
  const auto set = open_dataset(root(), "train");
  fs::resize_file(root() / "train/s.tar", 3000);
  EXPECT_THROW(set->read(1), Error);
}

TEST_F(DatasetTest, TarOffsetsPointToTheContent) {
  std::string archive;
  std::vector<TarEntry> entries;
  for (int i = 0; i < 40; ++i)
    entries.push_back(
        {fmt::format("{}.bin", i), std::string(static_cast<std::size_t>(i * 301), static_cast<char>('0' + i))});
  // Member 20 has a GNU long name. The long name takes two records of 512 bytes before the member's header.
  const std::string long_name = std::string(150, 'n') + ".bin";
  entries.insert(entries.begin() + 20, {{"././@LongLink", long_name + std::string(1, '\0'), 'L'}});
  archive = tar(entries);
  write("s.tar", archive);
  const std::vector<TarMember> members = index_tar(root() / "s.tar");
  ASSERT_EQ(members.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(members[i].name, i == 20 ? long_name : fmt::format("{}.bin", i));
    EXPECT_EQ(archive.substr(static_cast<std::size_t>(members[i].offset), static_cast<std::size_t>(members[i].size)),
              std::string(i * 301, static_cast<char>('0' + i)));
  }
}

std::string cifar_records(const std::vector<int>& labels) {
  std::string records;
  for (const int label : labels) {
    records += static_cast<char>(label);
    for (int plane = 0; plane < 3; ++plane) records += std::string(1024, static_cast<char>(10 * label + plane));
  }
  return records;
}

TEST_F(DatasetTest, ReadsCifarBinaries) {
  write("cifar-10-batches-bin/data_batch_1.bin", cifar_records({3, 9}));
  write("cifar-10-batches-bin/data_batch_2.bin", cifar_records({0}));
  write("cifar-10-batches-bin/test_batch.bin", cifar_records({1, 2}));
  const auto set = open_dataset(root(), "train");
  const std::string prefix = "cifar-10-batches-bin/data_batch_";
  EXPECT_EQ(rows(*set), (Rows{{prefix + "1.bin:0", 3}, {prefix + "1.bin:1", 9}, {prefix + "2.bin:0", 0}}));
  EXPECT_EQ(set->classes()[9], "truck");
  const vision::Image image = pixels(*set, 1);
  EXPECT_EQ(image.h, 32);
  EXPECT_EQ(image.w, 32);
  for (std::size_t i = 0; i < 1024; ++i) {
    for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(image.rgb[3 * i + c], 90 + c);
  }
  EXPECT_EQ(open_validation(root())->size(), 2);
  write("cifar-10-batches-bin/data_batch_3", "of the Python version");
  EXPECT_THAT(skipped(*open_dataset(root(), "train")),
              ElementsAre("cifar-10-batches-bin/data_batch_3: not a file of CIFAR-10's binary format by its name"));

  write("cifar-10-batches-bin/data_batch_2.bin", cifar_records({10}));
  EXPECT_THAT(error("train"), HasSubstr("label out of range in record 0 (got 10, expected 0 to 9)"));
  write("cifar-10-batches-bin/data_batch_2.bin", "short");
  EXPECT_THAT(error("train"), HasSubstr("multiple of 3073"));
}

// The .bin files have the order airplane, automobile, bird, ..; folders are sorted by name.
TEST_F(DatasetTest, CifarBinariesWithOtherClassesAreRefused) {
  write("test_batch.bin", cifar_records({1, 2}));
  ClassNames names;
  names.classes = 10;
  names.labels = {"airplane", "bird", "car", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  try {
    open_validation(root(), names);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("another order than in CIFAR-10 (got 'bird' as class 1, expected class 2)"));
  }
  names.labels = {"plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  EXPECT_EQ(open_validation(root(), names)->size(), 2) << "the same order";
}

TEST_F(DatasetTest, HeldOutImagesFollowFromTheirNames) {
  classes("train", {"cat", "dog"}, 20, 0);
  write("train/eel/0.png", png(99));  // one image: half of the class, rounded down, is no image
  const std::shared_ptr<const Dataset> whole = open_dataset(root(), "train");
  const auto names = [](const Dataset& set) {
    std::set<std::string> all;
    for (std::int64_t i = 0; i < set.size(); ++i) all.insert(set.name(i));
    return all;
  };
  const auto minival = held_out(whole, 12, false);
  const auto rest = held_out(whole, 12, true);
  EXPECT_EQ(minival->size(), 12);
  EXPECT_EQ(rest->size(), 29);
  std::set<std::string> both = names(*minival);
  both.merge(names(*rest));
  EXPECT_EQ(both, names(*whole));
  EXPECT_THAT(minival->classes(), ElementsAre("cat", "dog", "eel"));

  // If an image is removed, the selection differs only in the image that replaces it.
  fs::remove(root() / "train/dog/007.png");
  const auto fewer = held_out(open_dataset(root(), "train"), 12, false);
  std::set<std::string> common;
  const std::set<std::string> now = names(*fewer), before = names(*minival);
  std::set_intersection(now.begin(), now.end(), before.begin(), before.end(), std::inserter(common, common.end()));
  EXPECT_GE(common.size(), 11U);

  const auto most = held_out(whole, 20, false);
  std::vector<int> count(3);
  for (std::int64_t i = 0; i < most->size(); ++i) ++count[static_cast<std::size_t>(most->label(i))];
  EXPECT_THAT(count, ElementsAre(10, 10, 0));
  EXPECT_THROW(held_out(whole, 21, false), Error);
  EXPECT_THROW(held_out(whole, 0, true), Error);
}

// No count is valid for this dataset, so the message does not ask for another count.
TEST_F(DatasetTest, HoldingOutFailsIfEveryClassHasOneImage) {
  classes("train", {"cat", "dog"}, 1, 0);
  try {
    held_out(open_dataset(root(), "train"), 1, false);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("no image can be held out (got no class with two images"));
    EXPECT_THAT(error.hint(), HasSubstr("data.holdout=0"));
  }
}

TEST(Synthetic, ImagesFollowFromTheSeed) {
  const auto a = synthetic(10, 4, {7, 5}, 3), b = synthetic(20, 4, {7, 5}, 3), c = synthetic(10, 4, {7, 5}, 4);
  EXPECT_EQ(a->label(6), 2);
  EXPECT_EQ(a->classes().size(), 4U);
  EXPECT_EQ(pixels(*a, 9), pixels(*b, 9));
  EXPECT_NE(pixels(*a, 9), pixels(*a, 8));
  EXPECT_NE(pixels(*a, 9), pixels(*c, 9));
  EXPECT_THROW(synthetic(0, 4, {7, 5}, 3), Error);
}

}  // namespace
}  // namespace effnet::data

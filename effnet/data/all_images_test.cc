#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/data/dataset.h"
#include "effnet/data/testing_sets.h"

namespace effnet::data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_sets::png;

using Row = std::tuple<std::string, std::int64_t, std::optional<Part>>;

std::vector<Row> rows(const AllImages& all) {
  std::vector<Row> result;
  for (std::int64_t i = 0; i < all.set->size(); ++i)
    result.emplace_back(all.set->name(i), all.set->label(i), all.origin[static_cast<std::size_t>(i)]);
  return result;
}

class AllImagesTest : public testing::Test, protected testing_sets::Folder {
 protected:
  Source list(const std::string& text) const {
    write("../list.csv", text);
    return {root(), root() / "../list.csv"};
  }
  template <class Call>
  std::string message(const Call& call) const {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::input);
      return std::string(e.what()) + " | " + e.hint();
    }
    return "no error";
  }
  std::string error(const Source& source) const {
    return message([&] { open_all(source); });
  }
};

TEST_F(AllImagesTest, JoinsTheSplitsOfClassFolders) {
  classes("validation", {"dog"}, 2, 10);
  classes("train", {"cat", "dog"}, 1, 0);
  classes("test", {"cat"}, 1, 20);
  write("test/cat/notes.txt", "x");
  const AllImages all = open_all(root());
  EXPECT_THAT(rows(all),
              ElementsAre(Row{"train/cat/000.png", 0, Part::train}, Row{"train/dog/000.png", 1, Part::train},
                          Row{"validation/dog/000.png", 1, Part::val}, Row{"validation/dog/001.png", 1, Part::val},
                          Row{"test/cat/000.png", 0, Part::test}));
  EXPECT_THAT(all.set->classes(), ElementsAre("cat", "dog"));
  EXPECT_EQ(all.set->skipped().size(), 1U);
  EXPECT_FALSE(all.is_bare());
  EXPECT_EQ(all.set->read(4), ImageData(select(all.set, {4})->read(0)));
  write("val-0.tar", testing_sets::tar({{"a.jpg", "A"}, {"a.cls", "dog"}}));
  EXPECT_THAT(error(root()), HasSubstr("exists twice"));
}

TEST_F(AllImagesTest, WithoutTrainTheFirstSplitGivesTheClasses) {
  classes("val", {"cat", "dog"}, 1, 10);
  classes("test", {"cat"}, 1, 20);
  EXPECT_THAT(open_all(root()).set->classes(), ElementsAre("cat", "dog"));
  classes("test", {"eel"}, 1, 30);
  EXPECT_THAT(error(root()), HasSubstr("test/eel: this folder's name is not a class of val/"));
}

TEST_F(AllImagesTest, OpensBareClassFolders) {
  EXPECT_THAT(error(root()), HasSubstr("not a folder of images (got no such folder"));
  write("cat/a.png", png(1));
  EXPECT_THAT(error(root()), HasSubstr("a single class (got only 'cat'"));
  write("dog/b.txt", "x");
  EXPECT_THAT(error(root()), HasSubstr("a single class (got only 'cat'"));
  write("eel/sub/b.png", png(2));
  EXPECT_THAT(error(root()), HasSubstr("dog: no images of this class"));
  write("dog/b.png", png(3));
  const AllImages all = open_all(root());
  EXPECT_THAT(rows(all), ElementsAre(Row{"cat/a.png", 0, std::nullopt}, Row{"dog/b.png", 1, std::nullopt},
                                     Row{"eel/sub/b.png", 2, std::nullopt}));
  EXPECT_TRUE(all.is_bare());
}

TEST_F(AllImagesTest, RejectsClassesThatDifferOnlyInLetterCase) {
  for (const char* name : {"Cat/000.png", "cat/000.png", "dog/000.png"}) write(name, png(name[0]));
  EXPECT_THAT(error(root()), AllOf(HasSubstr("'Cat' and 'cat'"), HasSubstr("differ only in letter case")));
  EXPECT_THAT(error(list("dog/000.png,DOG\ncat/000.png,dog\n")), HasSubstr("'DOG' and 'dog'"));
}

TEST_F(AllImagesTest, RejectsClassFoldersBesideSplits) {
  classes("train", {"cat", "dog"}, 1, 0);
  write("annotations/list.xml", "x");
  EXPECT_EQ(error(root()), "no error");
  write("eel/a.png", png(9));
  EXPECT_THAT(error(root()), AllOf(HasSubstr("got train/ and eel/ with images"), HasSubstr("eel into ")));
}

TEST_F(AllImagesTest, RejectsClassFoldersBesideASplitWithoutTrain) {
  classes("test", {"cat", "dog"}, 1, 0);
  EXPECT_EQ(error(root()), "no error");
  write("cat/a.png", png(9));
  EXPECT_THAT(error(root()), AllOf(HasSubstr("got test/ and cat/ with images"), HasSubstr("/train")));
}

TEST_F(AllImagesTest, AFolderGivenThroughOneOfItsClasses) {
  for (const char* name : {"cat/a.png", "dog/a.png"}) write(name, png(name[0]));
  for (const char* path : {"cat/..", "dog/..", "cat/../dog/.."}) {
    const AllImages all = open_all(root() / path);
    EXPECT_THAT(all.set->classes(), ElementsAre("cat", "dog")) << path;
    EXPECT_EQ(all.set->size(), 2) << path;
  }
}

TEST_F(AllImagesTest, AClassCalledTrainIsExplained) {
  for (const char* name : {"bus", "car", "train"}) write(std::string(name) + "/a.png", png(name[0]));
  EXPECT_THAT(error(root()), AllOf(HasSubstr("got train/ and bus/"), HasSubstr("if train is the name of a class")));
}

TEST_F(AllImagesTest, AClassCalledTestIsExplained) {
  for (const char* name : {"exam", "test"}) write(std::string(name) + "/a.png", png(name[0]));
  EXPECT_THAT(error(root()), AllOf(HasSubstr("got test/ and exam/"), HasSubstr("if test is the name of a class")));
}

TEST_F(AllImagesTest, JoinsShardsAndCifar) {
  write("train-0.tar", testing_sets::tar({{"a.jpg", "A"}, {"a.cls", "dog"}, {"b.jpg", "B"}, {"b.cls", "cat"}}));
  write("val-0.tar", testing_sets::tar({{"a.jpg", "A"}, {"a.cls", "dog"}}));
  EXPECT_THAT(rows(open_all(root())),
              ElementsAre(Row{"train-0.tar:a.jpg", 1, Part::train}, Row{"train-0.tar:b.jpg", 0, Part::train},
                          Row{"val-0.tar:a.jpg", 1, Part::val}));
  const testing_sets::Folder cifar;
  cifar.write("data_batch_1.bin", '\1' + std::string(3072, 'a') + '\2' + std::string(3072, 'b'));
  cifar.write("test_batch.bin", '\7' + std::string(3072, 'x'));
  EXPECT_THAT(rows(open_all(cifar.root())),
              ElementsAre(Row{"data_batch_1.bin:0", 1, Part::train}, Row{"data_batch_1.bin:1", 2, Part::train},
                          Row{"test_batch.bin:0", 7, Part::test}));
}

TEST_F(AllImagesTest, AListGivesClassesInSortedOrder) {
  for (const char* name : {"a.png", "sub/b.png", "sub/c.png", "d,e.png"}) write(name, png(name[0]));
  const AllImages all = open_all(list("file,class\nsub/b.png,dog\na.png,cat\nd,e.png,dog\n"));
  EXPECT_THAT(all.set->classes(), ElementsAre("cat", "dog"));
  EXPECT_THAT(rows(all), ElementsAre(Row{"a.png", 0, std::nullopt}, Row{"d,e.png", 1, std::nullopt},
                                     Row{"sub/b.png", 1, std::nullopt}));
  ASSERT_EQ(all.set->skipped().size(), 1U);
  EXPECT_THAT(all.set->skipped()[0].path.string(), testing::EndsWith("sub/c.png"));
  EXPECT_FALSE(has_split(list("a.png,cat\n"), "train"));
  EXPECT_THAT(message([&] { open_dataset(list("a.png,cat\nsub/b.png,dog\n"), "train"); }),
              AllOf(HasSubstr("list.csv: no train images"), HasSubstr("file,class,split")));
}

TEST_F(AllImagesTest, NumbersInAListAreIndicesUnlessTheHeaderSaysNames) {
  for (const char* name : {"a.png", "b.png"}) write(name, png(name[0]));
  EXPECT_THAT(open_all(list("a.png,2\nb.png,10\n")).set->classes().size(), 11U);
  EXPECT_THAT(open_all(list("file,name\na.png,2\nb.png,10\n")).set->classes(), ElementsAre("10", "2"));
  EXPECT_THAT(open_all(list("a.png,2\nb.png,x\n")).set->classes(), ElementsAre("2", "x"));
  EXPECT_THAT(error(list("file,index\na.png,2\nb.png,x\n")), HasSubstr("list.csv:3: not a class index (got 'x'"));
  EXPECT_THAT(error(list("a.png,2\nb.png,1048576\n")), HasSubstr("list.csv:2: label out of range"));
}

TEST_F(AllImagesTest, AColumnSplitOfAListGivesSplits) {
  for (const char* name : {"a.png", "b.png", "c.png", "d,split.png"}) write(name, png(name[0]));
  const Source source =
      list("Image;Class;Split\nc.png;cat;test\nb.png;dog;train\na.png;cat;Train\nd,split.png;dog;valid\n");
  const AllImages all = open_all(source);
  EXPECT_THAT(rows(all), ElementsAre(Row{"a.png", 0, Part::train}, Row{"b.png", 1, Part::train},
                                     Row{"d,split.png", 1, Part::val}, Row{"c.png", 0, Part::test}));
  EXPECT_TRUE(has_split(source, "val"));
  EXPECT_EQ(open_dataset(source, "train")->size(), 2);
  EXPECT_EQ(open_validation(source)->name(0), "d,split.png");
  EXPECT_EQ(open_dataset(source, "test")->classes().size(), 2U);
  const std::string start = "file,class,split\na.png,cat,train\n";
  EXPECT_THAT(error(list(start + "b.png,dog,dev\n")),
              HasSubstr("list.csv:3: unknown split (got 'dev', expected train"));
  EXPECT_THAT(error(list(start + "b.png,dog\n")),
              HasSubstr("list.csv:3: not a label (got 'b.png,dog', expected 'file,class,split'"));
  EXPECT_THAT(error(list(start + "b.png\n")), HasSubstr("list.csv:3: not a label (got 'b.png', expected 'file,class"));
  EXPECT_THAT(error(list(start + "a.png,cat,val\nb.png,dog,train\n")),
              HasSubstr("list.csv:3: 'a.png' has two splits (got val, and train in line 2, expected one)"));
  EXPECT_THAT(error(list(start + "b.png,dog,train\nc.png,eel,val\n")),
              AllOf(HasSubstr("list.csv:4: unknown class (got 'eel'"), HasSubstr("lines of train")));
  EXPECT_FALSE(has_split(list("d,split.png,split\n"), "train"));
}

TEST_F(AllImagesTest, ErrorsOfAListNameTheLine) {
  write("a.png", png(1));
  write("b.png", png(2));
  EXPECT_THAT(error(list("a.png,cat\nz.png,dog\n")), AllOf(HasSubstr("list.csv:2: "), HasSubstr("does not exist")));
  EXPECT_THAT(error(list("z.png,dog\na.png,cat\n")), AllOf(HasSubstr("list.csv:1: "), HasSubstr("does not exist")));
  EXPECT_THAT(error(list("a.png,cat\nb.png,cat\n")), HasSubstr("a single class (got only 'cat'"));
  EXPECT_THAT(error(list("a.png,cat\nb.png,\n")), HasSubstr("a label is empty or blank"));
  EXPECT_THAT(error(list("")), HasSubstr("no labels"));
  EXPECT_THAT(error({root(), root() / "none.csv"}), HasSubstr("none.csv"));
}

TEST_F(AllImagesTest, AListMayNameImagesOutsideOfTheFolder) {
  write("a.png", png(1));
  write("../other/b.png", png(2));
  const std::string outside = std::filesystem::canonical(root() / "../other/b.png").string();
  const AllImages all = open_all(list(fmt::format("a.png,cat\n{},dog\n", outside)));
  for (std::int64_t i = 0; i < 2; ++i) EXPECT_FALSE(std::get<std::vector<std::byte>>(all.set->read(i)).empty());
}

TEST_F(AllImagesTest, SelectKeepsTheGivenOrder) {
  classes("train", {"cat", "dog"}, 2, 0);
  const std::shared_ptr<const Dataset> set = open_dataset(root(), "train");
  const auto some = select(set, {3, 0, 3});
  EXPECT_EQ(some->size(), 3);
  EXPECT_EQ(some->name(0), "train/dog/001.png");
  EXPECT_EQ(some->name(1), "train/cat/000.png");
  EXPECT_EQ(some->label(2), 1);
}

}  // namespace
}  // namespace effnet::data

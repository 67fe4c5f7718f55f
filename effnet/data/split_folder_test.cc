#include "effnet/data/split_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/folder.h"
#include "effnet/data/split_file.h"
#include "effnet/data/testing_sets.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_sets::png;

template <class Call>
std::string message(ErrorCode code, const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return std::string(e.what()) + " | " + e.hint();
  }
  return "no error";
}

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class SplitFolderTest : public testing::Test, protected testing_sets::Folder {
 protected:
  SplitFolder split(const Source& source, const std::vector<Part>& parts, const ImagesDone& done = {}) const {
    const AllImages images = open_all(source);
    std::vector<ImageContent> contents(static_cast<std::size_t>(images.set->size()));
    if (contents.size() > 3) contents[3].why = "cut off";
    return write_split_folder(source, images, contents, parts, out(), done);
  }
  std::string refused(ErrorCode code, const Source& source, const fs::path& to) const {
    return message(code, [&] { check_split_folder(source, open_all(source), to); });
  }
  fs::path out() const { return root().parent_path() / "out"; }
};

TEST_F(SplitFolderTest, LinksTheImagesOfClassFolders) {
  for (const char* name : {"cat/a.png", "cat/sub/b.png", "dog/a.png", "dog/b.png", "dog/c.png"})
    write(name, png(name[4]));
  const SplitFolder result = split(root(), {Part::train, Part::val, Part::test, Part::train, Part::train});
  EXPECT_EQ(result.linked, 4);
  EXPECT_EQ(result.copied, 0);
  EXPECT_THAT(result.left_out, ElementsAre(3));
  EXPECT_THAT(files_below(out()),
              ElementsAre("split.csv", "test/dog/a.png", "train/cat/a.png", "train/dog/c.png", "val/cat/sub/b.png"));
  EXPECT_EQ(fs::hard_link_count(out() / "train/dog/c.png"), 2U);
  EXPECT_EQ(
      read_text(out() / "split.csv"),
      "file,class_name,split\ncat/a.png,cat,train\ncat/sub/b.png,cat,val\ndog/a.png,dog,test\ndog/c.png,dog,train\n");
  struct stat status {};
  ASSERT_EQ(::stat(out().c_str(), &status), 0);
  EXPECT_NE(status.st_mode & S_IROTH, 0U) << "not a private folder, as temporary folders are";
  // The list is also a list of labels for the original folder.
  EXPECT_EQ(open_dataset({root(), out() / "split.csv"}, "train")->size(), 2);
}

TEST_F(SplitFolderTest, WritesTheClassesOfAList) {
  for (const char* name : {"a.png", "sub/b.png", "c.png"}) write(name, png(name[0]));
  fs::create_directories(out());
  fs::create_symlink("a.png", root() / "link.png");
  write("../l.csv", "file,class\na.png,cat\nsub/b.png,dog\nlink.png,dog\n");
  const SplitFolder result = split({root(), root() / "../l.csv"}, {Part::train, Part::val, Part::train});
  EXPECT_EQ(result.linked, 3);
  EXPECT_THAT(files_below(out()),
              ElementsAre("split.csv", "train/cat/a.png", "train/dog/sub/b.png", "val/dog/link.png"));
  EXPECT_FALSE(fs::is_symlink(out() / "val/dog/link.png"));
}

TEST_F(SplitFolderTest, APathOfAListDoesNotLeaveItsClass) {
  for (const char* name : {"cat/a.png", "cat/b.png", "../other/a.png"}) write(name, png(name[4]));
  write("../l.csv", "cat/../../other/a.png,fish\ncat/../cat/a.png,cat\ncat/b.png,cat\n");
  split({root(), root() / "../l.csv"}, {Part::train, Part::train, Part::train});
  EXPECT_THAT(files_below(out()),
              ElementsAre("split.csv", "train/cat/cat/a.png", "train/cat/cat/b.png", "train/fish/a.png"));
}

TEST_F(SplitFolderTest, CopiesToAnotherFileSystem) {
  struct stat here {
  }, there{};
  write("cat/a.png", png(1));
  write("dog/a.png", png(2));
  if (::stat("/dev/shm", &there) != 0 || ::stat(root().c_str(), &here) != 0 || here.st_dev == there.st_dev ||
      ::access("/dev/shm", W_OK) != 0)
    GTEST_SKIP() << "no second file system that can be written";
  const TemporaryFolder other("/dev/shm");
  const AllImages images = open_all(root());
  const SplitFolder result = write_split_folder(root(), images, std::vector<ImageContent>(2), {Part::train, Part::val},
                                                other.path() / "new/out");
  EXPECT_EQ(result.copied, 2);
  EXPECT_EQ(read_text(other.path() / "new/out/val/dog/a.png"), png(2));
}

TEST_F(SplitFolderTest, AnErrorLeavesNothing) {
  for (const char* name : {"cat/a.png", "cat/b.png", "dog/a.png"}) write(name, png(name[0]));
  const auto stop = [](std::int64_t done, std::int64_t) {
    if (done == 2) throw Error(ErrorCode::interrupted, "stopped");
  };
  const std::vector<Part> parts(3, Part::train);
  EXPECT_EQ(message(ErrorCode::interrupted, [&] { split(root(), parts, stop); }), "stopped | ");
  fs::remove(root() / "dog/a.png");
  EXPECT_EQ(list_folder(root().parent_path()).size(), 1U) << "only the dataset";
}

TEST_F(SplitFolderTest, RefusesWhatItCannotWrite) {
  for (const char* name : {"cat/a.png", "dog/a.png"}) write(name, png(name[0]));
  write("../full/x", "x");
  EXPECT_THAT(refused(ErrorCode::usage, root(), root() / "../full"), HasSubstr("got a folder that is not empty"));
  EXPECT_THAT(refused(ErrorCode::usage, root(), root() / "../full/x"), HasSubstr("got a file or a link"));
  EXPECT_THAT(refused(ErrorCode::usage, root(), root() / "deep/new"), HasSubstr("inside the dataset"));
  EXPECT_EQ(refused(ErrorCode::usage, root(), root() / "../new/deep/"), "no error");
  const fs::path before = fs::current_path();
  fs::current_path(root());
  EXPECT_THAT(refused(ErrorCode::usage, fs::path("."), "new"), HasSubstr("inside the dataset"));
  EXPECT_THAT(refused(ErrorCode::usage, fs::path("."), "new/deep"), HasSubstr("inside the dataset"));
  EXPECT_EQ(refused(ErrorCode::usage, fs::path("."), "../new"), "no error");
  fs::current_path(before);
  const auto list = [&](const char* text) {
    write("../l.csv", text);
    return Source(root(), root() / "../l.csv");
  };
  EXPECT_THAT(refused(ErrorCode::input, list("cat/a.png,a/b\ndog/a.png,c\n"), out()), HasSubstr("the class 'a/b'"));
  EXPECT_THAT(refused(ErrorCode::input, list("cat/a.png,..\ndog/a.png,c\n"), out()), HasSubstr("the class '..'"));
  EXPECT_THAT(refused(ErrorCode::input, list("file,class,split\ncat/a.png,a,train\ndog/a.png,c,train\n"), out()),
              AllOf(HasSubstr("already have splits"), HasSubstr("remove the column")));
  write("../other/a.png", png(1));
  write("../more/a.png", png(2));
  EXPECT_THAT(refused(ErrorCode::input, list("../other/a.png,a\n../more/a.png,a\ncat/a.png,b\n"), out()),
              HasSubstr("two images would have the same name (got 'a/a.png' twice"));
}

TEST_F(SplitFolderTest, RefusesSplitsAndImagesInArchives) {
  classes("train", {"cat", "dog"}, 1, 0);
  EXPECT_THAT(refused(ErrorCode::input, root(), out()),
              AllOf(HasSubstr("already have splits"), HasSubstr("set/train")));
  const testing_sets::Folder shards;
  shards.write("train-0.tar",
               testing_sets::tar({{"a.png", png(1)}, {"a.cls", "0"}, {"b.png", png(2)}, {"b.cls", "1"}}));
  EXPECT_THAT(refused(ErrorCode::input, shards.root(), out()),
              AllOf(HasSubstr("not files of their own (got 'train-0.tar:a.png'"), HasSubstr("unpack")));
}

TEST(SplitFile, IsReadBack) {
  const testing_sets::Folder folder;
  for (const char* name : {"cat/a, \"b\".png", "cat/x\ny.png", "dog/1.png"}) folder.write(name, png(1));
  const auto set = open_all(folder.root()).set;
  const fs::path file = folder.root() / "split.csv";
  const std::vector<Part> parts{Part::val, Part::train, Part::test};
  write_split_file(file, *set, parts);
  EXPECT_EQ(read_split_file(file, *set), parts);
  folder.write("dog/2.png", png(2));
  const auto more = open_all(folder.root()).set;
  EXPECT_THAT(message(ErrorCode::input, [&] { read_split_file(file, *more); }),
              HasSubstr("no line for the image 'dog/2.png' (got 3 lines, expected one for each of 4 images)"));
  const auto of_new = [](std::int64_t index) { return index == 3 ? Part::test : Part::train; };
  EXPECT_THAT(read_split_file(file, *more, of_new), ElementsAre(Part::val, Part::train, Part::test, Part::test));
}

TEST(SplitFile, OtherFilesAreErrors) {
  const testing_sets::Folder folder;
  for (const char* name : {"cat/a.png", "dog/a.png"}) folder.write(name, png(1));
  const auto set = open_all(folder.root()).set;
  const auto error = [&](const std::string& text) {
    folder.write("s.csv", text);
    return message(ErrorCode::input, [&] { read_split_file(folder.root() / "s.csv", *set); });
  };
  const std::string header = "file,class,split\n", a = "cat/a.png,cat,train\n";
  EXPECT_EQ(error(header + a + "dog/a.png,dog,valid\nold.png,eel,test\n"), "no error");
  EXPECT_THAT(error(""), HasSubstr("not a split file"));
  EXPECT_THAT(error(a), HasSubstr("not a split file"));
  EXPECT_THAT(error(header + a + "dog/a.png,dog\n"), HasSubstr("s.csv:3: not a line of a split file (got 2 fields"));
  EXPECT_THAT(error(header + a + "dog/a.png,dog,dev\n"), HasSubstr("s.csv:3: unknown split (got 'dev'"));
  EXPECT_THAT(error(header + a + a), HasSubstr("s.csv:3: the file 'cat/a.png' has two lines"));
  EXPECT_THAT(error(header + "\xff\"x"), HasSubstr("s.csv:2"));
}

}  // namespace
}  // namespace effnet::data

#include "effnet/data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ImageFolder : public testing::Test {
 protected:
  void touch(const std::string& name) {
    fs::create_directories((root() / name).parent_path());
    write_text(root() / name, "x");
  }
  fs::path root() const { return folder_.path() / "set"; }
  fs::path aside(const std::string& name, const std::string& text) {
    write_text(folder_.path() / name, text);
    return folder_.path() / name;
  }
  std::vector<std::pair<std::string, std::int64_t>> found(const ImageSet& set) {
    std::vector<std::pair<std::string, std::int64_t>> rows;
    for (const LabelledImage& image : set.images)
      rows.emplace_back(image.path.lexically_relative(root()).string(), image.class_index);
    return rows;
  }
  using Rows = std::vector<std::pair<std::string, std::int64_t>>;

  std::string error(const ClassNames& names, const ExtraNames& extra = {}) {
    return message([&] { read_class_folders(root(), names, extra); });
  }
  std::string csv_error(const std::string& text, const ClassNames& names) {
    return message([&] { read_labelled_folder(root(), aside("l.csv", text), names, {}); });
  }
  std::string csv_hint(const std::string& text, const ClassNames& names) {
    try {
      read_labelled_folder(root(), aside("l.csv", text), names, {});
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("does not exist"));
      return e.hint();
    }
    return "no error";
  }

 private:
  static std::string message(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::input);
      return e.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

const ClassNames kAnimals{3, {"n01", "n02", "n03"}, {"great white shark", "crane", "crane"}};

TEST_F(ImageFolder, MatchesIdsAndLabels) {
  touch("n02/b.JPG");
  touch("n03_crane/sub/a.png");
  touch("Great_White-Shark/c.webp");
  touch("n02/notes.txt");
  touch("n02/.hidden.jpg");
  const ImageSet set = read_class_folders(root(), kAnimals, {});
  EXPECT_EQ(found(set), (Rows{{"Great_White-Shark/c.webp", 0}, {"n02/b.JPG", 1}, {"n03_crane/sub/a.png", 2}}));
  ASSERT_EQ(set.skipped.size(), 2U);
  EXPECT_EQ(set.skipped[0].path.filename(), ".hidden.jpg");
  EXPECT_EQ(set.skipped[1].path.filename(), "notes.txt");
}

TEST_F(ImageFolder, AmbiguousLabelIsAnError) {
  touch("n01/a.jpg");
  touch("crane/a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
  EXPECT_EQ(found(read_class_folders(root(), kAnimals, {{"crane", 2}})), (Rows{{"crane/a.jpg", 2}, {"n01/a.jpg", 0}}));
}

TEST_F(ImageFolder, FoldersAreNumberedOnlyWithoutClassNames) {
  for (const char* name : {"ants", "cats", "dogs"}) touch(std::string(name) + "/a.jpg");
  EXPECT_THAT(error(kAnimals), HasSubstr("ants: this folder's name is not a class of the model (got 'ants'"));
  const ClassNames unnamed{3, {}, {}};
  const ImageSet set = read_class_folders(root(), unnamed, {});
  EXPECT_EQ(found(set), (Rows{{"ants/a.jpg", 0}, {"cats/a.jpg", 1}, {"dogs/a.jpg", 2}}));
  EXPECT_THAT(set.notes, ElementsAre(HasSubstr("sorted order, 'ants' is class 0, 'dogs' is class 2")));
  EXPECT_THAT(error(unnamed, {{"ants", 2}}), HasSubstr("cats: this folder's name is not a class"));
  touch("eels/a.jpg");
  EXPECT_THAT(error(unnamed), HasSubstr("got 4 folders, expected 3"));
}

TEST_F(ImageFolder, ExactNameHasPriorityOverSimilarName) {
  const ClassNames letters{4, {}, {"A", "B", "C", "a"}};
  for (const char* name : {"A", "B", "C", "a"}) touch(std::string(name) + "/a.jpg");
  EXPECT_EQ(found(read_class_folders(root(), letters, {})),
            (Rows{{"A/a.jpg", 0}, {"B/a.jpg", 1}, {"C/a.jpg", 2}, {"a/a.jpg", 3}}));
  // There are as many folders as classes, but b is similar only to the class B, which has its own folder.
  fs::rename(root() / "C", root() / "b");
  EXPECT_THAT(error(letters), HasSubstr("/b: this folder's name is ambiguous among the classes of the model (got 'b' "
                                        "and 'B', expected one folder for class 1, 'B')"));
  fs::remove_all(root() / "B");
  EXPECT_EQ(found(read_class_folders(root(), letters, {})), (Rows{{"A/a.jpg", 0}, {"a/a.jpg", 3}, {"b/a.jpg", 1}}));
}

TEST_F(ImageFolder, SimilarNameMustBeUnique) {
  const ClassNames labels{3, {}, {"tabby cat", "tabby_cat", "dog"}};
  touch("tabby-cat/a.jpg");
  EXPECT_THAT(error(labels), HasSubstr("'tabby-cat', which matches class 0 and class 1"));
  fs::rename(root() / "tabby-cat", root() / "tabby_cat");
  EXPECT_EQ(found(read_class_folders(root(), labels, {})), (Rows{{"tabby_cat/a.jpg", 1}}));
  touch("DOG/a.jpg");
  touch("Dog/a.jpg");
  EXPECT_THAT(error(labels), HasSubstr("'Dog' and 'DOG'"));
}

TEST_F(ImageFolder, FolderNamesCanBeClassIndices) {
  const ClassNames numbers{3, {}, {"1", "2", "3"}};
  for (const char* name : {"0", "1", "2"}) touch(std::string(name) + "/a.jpg");
  const ImageSet set = read_class_folders(root(), numbers, {});
  EXPECT_EQ(found(set), (Rows{{"0/a.jpg", 0}, {"1/a.jpg", 1}, {"2/a.jpg", 2}}));
  EXPECT_THAT(set.notes, ElementsAre(HasSubstr("read as class indices")));
  fs::rename(root() / "0", root() / "3");  // now all of them are class names
  EXPECT_EQ(found(read_class_folders(root(), numbers, {})), (Rows{{"1/a.jpg", 0}, {"2/a.jpg", 1}, {"3/a.jpg", 2}}));
  EXPECT_EQ(found(read_class_folders(root(), kAnimals, {{"1", 2}, {"2", 1}, {"3", 0}})),
            (Rows{{"1/a.jpg", 2}, {"2/a.jpg", 1}, {"3/a.jpg", 0}}));
  EXPECT_THAT(error(kAnimals), HasSubstr("/1: this folder's name is not a class")) << "3 is out of range";
}

TEST_F(ImageFolder, ClassFileHasPriorityOverTheModelsNames) {
  touch("n01/a.jpg");
  touch("n02/a.jpg");
  EXPECT_EQ(found(read_class_folders(root(), kAnimals, {{"n01", 1}, {"n02", 0}})),
            (Rows{{"n01/a.jpg", 1}, {"n02/a.jpg", 0}}));
}

TEST_F(ImageFolder, EachFolderIsReadOnce) {
  touch("n01/a.jpg");
  touch("n01/sub/b.jpg");
  touch("n02/c.jpg");
  fs::create_directory_symlink("..", root() / "n01" / "up");
  fs::create_directory_symlink("../..", root() / "n01" / "sub" / "upper");
  fs::create_directory_symlink("sub", root() / "n01" / "zweitens");
  fs::create_directory_symlink(".", root() / "n03");
  fs::create_symlink("loop.jpg", root() / "n02" / "loop.jpg");
  ASSERT_EQ(::mkfifo((root() / "n02" / "fifo.jpg").c_str(), 0600), 0);
  const ImageSet set = read_class_folders(root(), kAnimals, {});
  EXPECT_EQ(found(set), (Rows{{"n01/a.jpg", 0}, {"n01/sub/b.jpg", 0}, {"n02/c.jpg", 1}, {"n02/loop.jpg", 1}}));
  std::vector<std::string> why;
  for (const SkippedFile& file : set.skipped) why.push_back(file.path.filename().string() + " " + file.why);
  EXPECT_THAT(
      why, ElementsAre("n03 a link to a folder above it", HasSubstr("upper a link to a folder that was already read"),
                       HasSubstr("up a link to a folder that was already read"),
                       HasSubstr("zweitens a link to a folder that was already read"), "fifo.jpg a FIFO, not a file"));
  fs::remove(root() / "n03");
  fs::create_directory_symlink("n01", root() / "n03");
  EXPECT_THAT(error(kAnimals), HasSubstr("n03: the same folder as"));
}

TEST_F(ImageFolder, ReadingCanBeInterrupted) {
  touch("n01/a.jpg");
  EXPECT_EXIT(
      {
        install_interrupt_handlers();
        std::raise(SIGTERM);
        try {
          read_class_folders(root(), kAnimals, {});
        } catch (const Error& error) {
          std::_Exit(static_cast<int>(error.code()));
        }
        std::_Exit(0);
      },
      testing::ExitedWithCode(130), "");
}

TEST_F(ImageFolder, ReadsLabelsFromACsv) {
  touch("a.jpg");
  touch("b.jpg");
  touch("c.jpg");
  const fs::path csv = aside("labels.csv", "file,class\r\nb.jpg,n03\r\na.jpg,n01\r\n\r\nc.jpg,great white shark\n");
  EXPECT_EQ(found(read_labelled_folder(root(), csv, kAnimals, {})), (Rows{{"a.jpg", 0}, {"b.jpg", 2}, {"c.jpg", 0}}));
  for (const char* wrong :
       {"a.jpg,3\n", "a.jpg,-1\n", "a.jpg,n99\n", "none.jpg,0\nnone.jpg,0\n", "a.jpg\n", "a.jpg,n01\nb.jpg,1\n"}) {
    EXPECT_THROW(read_labelled_folder(root(), aside("wrong.csv", wrong), kAnimals, {}), Error) << wrong;
  }
}

TEST_F(ImageFolder, AllLabelsAreNamesOrAllAreIndices) {
  const ClassNames numbers{3, {}, {"1", "2", "3"}};
  for (const char* name : {"a.jpg", "b.jpg", "c.jpg"}) touch(name);
  const auto read = [&](const std::string& text) {
    return read_labelled_folder(root(), aside("l.csv", text), numbers, {});
  };
  EXPECT_EQ(found(read("a.jpg,0\nb.jpg,1\nc.jpg,2\n")), (Rows{{"a.jpg", 0}, {"b.jpg", 1}, {"c.jpg", 2}}));
  EXPECT_THAT(read("a.jpg,0\nb.jpg,1\nc.jpg,2\n").notes, ElementsAre(HasSubstr("read as class indices")));
  EXPECT_EQ(found(read("a.jpg,1\nb.jpg,2\nc.jpg,3\n")), (Rows{{"a.jpg", 0}, {"b.jpg", 1}, {"c.jpg", 2}}));
  EXPECT_THAT(
      csv_error("a.jpg,1\nb.jpg,2\nc.jpg,2\n", numbers),
      HasSubstr("l.csv:1: ambiguous labels: they could be class names or class indices (got '1', which is class 0 as "
                "a name and class 1 as an index)"));
  EXPECT_EQ(found(read("file,index\na.jpg,1\nb.jpg,2\nc.jpg,2\n")), (Rows{{"a.jpg", 1}, {"b.jpg", 2}, {"c.jpg", 2}}));
  EXPECT_EQ(found(read("file,name\na.jpg,1\nb.jpg,2\nc.jpg,2\n")), (Rows{{"a.jpg", 0}, {"b.jpg", 1}, {"c.jpg", 1}}));
  EXPECT_THAT(csv_error("a.jpg,0\nb.jpg,3\n", numbers), HasSubstr("unknown class"));
}

TEST_F(ImageFolder, ReadsCsvDialects) {
  for (const char* name : {"a.jpg", "b,c.jpg", "d e.jpg", "rest.jpg"}) touch(name);
  const Rows expected{{"a.jpg", 0}, {"b,c.jpg", 1}, {"d e.jpg", 2}};
  for (const char* text :
       {"\xef\xbb\xbf\"a.jpg\",\"n01\"\r\n\"b,c.jpg\",n02\r\nd e.jpg,n03 \r\n",
        "file,class\na.jpg, 0\nb,c.jpg, 1\n\n \"d e.jpg\" ,2", "a.jpg;n01\nb,c.jpg;n02\nd e.jpg;n03\n",
        "a.jpg\tn01\nb,c.jpg\tn02\nd e.jpg\tn03\n", "a.jpg,n01\r\"b,c.jpg\",n02\rd e.jpg,n03\r",
        "\"d e.jpg\",n03\na.jpg,n01\n\"b,c.jpg\",n02\na.jpg,n01\n"}) {
    const ImageSet set = read_labelled_folder(root(), aside("l.csv", text), kAnimals, {});
    EXPECT_EQ(found(set), expected) << text;
    ASSERT_FALSE(set.skipped.empty());
    EXPECT_EQ(set.skipped.back().path.filename(), "rest.jpg") << "an image without a line is reported";
  }
  EXPECT_THAT(csv_error("a.jpg,n01\na.jpg,n02\n", kAnimals), HasSubstr("l.csv:2: 'a.jpg' has two classes"));
  EXPECT_THAT(csv_error("a.jpg,\"n01\n", kAnimals), HasSubstr("the closing quote is missing"));
  EXPECT_THAT(csv_error(std::string("\xff\xfe") + "a", kAnimals), HasSubstr("UTF-16"));
}

TEST_F(ImageFolder, HintsForUsualMistakesInACsv) {
  for (const char* file : {"a.jpg", "b.jpg", "sub/c.png"}) touch(file);
  const ClassNames pets{.classes = 2, .ids = {}, .labels = {"cat", "dog"}}, own;
  for (const ClassNames& names : {pets, own}) {
    EXPECT_THAT(csv_hint("class,file\ncat,a.jpg\ndog,b.jpg\n", names), HasSubstr("the columns are swapped"));
    EXPECT_THAT(csv_hint("file,class,note\na.jpg,cat,x\nb.jpg,dog,y\n", names), HasSubstr("'file,class,split'"));
    EXPECT_THAT(csv_hint("file,class\na,cat\nb,dog\n", names), HasSubstr("with its extension: 'a.jpg'"));
    EXPECT_THAT(csv_hint("file,class\na.jpg,cat\nb.jpg,dog\nsub/c,dog\n", names), HasSubstr("extension: 'c.png'"));
    EXPECT_EQ(csv_hint("file,class\na.jpg,cat\nb.jpg,dog\nz.jpg,dog\n", names), "") << "no usual mistake";
  }
}

TEST_F(ImageFolder, RejectsNamesThatAModelFileCannotStore) {
  check_class_names({"cat", "caf\xc3\xa9", "a b"}, NamesAre::folders, "p", "w");
  for (const char* wrong : {"caf\xe9", "a\nb", "a\tb", "", " ", "\xed\xa0\x80", "\xc0\xaf"})
    EXPECT_THROW(check_class_names({"cat", wrong}, NamesAre::texts, "p", "w"), Error) << wrong;
  EXPECT_THROW(read_class_file(aside("t", "0\tcaf\xe9\n"), 3), Error);
  // A folder is renamed; a label in a file has nothing to rename.
  const auto hint = [](const char* name, NamesAre kind) -> std::string {
    try {
      check_class_names({name}, kind, "labels.csv", "a label");
    } catch (const Error& error) {
      return error.hint();
    }
    return "no error";
  };
  for (const char* wrong : {"caf\xe9", "a\tb"}) {
    EXPECT_EQ(hint(wrong, NamesAre::texts), "correct it in labels.csv");
    EXPECT_THAT(hint(wrong, NamesAre::folders), HasSubstr("rename it: mv $'"));
  }
}

TEST_F(ImageFolder, ReadsClassFiles) {
  using Names = std::map<std::string, std::int64_t>;
  EXPECT_EQ(read_class_file(aside("t", "2\tn03\tcrane\n0\tn01\n"), 3), (Names{{"n03", 2}, {"crane", 2}, {"n01", 0}}));
  EXPECT_EQ(read_class_file(aside("t", "ant\nbee\n"), 3), (Names{{"ant", 0}, {"bee", 1}}));
  EXPECT_EQ(read_class_file(aside("t",
                                  "\xef\xbb\xbf"
                                  "ant  \r\n\r\ncat\r\n"),
                            3),
            (Names{{"ant", 0}, {"cat", 2}}));
  EXPECT_EQ(read_class_file(aside("t",
                                  "\xef\xbb\xbf"
                                  "1 \t ant \tbee\r\n"),
                            3),
            (Names{{"ant", 1}, {"bee", 1}}));
  EXPECT_THROW(read_class_file(aside("t", "3\tx\n"), 3), Error);
  EXPECT_THROW(read_class_file(aside("t", "x\ty\n"), 3), Error);
  EXPECT_THROW(read_class_file(aside("t", "0\tx\n1\tx\n"), 3), Error);
}

TEST_F(ImageFolder, FoldersWithoutClassFoldersAreInputErrors) {
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
  touch("a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
}

}  // namespace
}  // namespace effnet::data

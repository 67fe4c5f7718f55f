#include "effnet/data/image_folder.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

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
      rows.emplace_back(fs::relative(image.path, root()).string(), image.class_index);
    return rows;
  }
  using Rows = std::vector<std::pair<std::string, std::int64_t>>;

 private:
  TemporaryFolder folder_;
};

const ClassNames kAnimals{3, {"n01", "n02", "n03"}, {"great white shark", "crane", "crane"}};

TEST_F(ImageFolder, IdsThenLabelsThenExtraNames) {
  touch("n02/b.JPG");
  touch("n03_crane/sub/a.png");
  touch("Great_White-Shark/c.webp");
  touch("n02/notes.txt");
  touch("n02/.hidden.jpg");
  const ImageSet set = read_class_folders(root(), kAnimals, {});
  EXPECT_EQ(found(set), (Rows{{"Great_White-Shark/c.webp", 0}, {"n02/b.JPG", 1}, {"n03_crane/sub/a.png", 2}}));
  ASSERT_EQ(set.skipped.size(), 1U);
  EXPECT_EQ(set.skipped[0].path.filename(), "notes.txt");
}

TEST_F(ImageFolder, AnAmbiguousLabelIsNoMatch) {
  touch("n01/a.jpg");
  touch("crane/a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
  EXPECT_EQ(found(read_class_folders(root(), kAnimals, {{"crane", 2}})), (Rows{{"crane/a.jpg", 2}, {"n01/a.jpg", 0}}));
}

TEST_F(ImageFolder, SortedOrderOnlyIfThereAreAsManyFoldersAsClasses) {
  touch("cats/a.jpg");
  touch("dogs/a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
  touch("ants/a.jpg");
  EXPECT_EQ(found(read_class_folders(root(), kAnimals, {})),
            (Rows{{"ants/a.jpg", 0}, {"cats/a.jpg", 1}, {"dogs/a.jpg", 2}}));
  touch("n01/a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error) << "one known name: the rest must be known too";
}

TEST_F(ImageFolder, LabelsFromACsv) {
  touch("a.jpg");
  touch("b.jpg");
  touch("c.jpg");
  const fs::path csv = aside("labels.csv", "file,class\r\nb.jpg,n03\r\na.jpg,0\r\n\r\nc.jpg,great white shark\n");
  EXPECT_EQ(found(read_labelled_folder(root(), csv, kAnimals, {})), (Rows{{"a.jpg", 0}, {"b.jpg", 2}, {"c.jpg", 0}}));
  for (const char* wrong : {"a.jpg,3\n", "a.jpg,-1\n", "a.jpg,n99\n", "none.jpg,0\nnone.jpg,0\n", "a.jpg\n"}) {
    EXPECT_THROW(read_labelled_folder(root(), aside("wrong.csv", wrong), kAnimals, {}), Error) << wrong;
  }
}

TEST_F(ImageFolder, ClassFiles) {
  using Names = std::map<std::string, std::int64_t>;
  EXPECT_EQ(read_class_file(aside("t", "2\tn03\tcrane\n0\tn01\n"), 3), (Names{{"n03", 2}, {"crane", 2}, {"n01", 0}}));
  EXPECT_EQ(read_class_file(aside("t", "ant\nbee\n"), 3), (Names{{"ant", 0}, {"bee", 1}}));
  EXPECT_THROW(read_class_file(aside("t", "3\tx\n"), 3), Error);
  EXPECT_THROW(read_class_file(aside("t", "x\ty\n"), 3), Error);
  EXPECT_THROW(read_class_file(aside("t", "0\tx\n1\tx\n"), 3), Error);
}

TEST_F(ImageFolder, MissingThingsAreInputErrors) {
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
  touch("a.jpg");
  EXPECT_THROW(read_class_folders(root(), kAnimals, {}), Error);
}

}  // namespace
}  // namespace effnet::data

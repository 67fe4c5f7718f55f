#include "effnet/cli/image_paths.h"

#include <gmock/gmock.h>

#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

using testing::ElementsAre;

class ImagePaths : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  void file(const std::string& name) const {
    make_folders((folder_.path() / name).parent_path());
    write_text(at(name), "x");
  }
  TemporaryFolder folder_;
};

TEST_F(ImagePaths, FoldersBecomeTheirImagesInOrder) {
  for (const char* name : {"set/b.png", "set/a/z.JPG", "set/a/notes.txt", "set/.hidden.png", "set/c.jpeg", "one.txt"})
    file(name);
  EXPECT_THAT(image_paths({at("one.txt"), at("set"), "missing.png"}),
              ElementsAre(at("one.txt"), at("set/a/z.JPG"), at("set/b.png"), at("set/c.jpeg"), "missing.png"));
  EXPECT_THAT(image_paths({at("set/")}), ElementsAre(at("set/a/z.JPG"), at("set/b.png"), at("set/c.jpeg")));
}

TEST_F(ImagePaths, LinksAreFollowedOnce) {
  file("set/a.png");
  std::filesystem::create_directory_symlink(at("set"), at("set/loop"));
  std::filesystem::create_directory_symlink(at("set"), at("link"));
  EXPECT_THAT(image_paths({at("set")}), ElementsAre(at("set/a.png")));
  EXPECT_THAT(image_paths({at("link")}), ElementsAre(at("link/a.png")));
}

TEST_F(ImagePaths, MapsReplaceNoImages) {
  file("set/a.png");
  file("set/a_cam.png");
  file("maps/b_cam.png");
  EXPECT_EQ(refusal([&] { check_cam_folder("--cam", at("set"), image_paths({at("set")})); }),
            fmt::format("2 --cam: a map could replace an image that is read (got '{}', expected another folder)",
                        at("set/a_cam.png")));
  check_cam_folder("--cam", at("set"), {at("set/a.png"), at("maps/b_cam.png")});
  check_cam_folder("--cam", at("none"), image_paths({at("set")}));
}

TEST_F(ImagePaths, AFolderWithoutImagesIsAnError) {
  file("set/notes.txt");
  EXPECT_EQ(refusal([&] { image_paths({at("set")}); }).rfind("3 " + at("set") + ": no images (got 1 ", 0), 0U);
}

}  // namespace
}  // namespace effnet::cli

#include "effnet/vision/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnet::vision {
namespace {

using testing::HasSubstr;

TEST(Formats, PicturesByTheirNameInAnyCase) {
  for (const char* name : {"a.jpg", "a.jpeg", "a.jpe", "a.jfif", "a.png", "a.webp", "a.gif", "a.bmp", "a.tif", "a.tiff",
                           "a.JPG", "a.JfIf", "a.Tiff", "b/c.d.GIF", "\xff.BMP"}) {
    EXPECT_TRUE(is_picture_name(name)) << name;
  }
  for (const char* name : {"a", "jpg", ".jpg", "a.jpg.txt", "a.jpgx", "a.tx", "a.nef", "a.psd", "a.txt", "a.", ""}) {
    EXPECT_FALSE(is_picture_name(name)) << name;
  }
}

TEST(Formats, OthersAreNamedWithWhatConvertsThem) {
  EXPECT_EQ(about_other_name("a.NEF"),
            "a camera raw file by its name; to convert it: darktable-cli IN OUT.jpg (darktable)");
  const std::pair<const char*, const char*> kNames[] = {
      {"a.raw", "camera raw"},   {"a.CR2", "camera raw"}, {"a.dng", "camera raw"},     {"a.psd", "Photoshop"},
      {"a.svg", "rsvg-convert"}, {"a.jxl", "djxl"},       {"a.jp2", "opj_decompress"}, {"a.pdf", "pdftoppm"},
      {"a.ico", "icotool"},      {"a.mp4", "ffmpeg"},     {"a.MOV", "ffmpeg"},         {"a.ppm", "pnmtopng"}};
  for (const auto& [name, said] : kNames) EXPECT_THAT(about_other_name(name), HasSubstr(said)) << name;
  EXPECT_EQ(about_other_name("notes.txt"), "not a picture by its name");
  EXPECT_EQ(about_other_name("a.jpg"), "not a picture by its name");
}

}  // namespace
}  // namespace effnet::vision

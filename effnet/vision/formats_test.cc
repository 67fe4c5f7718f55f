#include "effnet/vision/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/image.h"

namespace effnet::vision {
namespace {

using testing::HasSubstr;

TEST(Formats, RecognisesImageExtensionsInAnyCase) {
  for (const char* name : {"a.jpg", "a.jpeg", "a.jpe", "a.jfif", "a.png", "a.webp", "a.gif", "a.bmp", "a.tif", "a.tiff",
                           "a.JPG", "a.JfIf", "a.Tiff", "b/c.d.GIF", "a.avif", "a.HEIC", "a.heif", "\xff.BMP"}) {
    EXPECT_TRUE(is_image_name(name)) << name;
  }
  for (const char* name : {"a", "jpg", ".jpg", "a.jpg.txt", "a.jpgx", "a.tx", "a.nef", "a.psd", "a.txt", "a.", ""}) {
    EXPECT_FALSE(is_image_name(name)) << name;
  }
}

TEST(Formats, DescribesOtherFilesAndTheirConversion) {
  EXPECT_EQ(about_other_name("a.NEF"),
            "a camera raw file by its name; to convert it: darktable-cli IN OUT.jpg (darktable)");
  const std::pair<const char*, const char*> kNames[] = {
      {"a.raw", "camera raw"},   {"a.CR2", "camera raw"}, {"a.dng", "camera raw"},     {"a.psd", "Photoshop"},
      {"a.svg", "rsvg-convert"}, {"a.jxl", "djxl"},       {"a.jp2", "opj_decompress"}, {"a.pdf", "pdftoppm"},
      {"a.ico", "icotool"},      {"a.mp4", "ffmpeg"},     {"a.MOV", "ffmpeg"},         {"a.ppm", "pnmtopng"}};
  for (const auto& [name, expected] : kNames) EXPECT_THAT(about_other_name(name), HasSubstr(expected)) << name;
  EXPECT_EQ(about_other_name("notes.txt"), "not an image by its name");
  EXPECT_EQ(about_other_name("a.jpg"), "not an image by its name");
}

TEST(Formats, EncoderFollowsTheExtension) {
  const Image image = blank({4, 5});
  const auto format_of = [&](const char* path) {
    const std::vector<std::byte> file = image_encoder(path)(image);
    const Image back = decode(file);
    EXPECT_EQ(back.h, image.h);
    EXPECT_EQ(back.w, image.w);
    const std::string head(reinterpret_cast<const char*>(file.data()), 12);
    return head.starts_with("\xff\xd8") ? "JPEG"
           : head.substr(1, 3) == "PNG" ? "PNG"
           : head.substr(8) == "WEBP"   ? "WebP"
                                        : "?";
  };
  for (const char* path : {"a.jpg", "a.jpeg", "a.jpe", "x/a.JPG"}) EXPECT_STREQ(format_of(path), "JPEG") << path;
  for (const char* path : {"a.png", "a.Png", "a", "/dev/stdout"}) EXPECT_STREQ(format_of(path), "PNG") << path;
  EXPECT_STREQ(format_of("a.webp"), "WebP");
  for (const char* path : {"a.gif", "a.tif", "a.jpgx", "a.txt", "a.pdf", "b.jpg/a.x"}) {
    try {
      image_encoder(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(), HasSubstr("expected .jpg, .png or .webp")) << path;
    }
  }
}

}  // namespace
}  // namespace effnet::vision

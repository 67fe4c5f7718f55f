#include "effnet/vision/draw_text.h"

#include <gtest/gtest.h>

#include <set>

namespace effnet::vision {
namespace {

// Returns the image as lines of '#' (white) and '.' (black).
std::string shape(const Image& image) {
  std::string text;
  for (std::int64_t y = 0; y < image.h; ++y) {
    for (std::int64_t x = 0; x < image.w; ++x)
      text += image.rgb[static_cast<std::size_t>(3 * (y * image.w + x))] == 255 ? '#' : '.';
    text += '\n';
  }
  return text;
}
std::string drawn(std::string_view text, Size size = {8, 5}, std::int64_t scale = 1) {
  Image image = blank(size);
  draw_text(image, 0, 0, text, scale, kWhite);
  return shape(image);
}

TEST(DrawText, DrawsCharacters) {
  EXPECT_EQ(drawn("T"), "#####\n..#..\n..#..\n..#..\n..#..\n..#..\n..#..\n.....\n");
  EXPECT_EQ(drawn("L"), "#....\n#....\n#....\n#....\n#....\n#....\n#####\n.....\n");
  EXPECT_EQ(drawn("l-", {8, 11}),
            ".##........\n..#........\n..#........\n..#...#####\n..#........\n..#........\n.###.......\n...........\n");
  EXPECT_EQ(drawn(" "), drawn(""));
}

TEST(DrawText, PrintableCharactersDiffer) {
  std::set<std::string> shapes;
  for (char c = ' '; c <= '~'; ++c) shapes.insert(drawn(std::string(1, c)));
  EXPECT_EQ(shapes.size(), 95U);
  const std::string box = "#####\n#...#\n#...#\n#...#\n#...#\n#...#\n#####\n.....\n";
  for (const char* other : {"\xc3\xb6", "\xe4\xb8\xad", "\n", "\x7f", "\xff", "\xf0\x9f\x8c\xbc"})
    EXPECT_EQ(drawn(other), box);
}

TEST(DrawText, ScalesAndClips) {
  EXPECT_EQ(drawn("T", {4, 10}, 2), "##########\n##########\n....##....\n....##....\n");
  Image image = blank({5, 4});
  draw_text(image, -2, -3, "TTTT", 1, kWhite);
  EXPECT_EQ(shape(image).size(), 5U * 5U);
  draw_text(image, 100, 100, "T");
  Image none;
  draw_text(none, 0, 0, "T");
}

TEST(DrawText, SizeAndShortening) {
  EXPECT_EQ(text_size("ab", 3), (Size{24, 33}));
  EXPECT_EQ(text_size("\xc3\xb6"), (Size{8, 5}));
  EXPECT_EQ(text_size(""), (Size{8, 0}));
  EXPECT_EQ(shortened("tulip", 29), "tulip");
  EXPECT_EQ(shortened("tulip", 28), "tu..");
  EXPECT_EQ(shortened("t\xc3\xb6lip", 22), "t..");
  EXPECT_EQ(shortened("tulip", 0), "..");
}

}  // namespace
}  // namespace effnet::vision

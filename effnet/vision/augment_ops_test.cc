// Tests each operation on small images whose results were computed by hand. If Pillow 9.4 defines the same operation,
// the operation is also applied to the image tests/golden/vision/source.rgb (w = 23, h = 17). The SHA-256 of the result
// must be that of Pillow's result; a comment names Pillow's function.
#include "effnet/vision/augment_ops.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "effnet/vision/golden_files.h"

namespace effnet::vision {
namespace {

using Bytes = std::vector<std::uint8_t>;

// An image of grey levels, row by row.
Image grey(Size size, const Bytes& levels) {
  Image image = blank(size);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = levels.at(i / 3);
  return image;
}
Bytes red(const Image& image) {
  Bytes levels;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) levels.push_back(image.rgb[i]);
  return levels;
}
// One row of grey pixels after an operation.
Bytes after(const std::function<void(Image&)>& operation, const Bytes& levels) {
  Image image = grey({1, static_cast<std::int64_t>(levels.size())}, levels);
  operation(image);
  EXPECT_EQ(image.w, static_cast<std::int64_t>(levels.size()));
  return red(image);
}
// A 3x3 image of the levels 1 ... 9 after an operation.
Bytes after_on_nine(const std::function<void(Image&)>& operation) {
  Image image = grey({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  operation(image);
  return red(image);
}
constexpr std::uint8_t G = 128;  // the level of pixels without a source

std::string hash_after(const std::function<void(Image&)>& operation) {
  Image image = golden::source();
  operation(image);
  return golden::hash(image);
}

TEST(AugmentOps, Invert) {
  EXPECT_EQ(after(invert, {0, 1, 100, 255}), (Bytes{255, 254, 155, 0}));
  EXPECT_EQ(hash_after(invert), "e23e72f5d6eabfe37c5445a3c1e69d9d57921ba13d589f9a4ed252ecabba3a53");  // ImageOps.invert
}

TEST(AugmentOps, Posterize) {
  const auto bits = [](int n) { return [n](Image& image) { posterize(image, n); }; };
  const Bytes levels{0, 1, 127, 128, 255};
  EXPECT_EQ(after(bits(4), levels), (Bytes{0, 0, 112, 128, 240}));
  EXPECT_EQ(after(bits(1), levels), (Bytes{0, 0, 0, 128, 128}));
  EXPECT_EQ(after(bits(0), levels), (Bytes{0, 0, 0, 128, 128}));  // the shift is at most 7
  EXPECT_EQ(after(bits(8), levels), levels);
  EXPECT_EQ(after(bits(11), levels), levels);
  // ImageOps.posterize
  EXPECT_EQ(hash_after(bits(1)), "c80dbd42e98817c9d2bdd3ccf0bdfb860ab2f2b3b6d7bad4e32c21f4202cfb5a");
  EXPECT_EQ(hash_after(bits(2)), "645ebff588b3f284af9b9557ad4b5ef039301eaae08513b6fe002e3622398356");
  EXPECT_EQ(hash_after(bits(4)), "6d01d8d375925b2a99b97d370d9d49ab5bacf0716afa657c6ca955b611d026c2");
}

TEST(AugmentOps, Solarize) {
  const auto from = [](int n) { return [n](Image& image) { solarize(image, n); }; };
  const Bytes levels{0, 127, 128, 200, 255};
  EXPECT_EQ(after(from(128), levels), (Bytes{0, 127, 127, 55, 0}));
  EXPECT_EQ(after(from(0), levels), (Bytes{255, 128, 127, 55, 0}));
  EXPECT_EQ(after(from(256), levels), levels);  // level 10
  EXPECT_EQ(after(from(716), levels), levels);  // level 28
  // ImageOps.solarize
  EXPECT_EQ(hash_after(from(77)), "3260a818a46be0b65e59cf139cb6e53b8fd668154e23c55cf5f130ab0d5751c6");
  EXPECT_EQ(hash_after(from(204)), "a009a14ac5e8adb0fa3786b5d1ef927cb95538a9a2b205464b34d84ee4b48b5d");
}

TEST(AugmentOps, SolarizeAdd) {
  const auto add = [](int n) { return [n](Image& image) { solarize_add(image, n); }; };
  const Bytes levels{0, 20, 127, 128, 255};
  EXPECT_EQ(after(add(110), levels), (Bytes{110, 130, 237, 128, 255}));
  EXPECT_EQ(after(add(240), levels), (Bytes{240, 255, 255, 128, 255}));
  EXPECT_EQ(after(add(0), levels), levels);
}

TEST(AugmentOps, AutoContrast) {
  EXPECT_EQ(after(auto_contrast, {100, 120, 151}), (Bytes{0, 100, 255}));  // x becomes 5 x - 500
  EXPECT_EQ(after(auto_contrast, {10, 12, 17}), (Bytes{0, 72, 255}));      // 255 / 7 * 2 = 72.86
  EXPECT_EQ(after(auto_contrast, {0, 7}), (Bytes{0, 254}));  // in float32 255 / 7 * 7 = 254.99998, truncated
  EXPECT_EQ(after(auto_contrast, {0, 99, 255}), (Bytes{0, 99, 255}));
  EXPECT_EQ(after(auto_contrast, {9, 9, 9}), (Bytes{9, 9, 9}));
  // Channels are stretched separately: red (0 ... 51) by the factor 5, green (only 70) not at all, blue (205 ... 255)
  // by the factor 5.1.
  Image image{1, 3, {0, 70, 205, 51, 70, 255, 17, 70, 225}};
  auto_contrast(image);
  EXPECT_EQ(image.rgb, (Bytes{0, 70, 0, 255, 70, 255, 85, 70, 102}));
}

TEST(AugmentOps, Equalize) {
  // 300 pixels have the value 5, 300 the value 9 and 120 the value 200. step = (all 720 pixels - 120 pixels of the
  // highest value) / 255 = 2. A value becomes (number of pixels below it + step / 2) / step, all divisions rounded
  // down: 5 becomes (0 + 1) / 2 = 0, 9 becomes (300 + 1) / 2 = 150, 200 becomes (600 + 1) / 2 = 300, clamped to 255.
  Bytes levels(720, 5);
  std::fill(levels.begin() + 300, levels.begin() + 600, std::uint8_t{9});
  std::fill(levels.begin() + 600, levels.end(), std::uint8_t{200});
  Bytes expected(720, 0);
  std::fill(expected.begin() + 300, expected.begin() + 600, std::uint8_t{150});
  std::fill(expected.begin() + 600, expected.end(), std::uint8_t{255});
  EXPECT_EQ(after(equalize, levels), expected);
  EXPECT_EQ(after(equalize, Bytes(1000, 7)), Bytes(1000, 7));  // one value: step 0
  EXPECT_EQ(after(equalize, {1, 2, 3}), (Bytes{1, 2, 3}));     // fewer than 256 pixels: step 0
  // Pillow's ImageOps.equalize of the source image, and of a larger image that repeats the source's bytes
  EXPECT_EQ(hash_after(equalize), "fdcd427f802eeb062ffacbe49240892257edcea2f78a8aa3b164c7303171a5bc");
  const Image source = golden::source();
  Image big = blank({75, 100});
  for (std::size_t i = 0; i < big.rgb.size(); ++i) big.rgb[i] = source.rgb[i % source.rgb.size()];
  equalize(big);
  EXPECT_EQ(golden::hash(big), "370dfd80e396f30f723520388c0af6caf888b5d3c931589cb1287708c2b15b22");
}

TEST(AugmentOps, Color) {
  // Grey of (200, 100, 50): (0.2989 * 200 + 0.587 * 100 + 0.114 * 50) * 255.5 / 255 = 124.42, truncated to 124.
  const auto blended = [](float factor) {
    Image image{1, 1, {200, 100, 50}};
    color(image, factor);
    return image.rgb;
  };
  EXPECT_EQ(blended(0), (Bytes{124, 124, 124}));
  EXPECT_EQ(blended(0.1F), (Bytes{131, 121, 116}));  // before truncation 131.6, 121.6, 116.6
  EXPECT_EQ(blended(0.5F), (Bytes{162, 112, 87}));
  EXPECT_EQ(blended(1), (Bytes{200, 100, 50}));
  EXPECT_EQ(blended(1.5F), (Bytes{238, 88, 13}));
  EXPECT_EQ(blended(1.9F), (Bytes{255, 78, 0}));  // before clamping 268.4, 78.4, -16.6
  // The grey value of white is (0.2989 + 0.587 + 0.114) * 255.5 = 255.47, truncated to 255. The row has 131 pixels:
  // more than one block of 64, and an odd number.
  EXPECT_EQ(after([](Image& image) { color(image, 0); }, Bytes(131, 255)), Bytes(131, 255));
}

TEST(AugmentOps, Brightness) {
  const auto by = [](float factor) { return [factor](Image& image) { brightness(image, factor); }; };
  EXPECT_EQ(after(by(0.5F), {0, 101, 255}), (Bytes{0, 50, 127}));
  EXPECT_EQ(after(by(1.5F), {0, 101, 255}), (Bytes{0, 151, 255}));
  EXPECT_EQ(after(by(0), {3, 200}), (Bytes{0, 0}));
  EXPECT_EQ(after(by(1), {3, 200}), (Bytes{3, 200}));
}

TEST(AugmentOps, Contrast) {
  // The "mean" is the number of pixels / 256. It is 0 for 4 pixels, 2 for 512 pixels, and for 256 * 300 pixels 300,
  // clamped to 255.
  const auto by = [](float factor) { return [factor](Image& image) { contrast(image, factor); }; };
  EXPECT_EQ(after(by(0.5F), {0, 101, 200, 255}), (Bytes{0, 50, 100, 127}));
  EXPECT_EQ(after(by(0), Bytes(512, 77)), Bytes(512, 2));
  EXPECT_EQ(after(by(1.5F), Bytes(512, 0)), Bytes(512, 0));  // 2 + 1.5 * (0 - 2) = -1
  EXPECT_EQ(after(by(0.5F), Bytes(512, 255)), Bytes(512, 128));
  Image large = grey({256, 300}, Bytes(256 * 300, 55));
  contrast(large, 0.5F);
  EXPECT_EQ(red(large), Bytes(256 * 300, 155));
}

TEST(AugmentOps, Sharpness) {
  // The smoothed centre is (8 * 10 + 5 * 50) / 13 = 25.38, truncated to 25: eight neighbours of 10, and the centre 50
  // with weight 5. The border does not change.
  const auto centre = [](float factor) {
    Image image = grey({3, 3}, {10, 10, 10, 10, 50, 10, 10, 10, 10});
    sharpness(image, factor);
    Bytes levels = red(image);
    const std::uint8_t result = levels[4];
    levels[4] = 10;
    EXPECT_EQ(levels, Bytes(9, 10));
    return result;
  };
  EXPECT_EQ(centre(0), 25);
  EXPECT_EQ(centre(0.5F), 37);  // before truncation 37.5
  EXPECT_EQ(centre(1), 50);
  EXPECT_EQ(centre(1.9F), 72);  // before truncation 72.5
  // Every neighbour has weight 1, and channels are separate. Red is 0 and blue 255 everywhere. Green has the levels
  // 1 ... 9 with 5 in the centre, whose weight is 5: (1 + ... + 9 + 4 * 5) / 13 = 65 / 13 = 5.
  Image image = blank({3, 3});
  for (std::size_t i = 0; i < 9; ++i)
    image.rgb[3 * i + 1] = static_cast<std::uint8_t>(i + 1), image.rgb[3 * i + 2] = 255;
  sharpness(image, 0);
  EXPECT_EQ(image.rgb[12], 0);
  EXPECT_EQ(image.rgb[13], 5);
  EXPECT_EQ(image.rgb[14], 255);
  // Smoothing does not change a linear ramp (columns 0 39 78 117), so its two interior columns stay 39 and 78.
  Image ramp = grey({3, 4}, {0, 39, 78, 117, 0, 39, 78, 117, 0, 39, 78, 117});
  const Image before = ramp;
  sharpness(ramp, 0);
  EXPECT_EQ(ramp, before);
  for (const Size size : {Size{2, 9}, {9, 2}, {1, 1}}) {
    Image small = grey(size, Bytes(static_cast<std::size_t>(size.h * size.w), 99));
    small.rgb[0] = 0;
    const Image same = small;
    sharpness(small, 0.1F);
    EXPECT_EQ(small, same);
  }
}

TEST(AugmentOps, Translate) {
  const auto x = [](float px) { return [px](Image& image) { translate_x(image, px); }; };
  const auto y = [](float px) { return [px](Image& image) { translate_y(image, px); }; };
  EXPECT_EQ(after_on_nine(x(1)), (Bytes{2, 3, G, 5, 6, G, 8, 9, G}));
  EXPECT_EQ(after_on_nine(x(-2)), (Bytes{G, G, 1, G, G, 4, G, G, 7}));
  EXPECT_EQ(after_on_nine(y(1)), (Bytes{4, 5, 6, 7, 8, 9, G, G, G}));
  EXPECT_EQ(after_on_nine(y(-1)), (Bytes{G, G, G, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(after_on_nine(x(0.5F)), (Bytes{2, 3, G, 5, 6, G, 8, 9, G}));   // 0.5 is rounded away from zero, to 1
  EXPECT_EQ(after_on_nine(x(-0.5F)), (Bytes{G, 2, 3, G, 5, 6, G, 8, 9}));  // -0.5 is rounded to -1
  EXPECT_EQ(after_on_nine(x(0.49F)), (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  for (const float far : {3.0F, -3.0F, 225.0F, -1e30F, 1e30F}) EXPECT_EQ(after_on_nine(x(far)), Bytes(9, G));
}

TEST(AugmentOps, Shear) {
  const auto x = [](float amount) { return [amount](Image& image) { shear_x(image, amount); }; };
  const auto y = [](float amount) { return [amount](Image& image) { shear_y(image, amount); }; };
  EXPECT_EQ(after_on_nine(x(1)), (Bytes{1, 2, 3, 5, 6, G, 9, G, G}));
  EXPECT_EQ(after_on_nine(x(-1)), (Bytes{1, 2, 3, G, 4, 5, G, G, 7}));
  EXPECT_EQ(after_on_nine(y(1)), (Bytes{1, 5, 9, 4, 8, G, 7, G, G}));
  EXPECT_EQ(after_on_nine(y(-1)), (Bytes{1, G, G, 4, 2, G, 7, 5, 3}));
  EXPECT_EQ(after_on_nine(x(0.25F)), (Bytes{1, 2, 3, 4, 5, 6, 8, 9, G}));  // rows 0, 1, 2 move by 0, 0.25, 0.5 px
  // Pillow: image.transform(size, AFFINE, (1, 1/4, -1/8, 0, 1, 0), NEAREST, fillcolor=128), and the same with x and y
  // exchanged. -1/8 cancels the half pixel by which Pillow's pixel centres differ.
  EXPECT_EQ(hash_after(x(0.25F)), "8fc18b2da2a5aa2589dd0e9eca25b570cefc42f2bf61a62d275b6f249e16243a");
  EXPECT_EQ(hash_after(y(0.25F)), "41352db664083c5fd08a22d3ac7ab07907b71cebd8d6423b9f2b6a2f8cbc8de8");
}

TEST(AugmentOps, Rotate) {
  const auto by = [](double degrees) { return [degrees](Image& image) { rotate(image, degrees); }; };
  EXPECT_EQ(after_on_nine(by(0)), (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(after_on_nine(by(90)), (Bytes{3, 6, 9, 2, 5, 8, 1, 4, 7}));  // anticlockwise
  EXPECT_EQ(after_on_nine(by(180)), (Bytes{9, 8, 7, 6, 5, 4, 3, 2, 1}));
  // At 45 degrees a corner reads a pixel 1.41 px from the centre along one axis, rounded to 1 px.
  EXPECT_EQ(after_on_nine(by(45)), (Bytes{2, 3, 6, 1, 5, 9, 4, 7, 8}));
  // Pillow: image.rotate(degrees, NEAREST, fillcolor=128)
  EXPECT_EQ(hash_after(by(7)), "b27ffeddd2472fe179b167a31d4ef96426ba7e24a5de73d6d89b2819baf29159");
  EXPECT_EQ(hash_after(by(-24)), "6d06a1cb0a8f65b9dd5c13607518f44c93395e28ba8d4b64685a6555d3a12406");
}

TEST(AugmentOps, Cutout) {
  const auto cut = [](int half, int y, int x) { return [=](Image& image) { cutout(image, half, y, x); }; };
  EXPECT_EQ(after_on_nine(cut(1, 0, 0)), (Bytes{G, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(after_on_nine(cut(1, 2, 1)), (Bytes{1, 2, 3, G, G, 6, G, G, 9}));  // rows 1, 2; columns 0, 1
  EXPECT_EQ(after_on_nine(cut(1, 1, 2)), (Bytes{1, G, G, 4, G, G, 7, 8, 9}));
  EXPECT_EQ(after_on_nine(cut(0, 1, 1)), (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(after_on_nine(cut(280, 0, 2)), Bytes(9, G));
}

// The expected values are the table of arguments in docs/reference/paper.md, and its formulas for levels above 10.
TEST(AugmentOps, ArgumentsFollowFromLevels) {
  const Distances distances{250, 100};
  const auto argument = [&](Op op, double level) { return operation(op).argument(level, distances); };
  EXPECT_DOUBLE_EQ(argument(Op::shear_x, 9), 0.27);
  EXPECT_DOUBLE_EQ(argument(Op::shear_y, 4), 0.12);
  EXPECT_DOUBLE_EQ(argument(Op::translate_x, 9), 225);
  EXPECT_DOUBLE_EQ(argument(Op::translate_y, 9), 225);
  EXPECT_DOUBLE_EQ(argument(Op::rotate, 8), 24);
  EXPECT_DOUBLE_EQ(argument(Op::rotate, 28), 84);
  for (const Op op : {Op::color, Op::contrast, Op::brightness, Op::sharpness}) {
    EXPECT_DOUBLE_EQ(argument(op, 0), 0.1);
    EXPECT_EQ(argument(op, 5), 1);
    EXPECT_DOUBLE_EQ(argument(op, 9), 1.72);
  }
  EXPECT_EQ(argument(Op::posterize, 2), 0);
  EXPECT_EQ(argument(Op::posterize, 6), 2);
  EXPECT_EQ(argument(Op::posterize, 8), 3);
  EXPECT_EQ(argument(Op::posterize, 10), 4);
  EXPECT_EQ(argument(Op::posterize, 28), 11);
  EXPECT_EQ(argument(Op::solarize, 3), 76);
  EXPECT_EQ(argument(Op::solarize, 8), 204);
  EXPECT_EQ(argument(Op::solarize, 10), 256);
  EXPECT_EQ(argument(Op::solarize_add, 3), 33);
  EXPECT_EQ(argument(Op::solarize_add, 7), 77);
  EXPECT_EQ(argument(Op::cutout, 7), 70);
  EXPECT_EQ(operation(Op::cutout).argument(17, {100, 40}), 68);
}

TEST(AugmentOps, TableIsInRandAugmentsOrder) {
  const std::vector<std::string_view> names{
      "AutoContrast", "Equalize",  "Invert", "Rotate", "Posterize",  "Solarize",   "Color",  "Contrast",
      "Brightness",   "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY", "Cutout", "SolarizeAdd"};
  for (std::size_t i = 0; i < 16; ++i) {
    const Operation& row = operations()[i];
    EXPECT_EQ(row.name, names[i]);
    EXPECT_EQ(&operation(static_cast<Op>(i)), &row);
    EXPECT_EQ(row.directed, row.name == "Rotate" || row.name.starts_with("Shear") || row.name.starts_with("Translate"));
    // Every operation works on the smallest image, at every level, and keeps its size.
    for (const double level : {0.0, 5.0, 10.0, 28.0, 100.0}) {
      Image image = grey({1, 1}, {77});
      row.apply(image, row.argument(level, {250, 100}), 0, 0);
      EXPECT_EQ(image.rgb.size(), 3U);
    }
  }
}

TEST(AugmentOps, TableAppliesTheFunctions) {
  const auto through_table = [](Op op, double argument) {
    return hash_after([=](Image& image) { operation(op).apply(image, argument, 5, 7); });
  };
  EXPECT_EQ(through_table(Op::auto_contrast, 0), hash_after(auto_contrast));
  EXPECT_EQ(through_table(Op::equalize, 0), hash_after(equalize));
  EXPECT_EQ(through_table(Op::invert, 0), hash_after(invert));
  EXPECT_EQ(through_table(Op::rotate, -24), hash_after([](Image& image) { rotate(image, -24); }));
  EXPECT_EQ(through_table(Op::posterize, 3), hash_after([](Image& image) { posterize(image, 3); }));
  EXPECT_EQ(through_table(Op::solarize, 204), hash_after([](Image& image) { solarize(image, 204); }));
  EXPECT_EQ(through_table(Op::color, 1.5), hash_after([](Image& image) { color(image, 1.5F); }));
  EXPECT_EQ(through_table(Op::contrast, 1.5), hash_after([](Image& image) { contrast(image, 1.5F); }));
  EXPECT_EQ(through_table(Op::brightness, 1.5), hash_after([](Image& image) { brightness(image, 1.5F); }));
  EXPECT_EQ(through_table(Op::sharpness, 1.5), hash_after([](Image& image) { sharpness(image, 1.5F); }));
  EXPECT_EQ(through_table(Op::shear_x, -0.25), hash_after([](Image& image) { shear_x(image, -0.25F); }));
  EXPECT_EQ(through_table(Op::shear_y, 0.25), hash_after([](Image& image) { shear_y(image, 0.25F); }));
  EXPECT_EQ(through_table(Op::translate_x, 4), hash_after([](Image& image) { translate_x(image, 4); }));
  EXPECT_EQ(through_table(Op::translate_y, -4), hash_after([](Image& image) { translate_y(image, -4); }));
  EXPECT_EQ(through_table(Op::cutout, 3), hash_after([](Image& image) { cutout(image, 3, 5, 7); }));
  EXPECT_EQ(through_table(Op::solarize_add, 33), hash_after([](Image& image) { solarize_add(image, 33); }));
}

}  // namespace
}  // namespace effnet::vision

#include "effnet/base/preprocessing_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet {
namespace {

// Computed by hand from docs/reference/checkpoints.md, sections 3 and 4, and docs/reference/lite_weights.md, section 4.
struct Case {
  std::string_view rule, normalisation;
  std::int64_t size, resize;
  CropOrder order;
  bool fixed_margin;
  Filter filter;
  double mean, std;  // of red
};
const Case kCases[] = {
    {"official", "imagenet", 224, 256, CropOrder::crop_first, true, Filter::tf_bicubic, 0.485, 0.229},
    {"official", "imagenet", 600, 632, CropOrder::crop_first, true, Filter::tf_bicubic, 0.485, 0.229},
    {"official", "lite", 260, 292, CropOrder::crop_first, true, Filter::tf_bilinear, 127 / 255., 128 / 255.},
    {"official", "inception", 224, 256, CropOrder::crop_first, true, Filter::tf_bicubic, 0.5, 0.5},
    {"pillow", "lite", 240, 272, CropOrder::resize_first, true, Filter::bicubic, 0.5, 0.5},
    {"pillow", "imagenet", 224, 256, CropOrder::resize_first, true, Filter::bicubic, 0.485, 0.229},
    {"timm", "imagenet", 224, 256, CropOrder::resize_first, false, Filter::bicubic, 0.485, 0.229},
    {"timm", "lite", 260, 297, CropOrder::resize_first, false, Filter::bicubic, 0.5, 0.5},  // 260/0.875 = 297.14
    {"torchvision", "imagenet", 224, 256, CropOrder::resize_first, false, Filter::bilinear, 0.485, 0.229},
    {"torchvision", "imagenet", 240, 274, CropOrder::resize_first, false, Filter::bilinear, 0.485, 0.229},
    {"whole", "imagenet", 32, 32, CropOrder::resize_first, true, Filter::bicubic, 0.485, 0.229},
};

TEST(PreprocessingRules, MatchThePublishedRecipes) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} {} {}", c.rule, c.normalisation, c.size));
    const Preprocessing got = preprocessing_rule(c.rule, c.normalisation, {c.size, c.size});
    EXPECT_EQ(got.rule, c.rule);
    EXPECT_EQ(got.crop, (Size{c.size, c.size}));
    EXPECT_EQ(got.resize, (Size{c.resize, c.resize}));
    EXPECT_EQ(got.order, c.order);
    EXPECT_EQ(got.fixed_margin, c.fixed_margin);
    EXPECT_EQ(got.filter, c.filter);
    EXPECT_EQ(got.mean[0], c.mean);
    EXPECT_EQ(got.std[0], c.std);
  }
}

TEST(PreprocessingRules, TreatHeightAndWidthSeparately) {
  const Preprocessing got = preprocessing_rule("official", "imagenet", {100, 300});
  EXPECT_EQ(got.crop, (Size{100, 300}));
  EXPECT_EQ(got.resize, (Size{132, 332}));
}

// A rule for size 224 that at() changes to size 448 equals the rule that preprocessing_rule() gives for 448.
TEST(PreprocessingRules, AtGivesTheRuleOfTheNewSize) {
  for (const std::string_view rule : {"official", "pillow", "timm", "torchvision", "whole"}) {
    const Preprocessing at_224 = preprocessing_rule(rule, "imagenet", {224, 224});
    EXPECT_EQ(at_224.at({448, 448}), preprocessing_rule(rule, "imagenet", {448, 448})) << rule;
  }
}

TEST(PreprocessingRules, ErrorListsTheKnownNames) {
  const auto message = [](std::string_view rule, std::string_view normalisation) -> std::string {
    try {
      preprocessing_rule(rule, normalisation, {224, 224});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("offical", "imagenet"), testing::HasSubstr("official, pillow, timm, torchvision or whole"));
  EXPECT_THAT(message("official", "imagnet"), testing::HasSubstr("imagenet, inception or lite"));
}

}  // namespace
}  // namespace effnet

#include "effnet/arch/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "effnet/arch/family.h"
#include "effnet/arch/ranges.h"
#include "effnet/base/error.h"

namespace effnet::arch {
namespace {

using testing::HasSubstr;

std::string message(std::string_view text) {
  try {
    parse(text, "net.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(ArchText, EveryNamedNetworkRoundTrips) {
  ASSERT_GE(family().size(), 24U);
  for (const Variant& variant : family()) {
    const std::string text = print(variant.spec);
    const ArchSpec again = parse(text, variant.name);
    EXPECT_EQ(again, variant.spec) << variant.name;
    EXPECT_EQ(print(again), text) << variant.name;
  }
}

TEST(ArchText, DefaultsFollowTheNetwork) {
  const ArchSpec spec =
      parse("name = 'n'\nactivation = 'relu6'\npadding = 'symmetric'\n[[stages]]\nchannels = 8\n", "n");
  EXPECT_EQ(spec.stem.activation, Activation::relu6);
  EXPECT_EQ(spec.stem.padding, Padding::symmetric);
  EXPECT_EQ(spec.head.activation, Activation::relu6);
  EXPECT_EQ(spec.family, "n");
  const ArchSpec headless = parse("name = 'n'\n[[stages]]\nchannels = 8\n[head]\nchannels = 0\n", "n");
  EXPECT_EQ(headless.head.activation, Activation::none);
}

// Texts in existing model files have no depth_rounding, and print() must not change them.
TEST(ArchText, DepthRoundingIsPrintedOnlyIfItIsNotUp) {
  const ArchSpec up = parse("name = 'n'\n[[stages]]\nchannels = 8\n", "n");
  EXPECT_EQ(up.depth_rounding, DepthRounding::up);
  EXPECT_THAT(print(up), testing::Not(HasSubstr("depth_rounding")));
  const ArchSpec nearest = parse("name = 'n'\ndepth_rounding = 'nearest'\n[[stages]]\nchannels = 8\n", "n");
  EXPECT_EQ(nearest.depth_rounding, DepthRounding::nearest);
  EXPECT_THAT(print(nearest), HasSubstr("depth_rounding = \"nearest\"\n"));
  EXPECT_THAT(message("name = 'n'\ndepth_rounding = 'down'\n[[stages]]\nchannels = 8\n"),
              HasSubstr("unknown depth_rounding (got 'down', expected up or nearest)"));
}

TEST(ArchText, ErrorForUnknownKeyHasLineColumnAndTheNearestKey) {
  EXPECT_EQ(message("name = 'n'\n[[stages]]\nchannels = 8\n  kernle = 3\n"),
            "net.toml:4:3: stages[0]: unknown key (got 'kernle', expected kernel)");
  EXPECT_THAT(message("name = 'n'\nresolutoin = 224\n[[stages]]\nchannels = 8\n"),
              HasSubstr("net.toml:2:1: top level: unknown key (got 'resolutoin', expected resolution)"));
  EXPECT_THAT(message("name = 'n'\n[stem]\nzzzzzzzz = 1\n[[stages]]\nchannels = 8\n"),
              HasSubstr("net.toml:3:1: stem: unknown key (got 'zzzzzzzz', expected "));
}

TEST(ArchText, ErrorForMisspeltRequiredKeyNamesBothKeys) {
  EXPECT_EQ(message("name = 'n'\n[[stages]]\nchanels = 8\n"),
            "net.toml:3:1: stages[0]: unknown key (got 'chanels', expected channels)");
}

TEST(ArchText, ErrorForWrongValueHasLineAndColumn) {
  EXPECT_EQ(message("name = 'n'\nclasses = 'many'\n[[stages]]\nchannels = 8\n"),
            "net.toml:2:11: classes: wrong value (got 'many', expected a whole number from 1 to 1048576)");
  EXPECT_THAT(message("name = 'n'\n[[stages]]\nchannels = 0\n"),
              HasSubstr("net.toml:3:12: stages[0].channels: wrong value (got 0, expected"));
  EXPECT_THAT(message("name = 'n'\npadding = 'smae'\n[[stages]]\nchannels = 8\n"),
              HasSubstr("unknown padding (got 'smae', expected same, symmetric or valid)"));
  EXPECT_THAT(
      message("name = 'n'\npreprocessing = 'offical'\n[[stages]]\nchannels = 8\n"),
      HasSubstr("net.toml:2:17: preprocessing: unknown preprocessing rule (got 'offical', expected official, "));
  EXPECT_THAT(message("name = 'n'\n\nnormalisation = 'imagenett'\n[[stages]]\nchannels = 8\n"),
              HasSubstr("net.toml:3:17: normalisation: unknown normalisation (got 'imagenett', expected imagenet, "));
  EXPECT_THAT(message("name = 'n'\n[[stages]]\nrepeats = 1\n"), HasSubstr("channels is missing"));
  EXPECT_THAT(message("name = 'n'\n"), HasSubstr("stages is missing (expected 1 to 100 tables [[stages]])"));
  EXPECT_THAT(message("name = 'n'\nstages = []\n"),
              HasSubstr("stages: wrong number of stages (got 0, expected 1 to 100"));
  EXPECT_THAT(message("[[stages]]\nchannels = 8\n"), HasSubstr("name is missing"));
  EXPECT_THAT(message("name = 'n'\nbn_epsilon = nan\n[[stages]]\nchannels = 8\n"),
              HasSubstr("bn_epsilon: wrong value"));
  EXPECT_THAT(message("name = \n"), HasSubstr("net.toml:1:8: not valid TOML"));
  EXPECT_THAT(message(std::string(2 << 20, ' ')), HasSubstr("too long"));
}

template <class Visit>
void visit_all(ArchSpec& spec, Visit visit) {
  visit_network(spec, visit);
  visit_stem(spec.stem, visit);
  visit_stage(spec.stages.back(), visit);
  visit_head(spec.head, visit);
}

// Replaces number `index` of `spec` by change(value, range). Returns the key of the number, or "" if the spec has fewer
// numbers.
template <class Change>
std::string change_number(ArchSpec& spec, int index, Change change) {
  std::string changed;
  visit_all(spec, [&](std::string_view key, auto& value, const auto& range) {
    if (index-- != 0) return;
    changed = key;
    value = change(value, range);
  });
  return changed;
}

bool check_accepts(const ArchSpec& spec) {
  try {
    check(spec);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr("out of range (got "));
    return false;
  }
  return true;
}

// check() applies to a struct the same ranges as parse() applies to a file.
TEST(ArchRanges, CheckAndParseAcceptTheSameNumbers) {
  const auto low = [](auto, const auto& range) { return range.low; };
  const auto high = [](auto, const auto& range) { return range.high; };
  const auto below = [](auto value, const auto& range) -> decltype(value) {
    if constexpr (std::is_same_v<decltype(value), double>) return std::nextafter(range.low, -1);
    return range.low - 1;
  };
  const auto above = [](auto value, const auto& range) -> decltype(value) {
    if constexpr (std::is_same_v<decltype(value), double>) return std::nextafter(range.high, 2);
    return range.high + 1;
  };
  const auto least = [](auto value, const auto&) { return std::numeric_limits<decltype(value)>::lowest(); };
  const auto most = [](auto value, const auto&) { return std::numeric_limits<decltype(value)>::max(); };
  const auto nan = [](auto value, const auto& range) -> decltype(value) {
    if constexpr (std::is_same_v<decltype(value), double>) return NAN;
    return range.low - 1;
  };
  const ArchSpec good = variant("efficientnet_b0").spec;
  int numbers = 0;
  const auto expect = [&](bool accepted, const auto& change) {
    ArchSpec spec = good;
    const std::string key = change_number(spec, numbers, change);
    EXPECT_EQ(check_accepts(spec), accepted) << key;
    EXPECT_EQ(message(print(spec)) == "no error", accepted) << key;
    return !key.empty();
  };
  while (expect(true, low) && expect(true, high)) {
    expect(false, below);
    expect(false, above);
    expect(false, least);
    expect(false, most);
    expect(false, nan);
    ++numbers;
  }
  EXPECT_EQ(numbers, 6 + 3 + 6 + 2) << "network, stem, stage and head";
}

TEST(ArchRanges, ErrorNamesTheField) {
  ArchSpec spec = variant("efficientnet_b0").spec;
  spec.stages[2].stride = 0;
  try {
    check(spec);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "stages[2].stride: out of range (got 0, expected 1 to 8)");
  }
  spec.stages[2].stride = 1;
  EXPECT_TRUE(check_accepts(spec));
  spec.stem.padding = static_cast<Padding>(129);
  EXPECT_FALSE(check_accepts(spec));
  spec.stem.padding = Padding::same;
  spec.stem.pool = static_cast<PoolKind>(-1);
  EXPECT_FALSE(check_accepts(spec));
  spec.stem.pool = PoolKind::none;
  spec.depth_rounding = static_cast<DepthRounding>(2);
  EXPECT_FALSE(check_accepts(spec));
  spec.depth_rounding = DepthRounding::up;
  spec.head.activation = static_cast<Activation>(6);
  EXPECT_FALSE(check_accepts(spec));
  spec.head.activation = Activation::silu;
  spec.stages.clear();
  EXPECT_FALSE(check_accepts(spec));
  spec.stages.resize(101);
  EXPECT_FALSE(check_accepts(spec));
}

TEST(Family, UnknownNameSuggestsTheNearest) {
  try {
    variant("eficientnet_b3");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr("'eficientnet_b3'"));
    EXPECT_EQ(error.hint(), "did you mean efficientnet_b3?");
  }
}

TEST(Family, NamesAreUnique) {
  std::set<std::string> names;
  for (const Variant& variant : family()) EXPECT_TRUE(names.insert(variant.name).second) << variant.name;
}

// Tan & Le 2019, section 5.2: linear from 0.2 for B0 to 0.5 for B7. The code's values are those in steps of 0.1.
TEST(Family, DropoutOfScaledNetworksIsThePublishedOne) {
  const Variant& b0 = variant("efficientnet_b0");
  EXPECT_EQ(published_dropout(b0, {}, 0), 0.2);
  EXPECT_EQ(published_dropout(b0, {}, 3.5), 0.35);
  EXPECT_EQ(published_dropout(b0, {}, 7), 0.5);
  EXPECT_EQ(published_dropout(b0, {}, 12), 0.5) << "no further";
  EXPECT_EQ(published_dropout(variant("efficientnet_b7"), {}, 1), 0.5);
  for (int phi = 0; phi <= 7; ++phi) {
    const ArchSpec& code = variant(fmt::format("efficientnet_b{}", phi)).spec;
    EXPECT_NEAR(published_dropout(b0, {}, phi).value(), code.dropout, 0.05) << phi;
    EXPECT_EQ(code.drop_path, 0.2) << phi;
  }
}

TEST(Family, WithoutAPublishedDropout) {
  const Variant& b0 = variant("efficientnet_b0");
  EXPECT_FALSE(published_dropout(b0, {}, -1)) << "a smaller network";
  EXPECT_FALSE(published_dropout(b0, {&rule("fast"), {}, {}}, 1));
  EXPECT_FALSE(published_dropout(b0, {&rules().front(), {}, {true, true, false}}, 1));
  EXPECT_FALSE(published_dropout(variant("mobilenet_v2"), {}, 1));
  const std::string file = "name = 'n'\ndropout = 0.3\n[[stages]]\nchannels = 8\n[dropout_rule]\n";
  const std::vector<Variant> one = parse_family(file + "rule = 'fast'\nphi = 2\ndropout = 0.5\n", "n.toml");
  EXPECT_EQ(published_dropout(one.at(0), {&rule("fast"), {}, {}}, 1), 0.4);
  EXPECT_FALSE(published_dropout(one.at(0), {}, 1)) << "it belongs to another rule";
  const auto refused = [&](const char* rows) {
    try {
      parse_family(file + rows, "n.toml");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(refused("rule = 'fats'\nphi = 2\ndropout = 0.5\n"),
              HasSubstr("n.toml:6:8: dropout_rule.rule: unknown scaling rule (got 'fats', expected compound, "));
  EXPECT_THAT(refused("rule = 'fast'\nphi = 2\ndropout = 0.2\n"),
              HasSubstr("n.toml:8:11: dropout_rule.dropout: wrong"));
}

}  // namespace
}  // namespace effnet::arch

#include "effnet/arch/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
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

TEST(ArchText, UnknownKeysNameLineColumnAndTheNearestKey) {
  EXPECT_EQ(message("name = 'n'\n[[stages]]\nchannels = 8\n  kernle = 3\n"),
            "net.toml:4:3: stages[0]: unknown key (got 'kernle', expected kernel)");
  EXPECT_THAT(message("name = 'n'\nresolutoin = 224\n[[stages]]\nchannels = 8\n"),
              HasSubstr("net.toml:2:1: top level: unknown key (got 'resolutoin', expected resolution)"));
  EXPECT_THAT(message("name = 'n'\n[stem]\nzzzzzzzz = 1\n[[stages]]\nchannels = 8\n"),
              HasSubstr("net.toml:3:1: stem: unknown key (got 'zzzzzzzz', expected "));
}

TEST(ArchText, AMisspeltRequiredKeyIsNamedToo) {
  EXPECT_EQ(message("name = 'n'\n[[stages]]\nchanels = 8\n"),
            "net.toml:3:1: stages[0]: unknown key (got 'chanels', expected channels)");
}

TEST(ArchText, WrongValuesNameTheirPlace) {
  EXPECT_EQ(message("name = 'n'\nclasses = 'many'\n[[stages]]\nchannels = 8\n"),
            "net.toml:2:11: classes: wrong value (got 'many', expected a whole number from 1 to 1048576)");
  EXPECT_THAT(message("name = 'n'\n[[stages]]\nchannels = 0\n"),
              HasSubstr("net.toml:3:12: stages[0].channels: wrong value (got 0, expected"));
  EXPECT_THAT(message("name = 'n'\npadding = 'smae'\n[[stages]]\nchannels = 8\n"),
              HasSubstr("unknown padding (got 'smae', expected same, symmetric or valid)"));
  EXPECT_THAT(message("name = 'n'\n[[stages]]\nrepeats = 1\n"), HasSubstr("channels is missing"));
  EXPECT_THAT(message("name = 'n'\n"), HasSubstr("stages"));
  EXPECT_THAT(message("[[stages]]\nchannels = 8\n"), HasSubstr("name is missing"));
  EXPECT_THAT(message("name = 'n'\nbn_epsilon = nan\n[[stages]]\nchannels = 8\n"),
              HasSubstr("bn_epsilon: wrong value"));
  EXPECT_THAT(message("name = \n"), HasSubstr("net.toml:1:8: not valid TOML"));
  EXPECT_THAT(message(std::string(2 << 20, ' ')), HasSubstr("too long"));
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

}  // namespace
}  // namespace effnet::arch

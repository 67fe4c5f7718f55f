#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

Space every_field() {
  return two_stages(
      "[[stages]]\nstage = 1\nblock = ['mbconv', 'basic']\nkernel = [3, 15]\nse = [0, 0.25, 1e-5]\n"
      "skip = [true, false]\nexpand = [1, 64]\nwidth = [0.75, 1]\nlayers = [-1, 0, 12]\n"
      "[[stages]]\nstage = 2\nchannels = [8, 100]\n");
}

TEST(PointText, HasAWordForEachChoice) {
  const Space space = every_field();
  EXPECT_EQ(to_text(space, {0, 0, 0, 0, 0, 0, 0, 0}), "mbconv k3 se0 skip=true e1 w0.75 l-1 / c8");
  EXPECT_EQ(to_text(space, {1, 1, 1, 1, 1, 1, 1, 1}), "basic k15 se0.25 skip=false e64 w1 l+0 / c100");
  EXPECT_EQ(to_text(space, {0, 0, 2, 0, 0, 0, 2, 0}), "mbconv k3 se1e-05 skip=true e1 w0.75 l+12 / c8");
}

TEST(PointText, EveryPointReadsBack) {
  const Space space = every_field();
  for_each_point(space, [&](const Point& point) { EXPECT_EQ(parse_point(space, to_text(space, point)), point); });
  Draws draws({.seed = 1}, "test");
  for (const Space& named : named_spaces()) {
    for (int i = 0; i < 100; ++i) {
      const Point point = sample(named, draws);
      EXPECT_EQ(parse_point(named, to_text(named, point)), point);
    }
  }
}

// Stages without choices have no group.
TEST(PointText, SkipsStagesWithoutChoices) {
  const Space space = two_stages("[[stages]]\nstage = 2\nkernel = [3, 5]\n");
  EXPECT_EQ(to_text(space, {1}), "k5");
  EXPECT_EQ(parse_point(space, "k3"), Point{0});
}

std::string message(const Space& space, std::string_view text) {
  try {
    parse_point(space, text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(PointText, ErrorsSayWhatIsExpected) {
  const Space space = two_stages("[choices]\nkernel = [3, 5]\n[[stages]]\nstage = 1\nexpand = [1, 6]\n");
  EXPECT_EQ(message(space, "k3 e1 / k5"), "no error");
  EXPECT_EQ(message(space, "k4 e1 / k5"), "point: unknown kernel for stage 1 (got 'k4', expected k3 or k5)");
  EXPECT_EQ(message(space, ""), "point: unknown kernel for stage 1 (got '', expected k3 or k5)");
  EXPECT_EQ(message(space, "k3 e1 / e1"), "point: unknown kernel for stage 2 (got 'e1', expected k3 or k5)");
  EXPECT_EQ(message(space, "k3"), "point: no expand for stage 1 (got '' at character 3, expected ' ' and a word)");
  EXPECT_EQ(message(space, "k3 e1 k5"),
            "point: no kernel for stage 2 (got ' k5' at character 6, expected ' / ' and a word)");
  EXPECT_EQ(message(space, "k3 e1 / k5 / k5"), "point: too long (got ' / k5' after 3 choices, expected nothing more)");
}

// Only the text that to_text() writes is accepted, so that equal points have equal texts.
TEST(PointText, NoOtherTextIsAccepted) {
  const Space space = every_field();
  const std::string good = "mbconv k3 se0 skip=true e1 w0.75 l+0 / c8";
  ASSERT_EQ(message(space, good), "no error");
  for (const char* wrong : {"mbconv k3 se0 skip=true e1 w0.75 l0 / c8", "mbconv k3 se0.0 skip=true e1 w0.75 l+0 / c8",
                            " mbconv k3 se0 skip=true e1 w0.75 l+0 / c8", "mbconv k3 se0 skip=true e1 w0.75 l+0 / c8 ",
                            "mbconv k3 se0 skip=true e1 w0.75 l+0 /  c8", "mbconv k3 se0 skip=1 e1 w0.75 l+0 / c8",
                            "mbconv k3  se0 skip=true e1 w0.75 l+0 / c8", "Mbconv k3 se0 skip=true e1 w0.75 l+0 / c8",
                            "mbconv k3 se0 skip=true e1 w.75 l+0 / c8"})
    EXPECT_THAT(message(space, wrong), HasSubstr("point: ")) << wrong;
}

}  // namespace
}  // namespace effnet::search

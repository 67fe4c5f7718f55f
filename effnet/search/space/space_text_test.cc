#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/fields.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string message(std::string_view text) {
  try {
    parse_space(text, "s.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}
// Of kTwoStages, which has 15 lines, and these lines.
std::string message_of(std::string_view lines) { return message(std::string(kTwoStages) + std::string(lines)); }

TEST(SpaceText, ChoicesAreByStageAndRowOfTheTable) {
  const Space space = two_stages(
      "[choices]\n"
      "layers = [0, 1]\n"
      "kernel = [5, 3]\n"
      "se = [0, 0.250]\n"
      "[[stages]]\n"
      "stage = 2\n"
      "kernel = []\n"
      "se = [0.5]\n"
      "layers = [-1, 0, 1]\n"
      "width = [1, 2.0]\n");
  const std::vector<Choice> expected{{0, "kernel", {"5", "3"}},
                                     {0, "se", {"0", "0.25"}},
                                     {0, "layers", {"+0", "+1"}},
                                     {1, "width", {"1", "2"}},
                                     {1, "layers", {"-1", "+0", "+1"}}};
  EXPECT_EQ(space.choices, expected);
  EXPECT_EQ(space.name, "two");
  EXPECT_EQ(space.base.stages[0].se, 0);
  EXPECT_EQ(space.base.stages[1].se, 0.5) << "a single option is the value of the base";
  EXPECT_EQ(space.base.stages[1].kernel, 3) << "the value of the base, because the list is empty";
}

TEST(SpaceText, ASingleOptionOfEachFieldChangesTheBase) {
  const Space space = two_stages(
      "[choices]\nblock = ['basic']\nkernel = [7]\nse = [0.125]\nskip = [false]\nexpand = [4]\nlayers = [2]\n"
      "[[stages]]\nstage = 1\nwidth = [3]\n[[stages]]\nstage = 2\nchannels = [5]\nse = [0, 1]\n");
  arch::StageSpec expected{.block = "basic", .repeats = 3, .channels = 24, .kernel = 7, .expand = 4, .se = 0.125};
  expected.skip = false;
  EXPECT_EQ(space.base.stages[0], expected);
  EXPECT_EQ(space.base.stages[1].channels, 5);
  EXPECT_EQ(space.choices.size(), 1U);
}

TEST(SpaceText, TheBaseHasThreeForms) {
  const std::string choices = "[choices]\nkernel = [3, 5]\n";
  const Space named = parse_space("name = 's'\nbase = 'mobilenet_v2'\n" + choices, "s.toml");
  EXPECT_EQ(named.base, arch::variant("mobilenet_v2").spec);
  const Space text = parse_space("name = 's'\nbase_arch = '''\n" + arch::print(named.base) + "'''\n" + choices, "s");
  EXPECT_EQ(text, named);
  EXPECT_EQ(two_stages(choices).base.stages.size(), 2U);
}

TEST(SpaceText, KeysThatChangeTheBase) {
  const Space space = parse_space(
      "name = 's'\nbase = 'mobilenet_v2'\nresolution = 32\nclasses = 10\nstrides = [1, 2, 1, 2, 1, 2, 1]\n"
      "[stem]\nstride = 1\nchannels = 16\n[choices]\nkernel = [3, 5]\n",
      "s.toml");
  arch::ArchSpec expected = arch::variant("mobilenet_v2").spec;
  expected.resolution = 32;
  expected.classes = 10;
  expected.stem.stride = 1;
  expected.stem.channels = 16;
  expected.stages[2].stride = 1;
  EXPECT_EQ(space.base, expected);
}

TEST(SpaceText, PrintedSpacesReadBack) {
  ASSERT_GE(named_spaces().size(), 2U);
  for (const Space& space : named_spaces()) {
    const Space again = parse_space(print(space), "printed");
    EXPECT_EQ(again, space) << space.name;
    EXPECT_EQ(print(again), print(space)) << space.name;
  }
}

// Quotes and backslashes are inside two levels of quotes in base_arch.
TEST(SpaceText, NamesWithAnyPrintableCharactersReadBack) {
  Space space = two_stages(
      "[choices]\nblock = ['mbconv', 'basic']\nskip = [false, true]\nse = [1e-7, 1]\nlayers = [-1000, 0, 999]\n"
      "width = [0.1, 1.5]\n");
  for (const char* name : {"\"\"\"", "'''", "\\", "\\u0041\\", "\"", "# = [", "\xc3\xa4"}) {
    space.name = name;
    space.base.name = name;
    space.base.family = name;
    EXPECT_EQ(parse_space(print(space), "printed"), space) << print(space);
  }
}

// A name is printed on terminals, where a control character could hide or change other text.
TEST(SpaceText, RefusesControlCharactersInNames) {
  for (const char* name : {"a\x1b[2J", "a\nb", "a\tb", "\x7f"}) {
    Space space = two_stages("[choices]\nkernel = [3, 5]\n");
    Space other_base = space;
    space.name = name;
    other_base.base.name = name;
    for (const Space& wrong : {space, other_base}) {
      try {
        parse_space(print(wrong), "printed");
        ADD_FAILURE() << in_quotes(name);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input);
        EXPECT_THAT(error.what(), HasSubstr("a control character in a name (got " + in_quotes(name)));
      }
    }
  }
}

TEST(SpaceText, ErrorsOfListsHaveLineAndColumn) {
  EXPECT_EQ(message_of("[choices]\nkernle = [3, 5]\n"),
            "s.toml:17:1: choices: unknown key (got 'kernle', expected kernel)");
  EXPECT_EQ(message_of("[choices]\nkernel = [3, 5, 3]\n"),
            "s.toml:17:10: choices.kernel: an option repeats (got '3' twice, expected different options)");
  EXPECT_THAT(message_of("[choices]\nse = [0, 0.0]\n"), HasSubstr("got '0' twice"));
  EXPECT_THAT(message_of("[choices]\nse = [0, -0.0]\n"), HasSubstr("got '0' twice"));
  EXPECT_THAT(message_of("[choices]\nlayers = [1, +1]\n"), HasSubstr("got '+1' twice"));
  EXPECT_THAT(message_of("[choices]\nskip = [true, true]\n"), HasSubstr("got 'true' twice"));
  EXPECT_EQ(message_of("[choices]\nkernel = [3, 4]\n"),
            "s.toml:17:10: choices.kernel: even kernel (got 4, expected an odd one, which does not change the size of "
            "a feature map)");
  EXPECT_EQ(message_of("[choices]\nkernel = [3, 17]\n"),
            "s.toml:17:14: choices.kernel: wrong value (got 17, expected a list of whole numbers from 1 to 15)");
  EXPECT_THAT(message_of("[choices]\nkernel = 3\n"), HasSubstr("choices.kernel: wrong value (got 3"));
  EXPECT_THAT(message_of("[choices]\nkernel = [3.0, 5.0]\n"), HasSubstr("choices.kernel: wrong value"));
  EXPECT_THAT(message_of("[choices]\nblock = [3, 5]\n"), HasSubstr("choices.block: wrong value (got 3"));
  EXPECT_THAT(message_of("[choices]\nskip = [1, 0]\n"), HasSubstr("choices.skip: wrong value (got 1"));
  EXPECT_THAT(message_of("[choices]\nse = ['0.25', 0]\n"), HasSubstr("choices.se: wrong value"));
  EXPECT_THAT(message_of("[choices]\nse = [0, 1.5]\n"), HasSubstr("choices.se: wrong value (got 1.5"));
  EXPECT_THAT(message_of("[choices]\nse = [0, nan]\n"), HasSubstr("choices.se: wrong value (got nan"));
  EXPECT_THAT(message_of("[choices]\nexpand = [0, 1]\n"), HasSubstr("choices.expand: wrong value (got 0"));
  EXPECT_THAT(message_of("[choices]\nwidth = [0, 1]\n"), HasSubstr("choices.width: wrong value (got 0"));
  EXPECT_THAT(message_of("[choices]\nchannels = [0, 1]\n"), HasSubstr("choices.channels: wrong value (got 0"));
  EXPECT_THAT(message_of("[choices]\nchannels = [8, 65537]\n"), HasSubstr("choices.channels: wrong value (got 65537"));
  EXPECT_EQ(message_of("[choices]\nblock = ['mbconv', 'bottleneck']\n"),
            "s.toml:17:9: choices.block: no exchangeable block (got 'bottleneck', expected mbconv, "
            "depthwise_separable or basic)");
  std::string many = "[choices]\nchannels = [1";
  for (std::size_t i = 1; i <= kMostOptions; ++i) many += fmt::format(", {}", i + 1);
  EXPECT_THAT(message_of(many + "]\n"), HasSubstr("choices.channels: too many options (got 65, expected at most 64)"));
}

// The options of [choices] are in the ranges of their own, but not each network would be.
TEST(SpaceText, EveryNetworkIsInTheRangesOfAnArchFile) {
  EXPECT_EQ(message_of("[choices]\nlayers = [0, 1000]\n"),
            "s.toml:17:10: choices.layers: option +1000 in stage 1: repeats: out of range (got 1001, expected 1 to "
            "1000)");
  EXPECT_EQ(message_of("[choices]\nlayers = [-1000, 999]\n"), "no error");
  const std::string wide =
      "name = 's'\n[base]\nname = 'b'\n[[base.stages]]\nchannels = 8\n[[base.stages]]\nchannels = 60000\n";
  EXPECT_EQ(message(wide + "[choices]\nwidth = [1, 1.25]\n"),
            "s.toml:9:9: choices.width: option 1.25 in stage 2: scaled channels: out of range (got 75000, expected at "
            "most 65536)");
  EXPECT_THAT(message(wide + "[[stages]]\nstage = 2\nwidth = [1, 1.25]\n"),
              StartsWith("s.toml:10:9: stages[0].width: option 1.25 in stage 2"));
  EXPECT_EQ(message(wide + "[[stages]]\nstage = 1\nwidth = [1, 1.25]\n"), "no error");
}

TEST(SpaceText, AStageHasOneListForItsChannels) {
  EXPECT_EQ(message_of("[choices]\nwidth = [1, 2]\n[[stages]]\nstage = 2\nchannels = [8, 16]\n"),
            "s.toml:20:12: stages[0].channels: stage 2 has two lists for one number (got width and channels, expected "
            "one of them)");
  EXPECT_EQ(message_of("[choices]\nwidth = [1, 2]\n[[stages]]\nstage = 2\nwidth = []\nchannels = [8, 16]\n"),
            "no error");
  EXPECT_THAT(message_of("[choices]\nwidth = [1]\nchannels = [8]\nkernel = [3, 5]\n"), HasSubstr("two lists"));
}

TEST(SpaceText, ErrorsOfStages) {
  EXPECT_THAT(message_of("[[stages]]\nstage = 3\nkernel = [3, 5]\n"),
              AllOf(StartsWith("s.toml:17:9: stages[0].stage: wrong value (got 3"), HasSubstr("from 1 to 2")));
  EXPECT_THAT(message_of("[[stages]]\nstage = 0\nkernel = [3, 5]\n"), HasSubstr("got 0"));
  EXPECT_THAT(message_of("[[stages]]\nkernel = [3, 5]\n"), HasSubstr("stages[0].stage is missing"));
  EXPECT_EQ(message_of("[[stages]]\nstage = 2\nkernel = [3, 5]\n[[stages]]\nstage = 2\n"),
            "s.toml:20:9: stages[1].stage: given twice (got 2 again, expected different stages)");
  EXPECT_THAT(message_of("[[stages]]\nstage = 2\nkernels = [3, 5]\n"),
              HasSubstr("stages[0]: unknown key (got 'kernels', expected kernel)"));
}

TEST(SpaceText, ASpaceHasAtLeastOneChoice) {
  for (const char* lines : {"", "[choices]\n", "[choices]\nkernel = [5]\n", "[choices]\nkernel = []\n",
                            "[choices]\nkernel = [3, 5]\n[[stages]]\nstage = 1\nkernel = []\n[[stages]]\nstage = 2\n"
                            "kernel = [3]\n"})
    EXPECT_THAT(message_of(lines), StartsWith("s.toml: the space has one point only")) << lines;
}

TEST(SpaceText, ErrorsOfTheBase) {
  const std::string choices = "[choices]\nkernel = [3, 5]\n";
  const auto base = [&](const std::string& lines) { return message("name = 's'\n" + lines + "\n" + choices); };
  EXPECT_THAT(base("base = 'amoebanet_b'"),
              StartsWith("s.toml:2:8: base: stage 1 of 'amoebanet_b': no exchangeable block (got 'amoebanet_b_"));
  EXPECT_THAT(base("base = 'resnet50'"), HasSubstr("no exchangeable block (got 'bottleneck'"));
  EXPECT_THAT(base("base = 'efficientnet_bo'"), StartsWith("s.toml:2:8: base: unknown network (got 'efficientnet_bo'"));
  EXPECT_THAT(base("base = 3"), HasSubstr("base: wrong value (got 3, expected a text)"));
  EXPECT_THAT(base(""), HasSubstr("base is missing"));
  EXPECT_THAT(base("base_arch = 'name = 3'"), StartsWith("s.toml: base_arch:1:8: name: wrong value"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\nbase_arch = ''"), HasSubstr("s.toml:3:13: base_arch: given twice"));
  EXPECT_THAT(base("[base]\nname = 'b'\npadding = 'valid'\n[[base.stages]]\nchannels = 8"),
              HasSubstr("base: padding of 'b': out of range (got valid, expected same or symmetric)"));
  EXPECT_THAT(base("[base]\nname = 'b'\n[[base.stages]]\nchannels = 8\nkernel = 2"),
              HasSubstr("base: stage 1 of 'b': even kernel (got 2"));
  EXPECT_THAT(base("[base]\nname = 'b'\nresolutoin = 3\n[[base.stages]]\nchannels = 8"),
              HasSubstr("base: unknown key (got 'resolutoin', expected resolution)"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\nstrides = [1, 2]"),
              HasSubstr("strides: wrong number of values (got 2, expected 7: one per stage)"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\nstrides = []"), HasSubstr("strides: wrong number of values (got 0"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\nresolution = 0"), HasSubstr("resolution: wrong value (got 0"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\n[stem]\nkernel = 5"), HasSubstr("stem: unknown key (got 'kernel'"));
  EXPECT_THAT(base("base = 'mobilenet_v2'\nsteps = 5"), HasSubstr("top level: unknown key (got 'steps'"));
  EXPECT_THAT(message("base = 'mobilenet_v2'\n" + choices), HasSubstr("name is missing"));
  EXPECT_THAT(message("name = ''\nbase = 'mobilenet_v2'\n" + choices), EndsWith("the name is empty (expected a word)"));
  EXPECT_THAT(message("name = "), HasSubstr("not valid TOML"));
}

TEST(SpaceText, TheHintForAnUnknownBaseIsTheNearestName) {
  try {
    parse_space("name = 's'\nbase = 'efficientnet_bo'\n", "s.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "did you mean efficientnet_b0?");
  }
}

}  // namespace
}  // namespace effnet::search

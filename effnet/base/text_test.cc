#include "effnet/base/text.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet {
namespace {

TEST(Text, InQuotesIsSafeToPrint) {
  EXPECT_EQ(in_quotes("a b"), "'a b'");
  EXPECT_EQ(in_quotes("a\nb\x1b[31m"), "'a\\x0ab\\x1b[31m'");
  EXPECT_EQ(in_quotes("\xff\xc3"), "'\\xff\\xc3'");
  EXPECT_EQ(in_quotes("caf\xc3\xa9"), "'caf\xc3\xa9'");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(Text, NearestIsEmptyWithoutASimilarWord) {
  const std::vector<std::string> words{"kernel", "stride", "channels"};
  EXPECT_EQ(nearest("kernle", words), "kernel");
  EXPECT_EQ(nearest("stide", words), "stride");
  EXPECT_EQ(nearest("zebra", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest("shwo", {"run", "show"}), "show") << "an exchange of two letters is one error";
  EXPECT_EQ(nearest("rnu", {"run", "show"}), "run");
  EXPECT_EQ(nearest("r", {"rl", "random"}), "rl");
  EXPECT_EQ(nearest("x", {"a", "b"}), std::nullopt) << "no letter in common";
  EXPECT_EQ(nearest("hsow", {"show"}), "show");
  EXPECT_EQ(nearest("owhs", {"show"}), std::nullopt);
}

TEST(Text, ListsAndNumbersAreReadable) {
  EXPECT_EQ(one_of({"a"}), "a");
  EXPECT_EQ(one_of({"a", "b", "c"}), "a, b or c");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(count_of(1, "image"), "1 image");
  EXPECT_EQ(count_of(0, "image"), "0 images");
  EXPECT_EQ(count_of(1020, "image"), "1,020 images");
  EXPECT_EQ(count_of(1, "class"), "1 class");
  EXPECT_EQ(count_of(2, "more class"), "2 more classes");
  EXPECT_EQ(abbreviated(5288548), "5.29M");
  EXPECT_EQ(abbreviated(385814752), "386M");
  EXPECT_EQ(abbreviated(37745884192), "37.7G");
  EXPECT_EQ(abbreviated(12), "12");
}

TEST(Text, NumbersHaveSingularAndPlural) {
  EXPECT_EQ(number_of(1, "epoch"), "1 epoch");
  EXPECT_EQ(number_of(0.5, "epoch"), "0.5 epochs");
  EXPECT_EQ(number_of(2, "epoch"), "2 epochs");
  EXPECT_EQ(number_of(1.23456, "epoch"), "1.235 epochs");
}

TEST(Text, StoredTextsAreUtf8) {
  check_utf8("--data", "caf\xc3\xa9", "the study");
  try {
    check_utf8("--data", "caf\xe9", "the study");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_STREQ(error.what(), "--data: not UTF-8 (got 'caf\\xe9', expected UTF-8, because the study keeps it)");
  }
}

TEST(Text, LowerCaseKeepsOtherBytes) {
  EXPECT_EQ(lower_case("Train 1.CSV"), "train 1.csv");
  EXPECT_EQ(lower_case("\xc3\x84Z"), "\xc3\x84z") << "only ASCII letters";
}

TEST(Text, SquareSizesHaveOneNumber) {
  EXPECT_EQ(to_string(Size{300, 200}), "300x200");
  EXPECT_EQ(to_string(Size{224, 224}), "224");
}

TEST(OneLine, HasNoControlCharacters) {
  EXPECT_EQ(one_line("caf\xc3\xa9: cannot read"), "caf\xc3\xa9: cannot read");
  EXPECT_EQ(one_line("a\nb\x1b[31m\x7f\xe9"), "a b\\x1b[31m\\x7f\\xe9");
  EXPECT_EQ(printable("a\nb\tc\x1b[31m\r\x7f caf\xc3\xa9 \xe9"), "a\nb\tc\\x1b[31m\\x0d\\x7f caf\xc3\xa9 \xe9");
}

TEST(Text, Times) {
  EXPECT_EQ(time_text(0), "0:00");
  EXPECT_EQ(time_text(59.9), "0:59");
  EXPECT_EQ(time_text(123), "2:03");
  EXPECT_EQ(time_text(3599), "59:59");
  EXPECT_EQ(time_text(3723), "1:02:03");
  EXPECT_EQ(time_text(100 * 3600), "100:00:00");
}

TEST(Text, InFileName) {
  EXPECT_EQ(in_file_name("my_net-d1.2"), "my_net-d1.2");
  EXPECT_EQ(in_file_name("my net"), "my_net");
  EXPECT_EQ(in_file_name("a/../b"), "a_.._b") << "no folder";
  EXPECT_EQ(in_file_name("ü"), "__") << "two bytes in UTF-8";
}

TEST(Text, PathInShell) {
  EXPECT_EQ(path_in_shell("-b.toml"), "./-b.toml");
  EXPECT_EQ(path_in_shell("--my run"), "'./--my run'");
  EXPECT_EQ(path_in_shell("run/-b.toml"), "run/-b.toml");
  EXPECT_EQ(path_in_shell(""), "''");
}

TEST(Text, InShell) {
  EXPECT_EQ(in_shell("run-2/a_b.jpg"), "run-2/a_b.jpg");
  EXPECT_EQ(in_shell(""), "''");
  EXPECT_EQ(in_shell("my photos"), "'my photos'");
  EXPECT_EQ(in_shell("it's $x"), "'it'\\''s $x'");
}

}  // namespace
}  // namespace effnet

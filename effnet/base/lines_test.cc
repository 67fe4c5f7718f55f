#include "effnet/base/lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/text.h"

namespace effnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Lines, ByteOrderMarkLineEndsAndTrailingBlanksAreRemoved) {
  for (const char* text : {"\xef\xbb\xbf"
                           "a b\r\n\r\n c\t \r\n",
                           "a b\n\n c", "a b \r\r c\r"}) {
    EXPECT_THAT(text_lines(text, "t"), ElementsAre("a b", "", " c")) << text;
  }
  EXPECT_TRUE(text_lines("", "t").empty());
  EXPECT_EQ(trimmed("\t a b \r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
}

std::string error(std::string_view text) {
  try {
    text_lines(text, "list.txt");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::input);
    return std::string(e.what()) + " | " + e.hint();
  }
  return "no error";
}

TEST(Lines, InvalidUtf8Utf16AndNulAreErrors) {
  EXPECT_THAT(error("a\ncaf\xe9\n"),
              HasSubstr("list.txt:2: the line is not valid text (got 'caf\\xe9', expected UTF-8)"));
  EXPECT_THAT(error(std::string_view("\xff\xfe"
                                     "a\0",
                                     4)),
              HasSubstr("list.txt: the text is UTF-16"));
  EXPECT_THAT(error(std::string_view("a\0b", 3)), HasSubstr("list.txt:1"));
}

TEST(Lines, Utf8AcceptsOnlyTheShortestForm) {
  for (const char* good : {"", "a", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x88", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\xe9", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"})
    EXPECT_FALSE(is_utf8(bad)) << in_quotes(bad);
}

std::vector<std::vector<std::string>> rows(std::string_view text, CsvRows::From from) {
  std::vector<std::vector<std::string>> all;
  CsvRows rows(text, "t.csv", from);
  while (rows.next()) all.push_back(rows.fields());
  return all;
}

TEST(Csv, FromPeopleIsLenient) {
  const auto people = CsvRows::From::people;
  EXPECT_THAT(rows("\xef\xbb\xbf"
                   "\"a,b\" , \"c\"\"d\"\r\n e f ,5\" disk\n",
                   people),
              ElementsAre(ElementsAre("a,b", "c\"d"), ElementsAre("e f", "5\" disk")));
  EXPECT_THAT(rows("a;b\nc,d;e\n", people), ElementsAre(ElementsAre("a", "b"), ElementsAre("c,d", "e")));
  EXPECT_THAT(rows("a\tb;c\n", people), ElementsAre(ElementsAre("a", "b;c")));
  EXPECT_THAT(rows("\"two\nlines\",x", people), ElementsAre(ElementsAre("two\nlines", "x")));
  EXPECT_THROW(rows("a,\"b", people), Error);
  EXPECT_THROW(rows("\"a\"b,c\n", people), Error);
}

TEST(Csv, FromEffnetIsExact) {
  const auto own = CsvRows::From::effnet;
  EXPECT_THAT(rows(" a ;b,c\n", own), ElementsAre(ElementsAre(" a ;b", "c")));
  EXPECT_THROW(rows("5\" disk,c\n", own), Error);
  for (const std::string text : {"a,b", "5\" disk", "two\nlines", " blank "})
    EXPECT_THAT(rows(csv_field(text) + "\n", own), ElementsAre(ElementsAre(text)));
}

TEST(Csv, AFieldOfEffnetIsReadInAListOfPeopleToo) {
  for (const std::string text : {"a,b", "\"quoted\"", " cat", "cat ", "\tcat", "two\nlines", "plain"})
    EXPECT_THAT(rows(csv_field(text) + ",x\n", CsvRows::From::people), ElementsAre(ElementsAre(text, "x"))) << text;
}

}  // namespace
}  // namespace effnet

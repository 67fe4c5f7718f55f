#include "effnet/base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace effnet {
namespace {

std::string nested(int levels, const std::string& open, const std::string& close) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += "1";
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

TEST(ParseJson, ReadsAsManyLevelsAsAllowed) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2], "b": null})").dump(), R"({"a":[1,2],"b":null})");
  for (const auto& [open, close] : {std::pair{"[", "]"}, std::pair{"{\"a\":", "}"}}) {
    const std::string deepest = nested(kDeepestJson, open, close);
    EXPECT_EQ(parse_json(deepest).dump(), deepest);
    EXPECT_TRUE(parse_json(nested(kDeepestJson + 1, open, close)).is_discarded());
  }
}

TEST(ParseJson, TextsThatAreNoJsonAreDiscarded) {
  for (const char* text : {"", "{", "[1,", "nan", "{\"a\" 1}", "1 2"})
    EXPECT_TRUE(parse_json(text).is_discarded()) << text;
  // A million levels: neither reading nor the destructor may recurse.
  EXPECT_TRUE(parse_json(std::string(1'000'000, '[')).is_discarded());
  EXPECT_TRUE(parse_json(nested(1'000'000, "[", "]")).is_discarded());
  EXPECT_TRUE(parse_json(nested(300'000, "{\"a\":", "}")).is_discarded());
}

}  // namespace
}  // namespace effnet

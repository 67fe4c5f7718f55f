#include "effnet/base/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TomlLists, HaveTheirValues) {
  const TomlTable table = TomlTable::parse(
      "texts = ['a', \"b\", '']\nbooleans = [true, false]\nintegers = [1, -2, +3]\nnumbers = [1, 0.5, 1e-3]\nnone = "
      "[]\n",
      "t.toml");
  EXPECT_THAT(table.texts("texts"), ElementsAre("a", "b", ""));
  EXPECT_THAT(table.booleans("booleans"), ElementsAre(true, false));
  EXPECT_THAT(table.integers("integers", -2, 3), ElementsAre(1, -2, 3));
  EXPECT_THAT(table.numbers("numbers", 0, 1), ElementsAre(1, 0.5, 1e-3));
  EXPECT_THAT(table.numbers("none", 0, 1), IsEmpty());
  EXPECT_THAT(table.texts("absent"), IsEmpty());
  EXPECT_THAT(table.booleans("absent"), IsEmpty());
  EXPECT_NO_THROW(table.finish()) << "reading a list makes its key known";
}

template <class Read>
std::string message(const char* text, Read read) {
  try {
    read(TomlTable::parse(text, "t.toml"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(TomlLists, ErrorsHaveThePlaceOfTheElement) {
  const auto texts = [](const TomlTable& table) { table.texts("x"); };
  const auto booleans = [](const TomlTable& table) { table.booleans("x"); };
  const auto integers = [](const TomlTable& table) { table.integers("x", 0, 9); };
  const auto numbers = [](const TomlTable& table) { table.numbers("x", 0, 1); };
  EXPECT_EQ(message("x = ['a', 1]", texts), "t.toml:1:11: x: wrong value (got 1, expected a list of texts)");
  EXPECT_EQ(message("x = 'a'", texts), "t.toml:1:5: x: wrong value (got 'a', expected a list of texts)");
  EXPECT_EQ(message("x = [true, 1]", booleans),
            "t.toml:1:12: x: wrong value (got 1, expected a list of true or false)");
  EXPECT_EQ(message("x = [1, 10]", integers),
            "t.toml:1:9: x: wrong value (got 10, expected a list of whole numbers from 0 to 9)");
  EXPECT_EQ(message("x = [1, 2.0]", integers),
            "t.toml:1:9: x: wrong value (got 2.0, expected a list of whole numbers from 0 to 9)");
  EXPECT_EQ(message("x = [nan]", numbers),
            "t.toml:1:6: x: wrong value (got nan, expected a list of numbers from 0 to 1)");
  EXPECT_EQ(message("x = [0.5, 2]", numbers),
            "t.toml:1:11: x: wrong value (got 2, expected a list of numbers from 0 to 1)");
  EXPECT_EQ(message("x = [true]", numbers),
            "t.toml:1:6: x: wrong value (got true, expected a list of numbers from 0 to 1)");
}

TEST(Toml, IsTableTellsTablesFromOtherValues) {
  const TomlTable table = TomlTable::parse("text = 'a'\n[table]\n[[list]]\n", "t.toml");
  EXPECT_TRUE(table.is_table("table"));
  EXPECT_FALSE(table.is_table("text"));
  EXPECT_FALSE(table.is_table("list"));
  EXPECT_FALSE(table.is_table("absent"));
}

}  // namespace
}  // namespace effnet

#include "effnet/base/names.h"

#include <gtest/gtest.h>

namespace effnet {
namespace {

struct Row {
  std::string_view name;
  int value;
};
constexpr std::array<Row, 3> kRows{{{"circle", 1}, {"square", 4}, {"triangle", 3}}};

Error error_of(std::string_view name, ErrorCode code) {
  try {
    row_named(kRows, name, code, "--shape: unknown shape");
  } catch (const Error& error) {
    return error;
  }
  return internal_error("no error");
}

TEST(Names, RowByName) {
  EXPECT_EQ(row_named(kRows, "square", ErrorCode::usage, "unknown shape").value, 4);
  EXPECT_EQ(&row_named(kRows, "triangle", ErrorCode::usage, "unknown shape"), &kRows[2]) << "a reference to the row";
  EXPECT_EQ(names_of(kRows), (std::vector<std::string>{"circle", "square", "triangle"}));
}

TEST(Names, AnUnknownNameIsAnErrorWithAllNamesAndTheNearest) {
  const Error near = error_of("sqare", ErrorCode::usage);
  EXPECT_EQ(near.code(), ErrorCode::usage);
  EXPECT_STREQ(near.what(), "--shape: unknown shape (got 'sqare', expected circle, square or triangle)");
  EXPECT_EQ(near.hint(), "did you mean square?");
  const Error far = error_of("hexagon", ErrorCode::input);
  EXPECT_EQ(far.code(), ErrorCode::input);
  EXPECT_EQ(far.hint(), "");
  EXPECT_EQ(error_of("", ErrorCode::input).hint(), "");
}

TEST(Names, TheHintWithoutANearName) {
  EXPECT_EQ(nearest_hint("circel", {"circle"}, "read the list"), "did you mean circle?");
  EXPECT_EQ(nearest_hint("hexagon", {"circle"}, "read the list"), "read the list");
}

TEST(Names, Enumerations) {
  constexpr NameTable<int, 2> kTable{{{1, "one"}, {2, "two"}}};
  EXPECT_EQ(named_in(kTable, "two", "number"), 2);
  try {
    named_in(kTable, "twoo", "number");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown number (got 'twoo', expected one or two)");
    EXPECT_EQ(error.hint(), "did you mean two?");
  }
}

}  // namespace
}  // namespace effnet

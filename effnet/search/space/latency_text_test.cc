#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/search/space/latency_table.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

LatencyTable small_table() {
  return {.machine = "a CPU, avx2, 2 threads",
          .networks = 400,
          .error = 0.1,
          .worst_error = 1.0 / 3,
          .checked = 40,
          .parts_ms = {{"head", 1e-17}, {"stage 1 \"quoted\"", 0.1}, {"stem", 0}}};
}

TEST(LatencyText, ReadsBackExactly) {
  const LatencyTable table = small_table();
  EXPECT_EQ(parse_latency_table(to_text(table), "t"), table);
}

// The name of a CPU can contain any bytes; JSON texts are UTF-8.
TEST(LatencyText, BytesThatAreNotUtf8AreReplaced) {
  LatencyTable table = small_table();
  table.machine = "CPU \xff";
  EXPECT_EQ(parse_latency_table(to_text(table), "t").machine, "CPU \xEF\xBF\xBD");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    parse_latency_table(text, "table.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), testing::StartsWith("table.json: "));
    return error.what();
  }
  return "no error";
}

TEST(LatencyText, WrongTextsAreErrors) {
  const std::string text = to_text(small_table());
  EXPECT_EQ(error_of(text), "no error");
  for (const std::string& corrupt :
       {std::string(), std::string("[]"), std::string("12"), text.substr(0, 50), replaced(text, "0.1", "1e999"),
        replaced(text, "CPU", "\xff"),
        replaced(text, "{", "{\"deep\": " + std::string(100'000, '[') + std::string(100'000, ']') + ",")})
    EXPECT_THAT(error_of(corrupt), HasSubstr("corrupt (expected a JSON object")) << corrupt;
  EXPECT_EQ(error_of("{}"),
            "table.json: version: wrong value (got nothing, expected a whole number from 0 to "
            "9007199254740992)");
  EXPECT_EQ(error_of(replaced(text, "\"version\": 1", "\"version\": 2")),
            "table.json: version: wrong value (got '2', expected 1)");
  EXPECT_THAT(error_of(replaced(text, "\"a CPU, avx2, 2 threads\"", "7")), HasSubstr("machine: wrong value (got '7'"));
  EXPECT_THAT(error_of(replaced(text, "400", "-1")), HasSubstr("networks: wrong value (got '-1'"));
  EXPECT_THAT(error_of(replaced(text, "400", "0.5")), HasSubstr("networks: wrong value"));
  EXPECT_THAT(error_of(replaced(text, "checked", "check")), HasSubstr("checked: wrong value (got nothing"));
  EXPECT_THAT(error_of(replaced(text, "1e-17", "-1")), HasSubstr("parts_ms: 'head': wrong value (got '-1'"));
  EXPECT_THAT(error_of(replaced(text, "1e-17", "\"fast\"")), HasSubstr("parts_ms: 'head': wrong value"));
  EXPECT_THAT(error_of(replaced(text, "1e-17", "null")), HasSubstr("parts_ms: 'head': wrong value (got nothing"));
  LatencyTable empty = small_table();
  empty.parts_ms.clear();
  EXPECT_THAT(error_of(to_text(empty)), HasSubstr("parts_ms: wrong value"));
}

}  // namespace
}  // namespace effnet::search

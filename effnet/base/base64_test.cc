#include "effnet/base/base64.h"

#include <gtest/gtest.h>

namespace effnet {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(Base64, TheExamplesOfTheStandard) {  // RFC 4648, section 10; the last one has the characters + and /
  const std::vector<std::pair<std::string_view, std::string_view>> examples{{"", ""},
                                                                            {"f", "Zg=="},
                                                                            {"fo", "Zm8="},
                                                                            {"foo", "Zm9v"},
                                                                            {"foob", "Zm9vYg=="},
                                                                            {"fooba", "Zm9vYmE="},
                                                                            {"foobar", "Zm9vYmFy"},
                                                                            {"\xff\xfe\xfb", "//77"}};
  for (const auto& [plain, text] : examples) {
    EXPECT_EQ(to_base64(bytes_of(plain)), text);
    EXPECT_EQ(from_base64(text), bytes_of(plain)) << text;
  }
}

TEST(Base64, EveryByteReadsBack) {
  std::vector<std::byte> bytes;
  bytes.reserve(256);
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<std::byte>(i));
  for (; !bytes.empty(); bytes.pop_back()) EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
}

TEST(Base64, OtherTextsAreRefused) {  // "Zh==" and "Zm9=" have unused bits that are not 0
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "=m9v", "Zm=v", "Zg==Zg==", "Zm 9",
                                      "Zm9\n", "Zm9-", "\xff===", "Zh==", "Zm9="})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace effnet

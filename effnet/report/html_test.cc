#include "effnet/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnet::report {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kReplaced = "\xEF\xBF\xBD";

TEST(Escaped, ReplacesMarkupByReferences) {
  EXPECT_EQ(escaped("<script>alert('x & \"y\"')</script>"),
            "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;");
  EXPECT_EQ(escaped("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x88"), "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x88");
  EXPECT_EQ(escaped(""), "");
}

TEST(Escaped, ReplacesInvalidAndInvisibleCharacters) {
  EXPECT_EQ(escaped("a\nb\tc"), "a b c");
  EXPECT_EQ(escaped("a\r\nb"), "a  b");
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a" + kReplaced + "b");
  EXPECT_EQ(escaped("\x1b[31m"), kReplaced + "[31m");
  EXPECT_EQ(escaped("\xff\xc3"), kReplaced + kReplaced);
  EXPECT_EQ(escaped("\xC0\xBC"), kReplaced + kReplaced);                                  // '<' in an overlong form
  EXPECT_EQ(escaped("\xED\xA0\x80"), kReplaced + kReplaced + kReplaced);                  // a surrogate
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), kReplaced + kReplaced + kReplaced + kReplaced);  // beyond U+10FFFF
  EXPECT_EQ(escaped("\xC2\x85"), kReplaced);                         // a control character of two bytes
  EXPECT_EQ(escaped("\xE2\x80\xAEgpj.exe"), kReplaced + "gpj.exe");  // right-to-left override
  EXPECT_EQ(escaped("\xEF\xBF\xBF"), kReplaced);                     // not allowed in XML
}

TEST(Shortened, CountsCharactersNotBytes) {
  EXPECT_EQ(shortened("abcd", 4), "abcd");
  EXPECT_EQ(shortened("abcde", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(shortened("\xC3\xA9\xC3\xA9\xC3\xA9", 3), "\xC3\xA9\xC3\xA9\xC3\xA9");
  EXPECT_EQ(shortened("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xE2\x80\xA6");
}

TEST(DataUri, Base64MatchesTheRfc) {  // RFC 4648, section 10
  const auto base64 = [](std::string_view text) {
    const std::string uri = data_uri("image/jpeg", std::as_bytes(std::span(text)));
    EXPECT_TRUE(uri.starts_with("data:image/jpeg;base64,"));
    return uri.substr(uri.find(',') + 1);
  };
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfb"), "//77");
}

TEST(Page, HasItsPartsAndNoExternalResources) {
  const std::string text = page("a <b>", "<h1>x</h1>", {{"one", "One & only", "<p>body</p>"}});
  EXPECT_THAT(text, HasSubstr("<title>a &lt;b&gt;</title>"));
  EXPECT_THAT(text, HasSubstr("<a href=\"#one\">One &amp; only</a>"));
  EXPECT_THAT(text, HasSubstr("<section id=\"one\">\n<h2>One &amp; only</h2>\n<p>body</p>"));
  EXPECT_THAT(text, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(text, HasSubstr("@media print"));
  EXPECT_THAT(text, HasSubstr("default-src 'none'"));
  for (const char* outside : {"http:", "https:", "<script", "@import", "url("})
    EXPECT_THAT(text, Not(HasSubstr(outside)));
}

}  // namespace
}  // namespace effnet::report

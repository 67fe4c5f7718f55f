#include "effnet/report/run_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::report {
namespace {

using testing::HasSubstr;

TEST(LabelErrors, RoundTripAndErrors) {
  const std::vector<LabelError> all{{"rose/a, \"b\".jpg", "rose", "tulip, red", 0.01F, 0.97F}, {"\xff", "", "x", 0, 1}};
  const std::string text = label_errors_text(all);
  EXPECT_THAT(text, HasSubstr("name,label,suggested,p_label,p_suggested\n"));
  const auto back = parse_label_errors(text, "x");
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].name, all[0].name);
  EXPECT_EQ(back[0].suggested, "tulip, red");
  EXPECT_EQ(back[0].p_suggested, 0.97F);
  EXPECT_EQ(label_errors_text(back), text);
  EXPECT_TRUE(parse_label_errors("name,label,suggested,p_label,p_suggested\n", "x").empty());
  for (const char* bad : {"", "name\n", "name,label,suggested,p_label,p_suggested\na,b,c,2,1\n",
                          "name,label,suggested,p_label,p_suggested\na,b,c\n"})
    EXPECT_THROW(parse_label_errors(bad, "x"), Error) << bad;
}

TEST(NearDuplicates, RoundTripAndErrors) {
  const std::string text = near_duplicates_text({{1, "a,b", "rose"}, {1, "c", "tulip"}, {7, "d", "rose"}});
  EXPECT_EQ(text, "group,name,class\n1,\"a,b\",rose\n1,c,tulip\n7,d,rose\n");
  const auto back = parse_near_duplicates(text, "x");
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back[2].group, 7);
  EXPECT_EQ(back[0].name, "a,b");
  for (const char* bad : {"group,name\n1,a\n", "group,name,class\n-1,a,b\n", "group,name,class\nx,a,b\n"})
    EXPECT_THROW(parse_near_duplicates(bad, "x"), Error) << bad;
}

}  // namespace
}  // namespace effnet::report

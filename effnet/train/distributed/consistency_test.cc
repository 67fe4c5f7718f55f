#include "effnet/train/distributed/consistency.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

TEST(Consistency, TextGivesTheSameValuesBack) {
  const KeyValues values{{"a", "1"}, {"b c", ""}, {"path", "caf\xe9\n = x"}};
  const KeyValues back = key_values_from(to_text(values));
  ASSERT_EQ(back.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back[i].key, values[i].key);
    EXPECT_EQ(back[i].value, values[i].value);
  }
  EXPECT_TRUE(key_values_from("").empty());
  EXPECT_THROW(key_values_from("no end"), Error);
}

TEST(Consistency, ListsDifferences) {
  const KeyValues one{{"lr", "0.1"}, {"seed", "3"}};
  EXPECT_EQ(difference(one, one), std::nullopt);
  EXPECT_EQ(difference({{"lr", "0.2"}, {"seed", "3"}}, one), "lr is 0.2, on rank 0 it is 0.1");
  EXPECT_EQ(difference({{"lr", "0.1"}}, one), "seed is missing, on rank 0 it is 3");
  EXPECT_EQ(difference({{"lr", "0.1"}, {"seed", "3"}, {"class 2", "'d'"}}, one),
            "class 2 is 'd', on rank 0 it is missing");
  KeyValues many, others;
  for (int i = 0; i < 5; ++i) {
    many.push_back({std::to_string(i), "x"});
    others.push_back({std::to_string(i), "y"});
  }
  EXPECT_EQ(difference(many, others),
            "0 is x, on rank 0 it is y; 1 is x, on rank 0 it is y; 2 is x, on rank 0 it is y; and 2 more");
  EXPECT_LT(difference({{"a", std::string(1000, 'x')}}, {{"a", "y"}})->size(), 150U);
}

}  // namespace
}  // namespace effnet::train

#include "effnet/formats/labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace effnet::formats {
namespace {

TEST(Labels, AreThe1000ImageNetClassesInOrder) {
  const LabelSet& set = imagenet1k();
  ASSERT_EQ(set.labels.size(), 1000U);
  ASSERT_EQ(set.class_ids.size(), 1000U);
  EXPECT_EQ(set.labels[0], "tench");
  EXPECT_EQ(set.labels[2], "great white shark");
  EXPECT_EQ(set.class_ids[0], "n01440764");
  EXPECT_EQ(set.labels[388], "giant panda");
  EXPECT_EQ(set.class_ids[388], "n02510455");
  EXPECT_EQ(std::set<std::string>(set.class_ids.begin(), set.class_ids.end()).size(), 1000U);
  EXPECT_TRUE(std::is_sorted(set.class_ids.begin(), set.class_ids.end()));  // ImageNet sorts its classes by id
}

}  // namespace
}  // namespace effnet::formats

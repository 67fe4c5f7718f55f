#include "effnet/report/table.h"

#include <gtest/gtest.h>

namespace effnet::report {
namespace {

TEST(Table, AlignsByCharactersNotBytes) {
  Table table({{"name", Align::left}, {"n"}});
  table.row({"caf\xc3\xa9", "7"});
  table.row({"tea", "1,000"});
  EXPECT_EQ(table.text(),
            "name      n\n"
            "----  -----\n"
            "caf\xc3\xa9      7\n"
            "tea   1,000\n");
}

}  // namespace
}  // namespace effnet::report

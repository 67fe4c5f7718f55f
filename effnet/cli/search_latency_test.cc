// effnet search latency: what it says about a table. tests/integration/test_search.py measures one.
#include "effnet/cli/search_latency.h"

#include <gmock/gmock.h>

#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SearchLatency, WarnsOfATableThatPredictsBadly) {
  search::LatencyTable table{
      .machine = "m", .networks = 20, .error = 0.1, .worst_error = 1.1, .checked = 10, .parts_ms = {{"stem", 0.5}}};
  EXPECT_THAT(latency_warnings(table), IsEmpty()) << "10 % is the limit";
  table.error = 0.52;
  EXPECT_THAT(latency_warnings(table),
              ElementsAre(AllOf(HasSubstr("52.0 % from the measured latency"), HasSubstr("--seconds"))));
  table.parts_ms["head"] = 0;
  EXPECT_THAT(latency_warnings(table), ElementsAre(HasSubstr("52.0 %"), HasSubstr("1 of 2 parts have 0 ms")));
  table.error = 0.01;
  EXPECT_THAT(latency_warnings(table), ElementsAre(HasSubstr("1 of 2 parts have 0 ms")));
}

TEST(SearchLatency, ProposesTheSpaceAsItWasTyped) {
  const SearchLatencyResult result{.space = "mine", .given = "my spaces/a.toml", .table = {}, .out = "t.json"};
  EXPECT_THAT(to_text(result), HasSubstr("--space 'my spaces/a.toml' --cost latency --latency-table t.json\n"));
  EXPECT_EQ(to_json(result)["space"], "mine");
}

}  // namespace
}  // namespace effnet::cli

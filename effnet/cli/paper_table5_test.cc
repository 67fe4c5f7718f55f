#include "effnet/cli/paper_table5.h"

#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

constexpr std::string_view kRow =
    "[[measured]]\ndataset = \"Flowers\"\nbackbone = \"efficientnet_lite0\"\naccuracy = 96.5\nmetric = \"top-1\"\n"
    "images = 6149\ndate = \"2026-01-31\"\npage = \"docs/x.md\"\n";

// docs/reference/paper.md has the counts without the classifier; the page gives their source.
TEST(Table5, HasThePapersRowsWithComputedParameters) {
  const Table5 table = paper_table5();
  ASSERT_EQ(table.rows.size(), 16U);
  const Json document = to_json(table);
  EXPECT_EQ(keys(document), (Keys{"table", "rows", "measured", "paper"}));
  EXPECT_EQ(document["table"], "table5");
  EXPECT_EQ(keys(document["rows"][0]), (Keys{"name", "dataset", "compared_with", "params", "macs", "paper", "source"}));
  EXPECT_EQ(document["rows"][0]["params"], 4007548);
  EXPECT_EQ(document["rows"][1]["params"], 63786960);
  EXPECT_EQ(document["rows"][0]["paper"].dump(),
            R"({"ours":{"name":"B0","accuracy":"98.1","params":"4M"},)"
            R"("other":{"name":"NASNet-A","accuracy":"98.0","params":"85M"},"ratio":"21x"})");
  EXPECT_EQ(document["rows"][0]["source"]["paper"], "quoted");
  EXPECT_TRUE(document["rows"][9]["paper"]["ratio"].is_null());
}

TEST(Table5, ShowsMeasuredRows) {
  Table5 table = paper_table5();
  table.measured = parse_measured_transfer(kRow, "t.toml");
  ASSERT_EQ(table.measured.size(), 1U);
  EXPECT_EQ(
      table.measured[0].note,
      "");  // Lite0 has 4,652,008 parameters, of which the classifier has 1281 x 1000 (docs/reference/lite_weights.md).
  EXPECT_EQ(to_json(table)["measured"][0].dump(),
            R"({"name":"efficientnet_lite0","dataset":"Flowers","params":3371008,"accuracy":96.5,"metric":"top-1",)"
            R"("images":6149,"date":"2026-01-31","page":"docs/x.md","note":"",)"
            R"("source":{"params":"computed","accuracy":"measured"}})");
  EXPECT_NE(to_markdown(table).find(
                "| Flowers | efficientnet_lite0 | 3,371,008 | 96.50 | top-1 | 6,149 | 2026-01-31 | docs/x.md |  |\n"),
            std::string::npos)
      << to_markdown(table);
  table.measured.clear();
  EXPECT_NE(to_text(table).find("effnet has no measured results yet.\n"), std::string::npos);
  table.on_stdout = true;
  EXPECT_EQ(to_text(table).rfind("# Table 5", 0), 0U);
}

TEST(Table5, RefusesWrongMeasuredRows) {
  const auto refused = [](std::string_view from, std::string_view to) {
    std::string text(kRow);
    text.replace(text.find(from), from.size(), to);
    return refusal([&] { parse_measured_transfer(text, "t.toml"); });
  };
  EXPECT_EQ(refusal([] { parse_measured_transfer("", "t.toml"); }), "");
  EXPECT_EQ(refused("2026-01-31", "31.1.2026").rfind("3 t.toml:7:", 0), 0U) << refused("2026-01-31", "31.1.2026");
  EXPECT_NE(refused("lite0", "lite9"), "");
  EXPECT_NE(refused("96.5", "196.5"), "");
  EXPECT_NE(refused("6149", "0"), "");
  EXPECT_NE(refused("page", "pages"), "");
  EXPECT_NE(refused("dataset = \"Flowers\"\n", ""), "");
}

// The build embeds this file.
TEST(Table5, TheFileOfMeasuredResultsIsValid) {
  const std::string path = std::string(EFFNET_SOURCE_DIR) + "/docs/results/transfer.toml";
  EXPECT_EQ(parse_measured_transfer(read_text(path), path).size(), paper_table5().measured.size());
}

}  // namespace
}  // namespace effnet::cli

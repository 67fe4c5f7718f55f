#include "effnet/paper/layout.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace effnet::paper {
namespace {

Item sample() {
  Table rows{.columns = {{"name", "network", Source::label, Align::left},
                         {"macs", "MACs", Source::computed},
                         {"latency_ms.min", "measured: ms", Source::measured},
                         {"share", "of peak", Source::measured, Align::right, 0, " %", 100},
                         {"paper.macs", "paper", Source::quoted},
                         {"hidden", "", Source::computed},
                         {"top1", "measured: top-1 %", Source::measured},
                         {"note", "note", Source::label, Align::left}},
             .rows = {}};
  rows.rows.push_back({std::string("a, b"), std::int64_t{1234567}, 1.25, 0.5, std::string("1.2B"), std::int64_t{1},
                       Value(), std::string("\"quoted\"")});
  rows.rows.push_back(
      {std::string("c"), std::int64_t{7}, Value(), Value(), Value(), std::int64_t{2}, Value(), Value()});
  Table more{.key = "pairs",
             .title = "Pairs",
             .columns = {{"ratio", "ratio", Source::computed, Align::right, 1, "x"}},
             .rows = {{2.25}}};
  Table none{.key = "measured", .title = "Measured", .columns = {{"a", "a"}}, .rows = {}, .if_empty = "Nothing yet."};
  return {.id = "table9",
          .title = "Table 9: a sample",
          .about = "About.",
          .tables = {rows, more, none},
          .drawings = {},
          .notes = {"A note."},
          .facts = {{"machine", "x"}}};
}

TEST(Layout, MarkdownHasTheShownColumns) {
  EXPECT_EQ(markdown(sample()),
            "# Table 9: a sample\n\nAbout.\n\n"
            "| network | MACs | measured: ms | of peak | paper | note |\n| --- | ---: | ---: | ---: | ---: | --- |\n"
            "| a, b | 1,234,567 | 1.25 | 50 % | 1.2B | \"quoted\" |\n| c | 7 | - | - | - |  |\n"
            "\n## Pairs\n\n| ratio |\n| ---: |\n| 2.2x |\n"
            "\n## Measured\n\nNothing yet.\n\nA note.\n\n" +
                std::string(kLegend) + " The paper: " + kCitation + ".\n");
}

TEST(Layout, TextHasTheSameCells) {
  const std::string page = text(sample());
  EXPECT_EQ(page.rfind("Table 9: a sample\n\nAbout.\n\n", 0), 0U);
  EXPECT_NE(page.find("\nPairs\n\n"), std::string::npos) << page;
  EXPECT_NE(page.find("1,234,567"), std::string::npos);
  EXPECT_EQ(page.find("hidden"), std::string::npos);
}

TEST(Layout, TextsOfFilesStayInTheirCell) {
  Item item = sample();
  item.tables[0].rows[1][0] = std::string("a|b||\n\x1b[31m");
  EXPECT_NE(markdown(item).find("| a\\|b\\|\\| \\x1b[31m | 7 |"), std::string::npos) << markdown(item);
  EXPECT_NE(text(item).find("a|b|| \\x1b[31m"), std::string::npos) << text(item);
}

TEST(Layout, CsvNamesTheSourceOfEachColumn) {
  EXPECT_EQ(csv(sample()),
            "name,macs (computed),latency_ms.min (measured),share (measured),paper.macs (quoted),hidden (computed),"
            "top1 (measured),note\n"
            "\"a, b\",1234567,1.25,0.5,1.2B,1,,\"\"\"quoted\"\"\"\nc,7,,,,2,,\n"
            "\nratio (computed)\n2.25\n");
}

TEST(Layout, JsonNamesTheSourceOfEachValue) {
  const Json document = json(sample());
  EXPECT_EQ(document["table"], "table9");
  EXPECT_EQ(document["rows"][0].dump(),
            R"({"name":"a, b","macs":1234567,"latency_ms":{"min":1.25},"share":0.5,"paper":{"macs":"1.2B"},"hidden":1,)"
            R"("top1":null,"note":"\"quoted\"","source":{"macs":"computed","latency_ms":"measured","share":"measured",)"
            R"("paper":"quoted","hidden":"computed"}})");
  EXPECT_EQ(document["rows"][1]["source"].dump(), R"({"macs":"computed","hidden":"computed"})");
  EXPECT_EQ(document["pairs"].dump(), R"([{"ratio":2.25,"source":{"ratio":"computed"}}])");
  EXPECT_EQ(document["measured"].dump(), "[]");
  EXPECT_EQ(document["machine"], "x");
  EXPECT_EQ(document["notes"].dump(), R"(["A note."])");
  EXPECT_EQ(document["paper"], kCitation);
}

}  // namespace
}  // namespace effnet::paper

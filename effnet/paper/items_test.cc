#include "effnet/paper/items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/lower.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/latency.h"
#include "effnet/paper/layout.h"
#include "effnet/paper/page.h"

namespace effnet::paper {
namespace {

using testing::HasSubstr;
using testing::Not;

Context without_timing() {
  Context context;
  context.timing = false;
  return context;
}

Item made(std::string_view id) { return entry(id).make(without_timing()); }

// The row of an item whose member `key` is `value`.
Json row_with(const Item& item, const char* key, const std::string& value) {
  const Json document = json(item);
  for (const Json& row : document["rows"]) {
    if (row[key] == value) return row;
  }
  ADD_FAILURE() << item.id << " has no row with " << key << " " << value;
  return {};
}

TEST(Printed, NumbersHaveAValueAndAUnit) {
  const auto expect = [](const char* text, double value, double unit) {
    EXPECT_DOUBLE_EQ(parse_printed(text).value, value) << text;
    EXPECT_NEAR(parse_printed(text).unit, unit, 1e-12 * unit) << text;
  };
  expect("0.39B", 0.39e9, 0.01e9);
  expect("5.3M", 5.3e6, 0.1e6);
  expect("557M", 557e6, 1e6);
  expect("11B", 11e9, 1e9);
  expect("4.9x", 4.9, 0.1);
  expect("84.3", 84.3, 0.1);
  expect("50,000", 50000, 1);
  for (const char* text : {"", "x", "1.2.3B", "5K", "B", "-1"}) EXPECT_THROW(parse_printed(text), Error) << text;
}

TEST(Printed, DisagreementIsMoreThanOneUnitOfTheLastDigit) {
  EXPECT_EQ(disagreement("MACs", "1.8B", 1'827'000'000), "");
  EXPECT_EQ(disagreement("MACs", "37B", 37'745'884'192), "");  // truncated
  EXPECT_EQ(disagreement("MACs", nullptr, 5), "");
  EXPECT_EQ(disagreement("MACs", "16.2B", 14'571'000'000), "MACs: 14.571B computed, 10.1 % below the printed 16.2B.");
  EXPECT_EQ(disagreement("Parameters", "9M", 10'500'000), "Parameters: 10.50M computed, 16.7 % above the printed 9M.");
}

// Every row of every table has as many values as columns. The columns of one object, such as paper, have one source.
TEST(Items, AreConsistent) {
  std::set<std::string> titles;
  for (const Entry& entry : entries()) {
    const Item item = entry.make(without_timing());
    EXPECT_EQ(item.id, entry.id);
    EXPECT_EQ(item.drawings.empty(), !entry.drawn) << item.id;
    EXPECT_EQ(entry.not_drawn.empty(), entry.drawn || entry.id.starts_with("table")) << item.id;
    EXPECT_THAT(item.title, HasSubstr(": ")) << "the page splits the title there";
    EXPECT_TRUE(titles.insert(item.title).second);
    EXPECT_EQ(item.tables.front().key, "rows");
    for (const Table& table : item.tables) {
      std::map<std::string, Source> sources;
      std::set<std::string> keys;
      for (const Column& column : table.columns) {
        EXPECT_TRUE(keys.insert(column.key).second) << item.id << " " << column.key;
        const auto [at, added] = sources.emplace(column.key.substr(0, column.key.find('.')), column.source);
        EXPECT_EQ(at->second, column.source) << item.id << " " << column.key;
        EXPECT_EQ(column.key.starts_with("paper."),
                  column.source == Source::quoted && column.key.find('.') != std::string::npos)
            << item.id << " " << column.key;
      }
      for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << item.id;
    }
  }
}

TEST(Items, UnknownIdIsAnError) {
  try {
    entry("table9");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("unknown table or figure of the paper (got 'table9', expected table1, "));
  }
}

TEST(Items, TheStagesOfTable1AreTheWholeNetwork) {
  const graph::Costs whole = graph::costs(graph::lower(arch::variant("efficientnet_b0").spec));
  std::int64_t params = 0, macs = 0;
  const Json document = json(made("table1"));
  ASSERT_EQ(document["rows"].size(), 9U);
  for (const Json& row : document["rows"]) {
    params += row["params"].get<std::int64_t>();
    macs += row["macs"].get<std::int64_t>();
    // The computed values are those that the paper prints.
    EXPECT_EQ(row["operator"], row["paper"]["operator"]);
    for (const char* key : {"resolution", "channels", "layers"})
      EXPECT_EQ(std::to_string(row[key].get<std::int64_t>()), row["paper"][key]) << key;
  }
  EXPECT_EQ(params, whole.params);
  EXPECT_EQ(macs, whole.macs);
}

// Each printed ratio of an effnet network is that of the counts, within two units of its last digit: the paper divides
// rounded values.
TEST(Items, Table2ComputesTheRatios) {
  const Json document = json(made("table2"));
  int compared = 0;
  for (const Json& row : document["rows"]) {
    for (const auto& [key, printed] : {std::pair("params", "params_ratio"), std::pair("macs", "macs_ratio")}) {
      if (row["ratio"][key].is_null() || row["paper"][printed].is_null()) continue;
      const PrintedNumber number = parse_printed(row["paper"][printed].get<std::string>());
      EXPECT_NEAR(row["ratio"][key].get<double>(), number.value, 2 * number.unit) << row["name"] << " " << key;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 21);
  const Json densenet = row_with(made("table2"), "name", "DenseNet-169");
  EXPECT_TRUE(densenet["params"].is_null());
  EXPECT_EQ(densenet["source"].dump(), R"({"paper":"quoted"})");
  EXPECT_EQ(densenet["compared_with"], "efficientnet_b0");
}

TEST(Items, Table3SaysWhatDisagrees) {
  const Item item = made("table3");
  const auto note = [&](const char* name) { return row_with(item, "name", name)["note"]; };
  EXPECT_TRUE(note("mobilenet_v1").is_null());
  EXPECT_EQ(
      note("resnet50-d4-w1-r224"),
      "MACs: 14.571B computed, 10.1 % below the printed 16.2B. The printed MACs of the rows d=4 and w=2 are probably "
      "exchanged.");
  EXPECT_THAT(note("resnet50-d1-w2-r224").get<std::string>(), HasSubstr("16.117B computed, 9.6 % above"));
  EXPECT_EQ(json(item)["rows"].size(), 14U);
  EXPECT_EQ(json(item)["readings"].size(), 8U);
}

TEST(Items, Table4HasCountsWithoutTiming) {
  const Json document = json(made("table4"));
  ASSERT_EQ(document["rows"].size(), 4U);
  EXPECT_EQ(document["rows"][0]["macs"], 11513626624);
  EXPECT_TRUE(document["rows"][0]["latency_ms"]["min"].is_null());
  EXPECT_FALSE(document["rows"][0]["source"].contains("latency_ms"));
  EXPECT_TRUE(document["pairs"][0]["ratio"].is_null());
  EXPECT_EQ(document["pairs"][0]["paper"].dump(), R"({"speedup":"5.7x"})");
  EXPECT_FALSE(document.contains("machine"));
}

TEST(Items, Table4ShowsAMeasurement) {
  LatencyResult result = count_latencies();
  result.rows[0].timing = {{2, 3}, 2.5};
  result.rows[0].gflops = 5;
  result.rows[0].peak_share = 0.5;
  result.pairs[0].ratio = 2;
  result.measured = true;
  result.cpu = "a cpu";
  result.isa = "avx2";
  result.peak_gflops = 10;
  const Item item = latency_item(result);
  const Json document = json(item);
  EXPECT_EQ(document["rows"][0]["latency_ms"].dump(), R"({"min":2.0,"median":2.5})");
  EXPECT_EQ(document["rows"][0]["runs"], 2);
  EXPECT_EQ(
      document["rows"][0]["source"].dump(),
      R"({"params":"computed","paper":"quoted","macs":"computed","resolution":"computed","latency_ms":"measured",)"
      R"("runs":"measured","gflops":"measured","peak_share":"measured"})");
  EXPECT_TRUE(document["rows"][2]["paper"]["macs"].is_null());
  EXPECT_EQ(document["machine"]["cpu"], "a cpu");
  EXPECT_THAT(text(item), HasSubstr("a cpu, avx2, 1 thread, batch 1, fp32; peak 10.0 GFLOP/s"));
  EXPECT_THAT(markdown(item), HasSubstr("| resnet152 | efficientnet_b1 | 2.0x | 5.7x | 16.8x |\n"));
}

TEST(Items, Table5ComputesParametersAndMeans) {
  const Json document = json(made("table5"));
  ASSERT_EQ(document["rows"].size(), 16U);
  EXPECT_EQ(document["rows"][0]["params"], 4007548);
  EXPECT_EQ(document["rows"][0]["paper"].dump(),
            R"({"ours":{"name":"B0","accuracy":"98.1","params":"4M"},)"
            R"("other":{"name":"NASNet-A","accuracy":"98.0","params":"85M"},"ratio":"21x"})");
  EXPECT_TRUE(document["rows"][9]["paper"]["ratio"].is_null());
  for (const Json& mean : document["means"]) {
    const PrintedNumber printed = parse_printed(mean["paper"]["ratio"].get<std::string>());
    EXPECT_NEAR(mean["ratio"].get<double>(), printed.value, printed.unit / 2);
  }
  EXPECT_THAT(text(made("table5")), HasSubstr("effnet has no measured results yet.\n"));
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Items, Figures1And5DrawTable2) {
  const Item sizes = made("fig1"), costs = made("fig5");
  EXPECT_EQ(json(sizes)["rows"].size(), 24U);
  EXPECT_EQ(row_with(sizes, "name", "efficientnet_b7")["paper"].dump(),
            R"({"name":"B7","params":"66M","top1":"84.3"})");
  EXPECT_EQ(row_with(sizes, "name", "Xception")["series"], "Inception, Xception, PolyNet");
  ASSERT_EQ(sizes.drawings.size(), 1U);
  EXPECT_EQ(times(sizes.drawings[0].svg, "<title>"), 24U);  // a hint for each network
  EXPECT_THAT(sizes.drawings[0].svg, HasSubstr("<title>parameters in millions 5.3: B0 77.1 %</title>"));
  EXPECT_EQ(times(costs.drawings[0].svg, "<title>"), 23U) << "without GPipe, whose MACs are not printed";
  EXPECT_THAT(costs.drawings[0].svg, HasSubstr("<title>MACs in millions 390: B0 77.1 %</title>"));
  EXPECT_THAT(costs.drawings[0].svg, HasSubstr("<title>MACs in millions 42000: SENet 82.7 %</title>"));
}

TEST(Items, Figure6DrawsTable5) {
  const Item figure = made("fig6");
  EXPECT_EQ(json(figure)["rows"].size(), 32U);  // two networks of the paper and two others for each of 8 data sets
  ASSERT_EQ(figure.drawings.size(), 8U);
  const std::string& cifar10 = figure.drawings[0].svg;
  EXPECT_EQ(times(cifar10, "<title>"), 4U);
  EXPECT_THAT(cifar10, HasSubstr("<title>parameters in millions 4.00755: B0 98.1 %</title>"));
  EXPECT_THAT(cifar10, HasSubstr("<title>parameters in millions 556: GPipe 99 %</title>"));
  EXPECT_EQ(figure.drawings[3].title, "Stanford Cars");
  EXPECT_EQ(times(figure.drawings[3].svg, "<title>"), 3U) << "without DAT, whose size is not printed";
}

// One network has one accuracy in a figure: Table 7 prints 77.3 for B0, Tables 2 and 8 print 77.1.
TEST(Items, Figure8DrawsTheAccuraciesOfItsTable) {
  const Item figure = made("fig8");
  EXPECT_EQ(times(figure.drawings[0].svg, "<title>MACs in millions 385.815:"), 5U);  // B0 begins all five lines
  EXPECT_EQ(times(figure.drawings[0].svg, " 77.1 %</title>"), 5U);
  EXPECT_THAT(figure.drawings[0].svg, Not(HasSubstr(" 77.3 %")));
  const Json document = json(figure);
  for (const Json& row : document["rows"]) {
    if (row["macs"] != 385814752) continue;
    EXPECT_EQ(row["paper"]["top1"], "77.1");
  }
}

// Several drawings may be on one page.
TEST(Items, DrawingsHaveOneUnitOfMacs) {
  Context context = without_timing();
  context.results = embedded_results();
  for (const Entry& entry : entries()) {
    const Item item = entry.make(context);
    for (const report::Drawing& drawing : item.drawings) {
      for (const char* other : {"MACs in G", "million MACs", " G<", "B MACs"})
        EXPECT_THAT(drawing.svg, Not(HasSubstr(other))) << entry.id;
    }
  }
}

TEST(Items, FiguresHaveTheCountsOfTheirNetworks) {
  EXPECT_EQ(json(made("fig3"))["rows"].size(), 19U);
  EXPECT_EQ(json(made("fig4"))["rows"].size(), 24U);
  EXPECT_EQ(row_with(made("fig2"), "kind", "(c) depth")["blocks"], 64);
  const Item figure = made("fig8");
  EXPECT_EQ(row_with(figure, "name", "efficientnet_b4")["paper"].dump(),
            R"({"coefficient":null,"top1":"82.9","from":"Table 2"})");
  EXPECT_EQ(row_with(figure, "name", "efficientnet_b0-d4-w1-r224")["paper"].dump(),
            R"({"coefficient":"d=4.0","top1":"79.0","from":"Table 7"})");
  const Json document = json(figure);
  EXPECT_GE(document["rows"].size(), 20U);
  for (const Json& row : document["rows"]) EXPECT_LE(row["macs"].get<std::int64_t>(), 5'000'000'000);
  EXPECT_THAT(json(made("fig7"))["notes"].dump(), HasSubstr("effnet cam RUN0 IMAGES... --models RUN1,RUN2,RUN3,RUN4"));
}

TEST(Page, LinksItemsAndSaysHowItWasMade) {
  std::vector<Item> items;
  for (const Entry& entry : entries()) items.push_back(entry.make(without_timing()));
  const std::string page = html_page(items, "effnet paper all -o 'a <b>.html'", "1.2");
  EXPECT_THAT(page, HasSubstr("effnet 1.2"));
  EXPECT_THAT(page, HasSubstr("<code>effnet paper all -o &#39;a &lt;b&gt;.html&#39;</code>"));
  EXPECT_THAT(page, HasSubstr("whose class activation maps <a href=\"#fig7\">Figure 7</a> shows"));
  for (const Entry& entry : entries()) {
    EXPECT_THAT(page, HasSubstr(fmt::format("<section id=\"{}\">", entry.id)));
    EXPECT_THAT(page, HasSubstr(fmt::format("<a href=\"#{}\">", entry.id)));
  }
  EXPECT_THAT(page, HasSubstr("<td class=\"quoted\">5.3M</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"computed\">5,288,548</td>"));
  for (const char* outside : {"http:", "https:", "<script", "url("}) EXPECT_THAT(page, Not(HasSubstr(outside)));
}

TEST(Page, OfOneItemHasNoLinksToOthers) {
  const std::string page = html_page({made("table7")}, "c", "1");
  EXPECT_THAT(page, Not(HasSubstr("#fig7")));
  EXPECT_THAT(page, HasSubstr("<title>Table 7: the networks of the class activation maps</title>"));
}

}  // namespace
}  // namespace effnet::paper

// docs/reference/paper.md has the paper's tables with their sources. The code's copies must be equal, row by row. What
// can be computed on that page is compared in effnet/graph/paper_page_test.cc.
#include "effnet/paper/printed.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/arch/family.h"
#include "effnet/base/markdown_testing.h"
#include "effnet/base/text.h"

namespace effnet::paper {
namespace {

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

// The rows of the table whose heading and first column begin like this.
Rows rows_of(std::string_view heading, std::string_view column) {
  for (const MarkdownTable& table : markdown_tables(std::string(EFFNET_SOURCE_DIR) + "/docs/reference/paper.md")) {
    if (table.heading.starts_with(heading) && table.columns.front() == column) return table.rows;
  }
  ADD_FAILURE() << "no table " << heading << ", " << column;
  return {};
}

std::string text(Text printed, const char* otherwise = "–") { return printed == nullptr ? otherwise : printed; }
// Without the remark of the first version: "77.1 (76.3)" -> "77.1".
std::string version5(const std::string& cell) { return cell.substr(0, cell.find(" (")); }

TEST(Printed, Table1) {
  Rows mine;
  for (const PrintedStage& row : printed_stages()) {
    // "MBConv6, k3x3" is on the page as operator MBConv6 and kernel 3.
    const std::string operation = row.operation;
    const std::string name = operation.starts_with("Conv") ? "Conv" : operation.substr(0, operation.find(','));
    mine.push_back({row.stage, name, std::string(1, operation[operation.find('x') - 1]), row.resolution, row.channels,
                    row.layers});
  }
  Rows page;
  for (const Row& row : rows_of("Table 1:", "stage"))
    page.push_back({row[0], row[1].substr(0, row[1].find(',')), row[2], version5(row[4]), row[5], row[6]});
  EXPECT_EQ(mine, page);
}

TEST(Printed, Table2) {
  Rows mine, page;
  for (const PrintedImagenet& row : printed_imagenet()) {
    mine.push_back({row.title, row.top1, row.top5, row.params, row.params_ratio, text(row.macs, "not given"),
                    text(row.macs_ratio)});
  }
  for (const Row& row : rows_of("Table 2:", "Model"))
    page.push_back({row[0], version5(row[1]), version5(row[2]), row[3], row[4], row[5], row[6]});
  EXPECT_EQ(mine, page);
}

// The arch files have the values of Table 2 too (`effnet models`).
TEST(Printed, TheArchFilesHaveTheValuesOfTable2) {
  int compared = 0;
  for (const PrintedImagenet& row : printed_imagenet()) {
    if (row.network == nullptr || arch::variant(row.network).published.params.empty()) continue;
    EXPECT_EQ(arch::variant(row.network).published.params, row.params);
    EXPECT_EQ(arch::variant(row.network).published.macs, text(row.macs, ""));
    ++compared;
  }
  EXPECT_GE(compared, 8);
}

// Rows of Tables 3 and 7: the page has one more row for each other reading of a printed row.
void expect_scalings(std::span<const PrintedScaling> printed, const Rows& page, const std::string& base) {
  Rows mine, wanted;
  for (const PrintedScaling& row : printed) mine.push_back({row.title, row.macs, row.top1});
  for (const Row& row : page) {
    if (row[1] == "the same row") continue;
    std::string title = row[0].substr(0, row[0].find(", head of"));
    title = title.substr(0, title.find(", stride in"));
    if (const std::size_t pixels = title.find(" (448)"); pixels != std::string::npos) title.erase(pixels);
    if (!base.empty() && title != base) title = base + ", " + title;
    wanted.push_back({title, row[1], version5(row[2])});
  }
  EXPECT_EQ(mine, wanted);
}

TEST(Printed, Table3) { expect_scalings(printed_scalings(), rows_of("Table 3:", "network"), ""); }
TEST(Printed, Table7) { expect_scalings(printed_cam(), rows_of("Table 7:", "network"), "B0"); }

TEST(Printed, Table4) {
  Rows mine, page = rows_of("Table 4:", "pair");
  for (const PrintedPair& pair : printed_latencies()) {
    mine.push_back({fmt::format("{}, {}", pair.slow.title, pair.fast.title),
                    fmt::format("{} in {} s, {} in {} s", pair.slow.top1, pair.slow.latency_s, pair.fast.top1,
                                pair.fast.latency_s),
                    std::string(pair.speedup).substr(0, std::string(pair.speedup).size() - 1)});
    // Parameters and MACs are those of Table 2.
    for (const PrintedLatency& one : {pair.slow, pair.fast}) {
      const auto row = std::ranges::find_if(printed_imagenet(), [&](const PrintedImagenet& other) {
        return other.network != nullptr && std::string_view(other.network) == one.network;
      });
      ASSERT_NE(row, printed_imagenet().end());
      EXPECT_STREQ(one.params, row->params);
      EXPECT_STREQ(one.macs, row->macs);
    }
  }
  EXPECT_EQ(mine, page);
}

TEST(Printed, Table5) {
  Rows mine, page;
  for (const PrintedTransfer& row : printed_transfers()) {
    mine.push_back({row.dataset, row.compared, row.other.name, row.other.accuracy, text(row.other.params),
                    row.ours.name, row.ours.accuracy,
                    row.ratio == nullptr ? "–" : fmt::format("{} ({})", text(row.ours.params), row.ratio)});
    EXPECT_EQ(std::string(row.network).substr(std::string("efficientnet_").size() + 1), row.ours.name + 1);
  }
  for (const Row& row : rows_of("Table 5:", "Data set")) {
    if (row[0] == "Geometric mean") {
      for (const PrintedMean& mean : printed_means())
        EXPECT_EQ(row[std::string_view(mean.compared) == "public" ? 6 : 12], fmt::format("({})", mean.ratio));
      continue;
    }
    page.push_back({row[0], "public", row[1], row[2], row[3], row[4], row[5], row[6]});
    page.push_back({row[0], "best", row[7], row[8], row[9], row[10], row[11], row[12]});
  }
  EXPECT_EQ(mine, page);
}

TEST(Printed, Table6) {
  Rows mine;
  for (const PrintedDataset& row : printed_datasets())
    mine.push_back({row.name, grouped(row.train), grouped(row.test), grouped(row.classes), row.metric});
  EXPECT_EQ(mine, rows_of("Table 6:", "Data set"));
  // Table 5 uses the same numbers of classes.
  for (const PrintedTransfer& row : printed_transfers()) {
    const auto dataset = std::ranges::find_if(printed_datasets(), [&](const PrintedDataset& other) {
      return std::string_view(other.name).starts_with(row.dataset);
    });
    ASSERT_NE(dataset, printed_datasets().end()) << row.dataset;
    EXPECT_EQ(row.classes, dataset->classes) << row.dataset;
  }
}

TEST(Printed, Table8) {
  Rows mine(4, Row(1));
  for (const PrintedTest& row : printed_tests()) {
    const Text values[] = {row.val_top1, row.test_top1, row.val_top5, row.test_top5};
    for (std::size_t i = 0; i < 4; ++i) mine[i].emplace_back(values[i]);
  }
  const char* const titles[] = {"Val top-1", "Test top-1", "Val top-5", "Test top-5"};
  for (std::size_t i = 0; i < 4; ++i) mine[i][0] = titles[i];
  EXPECT_EQ(mine, rows_of("Table 8:", ""));
}

TEST(Printed, Figure3) {
  Rows mine;
  const auto add = [&](char letter, const auto& values, int decimals) {
    std::string all;
    for (const double value : values) all += fmt::format("{}{:.{}f}", all.empty() ? "" : ", ", value, decimals);
    mine.push_back({fmt::format("{} = {}", letter, all)});
  };
  add('w', kFigure3Widths, 1);
  add('d', kFigure3Depths, 0);
  add('r', kFigure3Resolutions, 1);
  Rows page;
  for (const Row& row : rows_of("Figure 3:", "dimension of B0")) page.push_back({row[1]});
  EXPECT_EQ(mine, page);
}

TEST(Printed, Figure4) {
  std::string bases;
  for (const PrintedBase& base : kFigure4Bases)
    bases += fmt::format("{}({:.1f}, {})", bases.empty() ? "" : ", ", base.depth, base.resolution_ratio);
  const Row row = rows_of("Figures 1, 2 and 4 to 8", "figure").at(2);
  EXPECT_NE(row[1].find("(d, r) = " + bases + "."), std::string::npos) << bases;
  EXPECT_NE(row[1].find(fmt::format("and {} px, the last one 36 layers and {} px", kFigure4Bases.front().resolution,
                                    kFigure4Bases.back().resolution)),
            std::string::npos);
}

}  // namespace
}  // namespace effnet::paper

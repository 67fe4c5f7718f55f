#include "effnet/report/search_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/base/random_key.h"
#include "effnet/report/html_testing.h"

namespace effnet::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testkit::fault_of;

std::size_t times(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

SearchPage small_page() {
  SearchPage page{.title = "search"};
  page.about = {"effnet search show study.db"};
  page.facts = {{"space", "mnasnet"}, {"trials", "4"}};
  page.quality = {"top-1", " %"};
  page.cost = {"MACs", "M"};
  page.history = {{1, false, 0.5, 50, 300}, {2, true}, {3, false, 0.4, 41, 280}, {4, false, 0.7, 68, 390}};
  page.front = {{68, 390}, {50, 300}, {41, 280}};
  page.importance = {{"stage 1 kernel", 0.0625, "3"}, {"stage 3 kernel", 0.5, "5"}};
  page.best = {{"trial 4", arch::variant("efficientnet_b0").spec, 0.7, 68, 390, "k5 e6 / k3", true},
               {"trial 1", arch::variant("mnasnet_a1").spec, 0.5, 50, 300}};
  page.correlations = {{"full training", 0.62, 0.8, 24}};
  return page;
}

TEST(FaultOf, FindsWhatIsWrong) {
  EXPECT_EQ(fault_of("<!DOCTYPE html>\n<p class=\"a > b\">x &amp; y<br></p><style>a > b {}</style><circle r=\"1\"/>"),
            "");
  EXPECT_EQ(fault_of("<p><b>x</p></b>"), "</p> closes b");
  EXPECT_EQ(fault_of("<p>"), "<p> is not closed");
  EXPECT_THAT(fault_of("x & y"), HasSubstr("no reference"));
  EXPECT_THAT(fault_of("<p class=a>"), HasSubstr("without quotes"));
  EXPECT_THAT(fault_of("a < b <i></i>"), HasSubstr("a '<' in a tag"));
  EXPECT_THAT(fault_of("<p"), HasSubstr("without an end"));
}

TEST(SearchPage, HasAllSections) {
  const std::string page = search_page(small_page());
  EXPECT_EQ(fault_of(page), "");
  for (const char* id : {"history", "tradeoff", "importance", "best", "correlations"})
    EXPECT_EQ(times(page, fmt::format("<section id=\"{}\">", id)), 1U) << id;
  EXPECT_THAT(page, AllOf(HasSubstr("<dt>space</dt><dd>mnasnet</dd>"), HasSubstr("effnet search show study.db"),
                          HasSubstr("Not drawn: 1 trial that failed."), HasSubstr("MACs in M"),
                          HasSubstr("top-1 by MACs"), HasSubstr("prefers-color-scheme: dark")));
  EXPECT_THAT(page,
              AllOf(HasSubstr("<td>0.6200</td><td>0.8000</td>"), HasSubstr("<td>24</td>"), HasSubstr("full training")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

// The rewards are 0.5, 0.4 and 0.7: the line is at 0.5 from trial 1 to trial 4, where it rises to 0.7.
TEST(SearchPage, TheBestSoFarIsAStepLine) {
  const std::string page = search_page(small_page());
  for (const char* hint : {"trial 1: best so far 0.5", "trial 4: best so far 0.5", "trial 4: best so far 0.7"})
    EXPECT_EQ(times(page, fmt::format("<title>{}</title>", hint)), 1U) << hint;
  EXPECT_EQ(times(page, "<title>trial 3: best so far"), 0U);
  EXPECT_EQ(times(page, "<title>trial 2:"), 0U) << "a trial that failed has no reward";
  SearchPage longer = small_page();
  longer.history.push_back({9, false, 0.6, 60, 300});
  EXPECT_EQ(times(search_page(longer), "<title>trial 9: best so far 0.7</title>"), 1U) << "the end of the line";
}

// The front is drawn from the cheapest network to the most expensive one, whatever its order in the struct.
TEST(SearchPage, TheFrontIsSortedByCost) {
  SearchPage page = small_page();
  const std::string first = search_page(page);
  std::ranges::reverse(page.front);
  EXPECT_EQ(search_page(page), first);
  EXPECT_THAT(first, HasSubstr("<title>MACs in M 280: Pareto front 41 %</title>"));
}

// The front 41, 50 and 68 % is a step line: two corners between its three networks, so no slope.
TEST(SearchPage, TheFrontIsAStepLine) {
  SearchPage page = small_page();
  const auto segments = [&](std::size_t networks) {
    page.front.resize(networks);
    const std::string text = search_page(page);
    const std::size_t line = text.find("<path class=\"line c1\"", text.find("<section id=\"tradeoff\">"));
    return times(text.substr(line, text.find("/>", line) - line), "L");
  };
  EXPECT_EQ(segments(3), 4U);
  EXPECT_EQ(segments(2), 2U);
}

TEST(SearchPage, SaysWhichTrialsAreDrawn) {
  SearchPage page = small_page();
  EXPECT_EQ(times(search_page(page), "One dot for each trial that is done"), 2U);
  page.scope = "with 6 epochs";
  EXPECT_EQ(times(search_page(page), "One dot for each trial that is done with 6 epochs"), 2U);
}

TEST(SearchPage, ChoicesAreInTheOrderOfTheirImportance) {
  const std::string page = search_page(small_page());
  EXPECT_LT(page.find("<td class=\"text\">stage 3 kernel</td><td>50.0 %</td><td class=\"text\">5</td>"),
            page.find("<td class=\"text\">stage 1 kernel</td><td>6.2 %</td><td class=\"text\">3</td>"));
  EXPECT_THAT(page, HasSubstr("<title>stage 3 kernel: percent of the variance of the quality 50</title>"));
}

// Counts of the networks: docs/reference/paper.md, Table 2 and section C (5,288,548 and 3,887,038 parameters).
TEST(SearchPage, TheBestNetworksAreDrawn) {
  const std::string page = search_page(small_page());
  EXPECT_THAT(page,
              AllOf(HasSubstr("<th>top-1</th><th>MACs</th><th>parameters</th><th>blocks</th>"),
                    HasSubstr("<td class=\"text\">trial 4</td><td>0.7000</td><td>68.00 %</td><td>390.0M</td>"
                              "<td>5.29M</td><td>16</td><td class=\"text\">yes</td><td class=\"text\">k5 e6 / k3</td>"),
                    HasSubstr("<td>3.89M</td><td>16</td><td class=\"text\"></td><td class=\"text\"></td>")));
  EXPECT_THAT(page, AllOf(HasSubstr(">mbconv 3x3</text>"), HasSubstr(">mbconv 5x5</text>"),
                          HasSubstr("reward 0.7000, top-1 68.00 %, MACs 390.0M"),
                          HasSubstr("stage 3, block 1, mbconv, kernel 5, expansion 6, SE 0.25: 40 channels, 28 px")));
  EXPECT_EQ(times(page, ">mbconv 3x3</text>"), 1U) << "the networks share one legend";
  EXPECT_EQ(times(page, ">stem and head</text>"), 1U);
  SearchPage other = small_page();
  other.cost = {"predicted latency", " ms"};
  EXPECT_THAT(search_page(other), HasSubstr("<th>parameters</th><th>MACs</th><th>blocks</th>"))
      << "counts that are not the cost of the search";
  SearchPage many = small_page();
  many.best.assign(30, many.best.front());
  EXPECT_EQ(times(search_page(many), "<td class=\"text\">trial 4</td>"), kMaxSearchNetworks);
}

TEST(SearchPage, TextsAreEscaped) {
  const std::string bad = "</title><script>\"'&\n\xff\x1b[31m";
  SearchPage page = small_page();
  page.title = page.about.front() = bad;
  page.facts = {{bad, bad}};
  page.quality = page.cost = {bad, bad};
  page.importance = {{bad, 0.5, bad}};
  page.best.front().name = page.best.front().spec.name = page.best.front().options = page.scope = bad;
  page.correlations.front().with = bad;
  const std::string html = search_page(page);
  EXPECT_EQ(fault_of(html), "");
  EXPECT_THAT(html, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("\xff")), Not(HasSubstr("\x1b")),
                          HasSubstr("&lt;script&gt;&quot;&#39;&amp; ")));
}

TEST(SearchPage, WithoutTrials) {
  const std::string page = search_page({.title = "empty"});
  EXPECT_EQ(fault_of(page), "");
  EXPECT_THAT(page, AllOf(HasSubstr("No trial has ended yet."), Not(HasSubstr("<svg"))));
}

TEST(SearchPage, OnlyFailedTrials) {
  SearchPage page{.title = "failed"};
  page.history = {{1, true}, {2, true}, {3, false, NAN, 50, 300}, {4, false, 0.5, 50, INFINITY}};
  const std::string html = search_page(page);
  EXPECT_EQ(fault_of(html), "");
  EXPECT_THAT(html, AllOf(HasSubstr("nothing to show"), HasSubstr("Not drawn: 4 trials that failed."),
                          Not(HasSubstr("nan")), Not(HasSubstr("\"inf"))));
}

TEST(SearchPage, OneTrial) {
  SearchPage page{.title = "one"};
  page.history = {{1, false, 0.5, 50, 300}};
  page.front = {{50, 300}};
  const std::string html = search_page(page);
  EXPECT_EQ(fault_of(html), "");
  EXPECT_THAT(html, AllOf(HasSubstr("<title>trial 1: trial 0.5</title>"), Not(HasSubstr("nan"))));
}

// Extreme numbers give a page, too.
TEST(SearchPage, NumbersThatAreNotFiniteAreMarked) {
  SearchPage page = small_page();
  page.importance = {{"a", NAN, "1"}, {"b", 7, "2"}, {"c", -1, "3"}};
  page.best.front().reward = page.best.front().quality = NAN;
  page.best.front().cost = -INFINITY;
  page.correlations = {{"x", NAN, INFINITY, 0}};
  page.front = {{NAN, 1}, {1, NAN}, {50, 300}};
  const std::string html = search_page(page);
  EXPECT_EQ(fault_of(html), "");
  EXPECT_THAT(html, AllOf(HasSubstr("<td>?</td><td>? %</td><td>?M</td>"), HasSubstr("<td>?</td><td>?</td>"),
                          HasSubstr("<td class=\"text\">b</td><td>100.0 %</td>"), Not(HasSubstr("nan"))));
}

// The charts thin their dots, so the page stays small.
TEST(SearchPage, TenThousandTrialsMakeASmallPage) {
  SearchPage page = small_page();
  page.history.clear();
  Draws draws({.seed = 1}, "search page test");
  for (std::int64_t i = 1; i <= 10'000; ++i) {
    const double cost = draws.uniform(100, 800), quality = 60 + 0.02 * cost + 3 * draws.normal();
    page.history.push_back({i, i % 10 == 0, quality - 0.01 * cost, quality, cost});
    page.front.push_back({quality, cost});
  }
  const std::string html = search_page(page);
  EXPECT_EQ(fault_of(html), "");
  EXPECT_LT(html.size(), 2'000'000U);
  EXPECT_THAT(html, AllOf(HasSubstr("Not drawn: 1,000 trials that failed."), HasSubstr("Of 9,000 trials")));
}

}  // namespace
}  // namespace effnet::report

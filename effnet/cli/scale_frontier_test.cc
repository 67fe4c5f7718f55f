// effnet scale frontier: its options, errors and results.
#include <gmock/gmock.h>

#include "effnet/arch/family.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/scale.h"
#include "effnet/cli/scale_frontier.h"

namespace effnet::cli {
namespace {

TEST(Scale, FrontierOptions) {
  const auto all = parsed<FrontierOptions>({"b", "--cost", "latency", "--from", "1", "--to", "8", "--points", "5",
                                            "--rule", "uniform", "--dims", "dr", "--latency", "-o", "f.svg"});
  EXPECT_EQ(all.base, "b");
  EXPECT_EQ(all.cost, "latency");
  EXPECT_EQ(all.from, "1");
  EXPECT_EQ(all.to, "8");
  EXPECT_EQ(all.points, 5);
  EXPECT_EQ(all.rule.rule, "uniform");
  EXPECT_EQ(all.rule.dims, "dr");
  EXPECT_TRUE(all.latency);
  EXPECT_EQ(all.out, "f.svg");
}

// An option beside a sub-command would have no effect.
TEST(Scale, OptionsOfScaleAreNotOptionsOfFrontier) {
  const RunResult run = run_effnet({"scale", "frontier", "efficientnet_b0", "--cost", "macs", "--phi", "1"});
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.messages,
            "effnet: error: --phi: not an option of this sub-command (got --phi, expected an option that --help "
            "lists)\nhint: effnet scale frontier --help shows what is expected\n");
  EXPECT_EQ(run_effnet({"scale"}).messages,
            "effnet: error: BASE is missing (got no argument, expected a MODEL)\n"
            "hint: effnet scale --help shows what is expected\n");
}

TEST(Scale, FrontierRefusals) {
  CapturedOutput captured;
  const auto refused = [&](const FrontierOptions& options) {
    return refusal([&] { run_frontier(options, {.threads = {1}}, captured.out); });
  };
  const char* base = "mobilenet_v2";
  EXPECT_EQ(refused({.base = base, .cost = "time"}),
            "2 --cost: unknown cost (got 'time', expected macs, params, memory or latency)");
  EXPECT_EQ(refused({.base = base, .cost = "macs", .from = "2G", .to = "1G"}),
            "2 --from: not below --to (got 2,000,000,000 MACs and 1,000,000,000 MACs, expected a smaller number)");
  EXPECT_EQ(refused({.base = base, .cost = "macs", .from = "2", .to = "3", .points = 2}).substr(0, 52),
            "2 --to: the target cannot be reached (got 3 MACs, ex");
  EXPECT_EQ(refused({.base = base, .cost = "params", .from = "1MB"}),
            "2 --from: wrong value (got '1MB', expected a number of parameters above 0, such as 390M or 1.8G)");
  EXPECT_THAT(
      refused({.base = base, .cost = "macs", .to = "1e30"}),
      testing::AllOf(testing::StartsWith("2 --to: the target cannot be reached (got 1e+30 MACs, expected at most "),
                     testing::EndsWith(", the cost of the largest scaling of mobilenet_v2 by the rule compound)")));
  EXPECT_THAT(refused({.base = base, .rule = {.rule = "depth"}, .cost = "params", .to = "1e30"}),
              testing::EndsWith(", the cost of the largest scaling of mobilenet_v2 by the rule depth)"));
  EXPECT_THAT(
      refused({.base = base, .rule = {.rule = "resolution"}, .cost = "params"}),
      testing::StartsWith("2 --to: the target cannot be reached: the rule resolution does not change this cost of "));
  EXPECT_EQ(refused({.base = base, .cost = "macs", .out = "x.png"}),
            "2 -o: unknown kind of file (got 'x.png', expected FILE.svg)");
  EXPECT_EQ(refused({.base = base, .cost = "latency", .from = "0", .to = "1"}),
            "2 --from: wrong value (got '0', expected a number of milliseconds above 0 and at most 60000, such as 12 "
            "or 12ms)");
  EXPECT_EQ(captured.messages.text(), "");
}

TEST(Scale, FrontierLeavesOutBudgetsBelowTheSmallestNetwork) {
  CapturedOutput captured;
  const FrontierResult result = run_frontier(
      {.base = "efficientnet_b0", .rule = {.rule = "depth"}, .cost = "macs", .from = "10M", .to = "1G", .points = 2},
      {.threads = {1}}, captured.out);
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_EQ(result.rows[0].budget, 1e9);
  EXPECT_EQ(captured.messages.text(),
            "effnet: warning: left out 1 of 2 budgets of the rule depth: its smallest network costs more\n");
}

// At 19.3 MB the compound rule finds a network with fewer MACs than at 13.6 MB.
TEST(Scale, FrontierLeavesOutDominatedNetworks) {
  CapturedOutput captured;
  const FrontierResult result =
      run_frontier({.base = "efficientnet_b0", .cost = "memory"}, {.threads = {1}}, captured.out);
  ASSERT_EQ(result.rows.size(), 8U);
  for (std::size_t i = 1; i < result.rows.size(); ++i) {
    EXPECT_GT(result.rows[i].budget, result.rows[i - 1].budget);
    EXPECT_GT(result.rows[i].costs.macs, result.rows[i - 1].costs.macs);
  }
  EXPECT_EQ(captured.messages.text(),
            "effnet: warning: left out 1 of 9 budgets of the rule compound: a cheaper network has at least as many "
            "MACs\n");
}

TEST(Scale, FrontierOfSeveralRules) {
  CapturedOutput captured;
  const FrontierResult result = run_frontier(
      {.base = "efficientnet_b0", .rule = {.rule = "fast,depth,resolution"}, .cost = "params", .points = 3},
      {.threads = {1}}, captured.out);
  std::vector<std::string> rules;
  for (const FrontierResult::Row& row : result.rows) rules.emplace_back(row.rule);
  EXPECT_EQ(rules, (std::vector<std::string>{"fast", "fast", "fast", "depth", "depth"}));
  EXPECT_EQ(captured.messages.text(),
            "effnet: warning: left out 1 of 3 budgets of the rule depth: its smallest network costs more\n"
            "effnet: warning: left out the rule resolution: it does not change this cost\n");
  const Json document = to_json(result);
  EXPECT_EQ(document["rule"], "fast,depth,resolution");
  EXPECT_EQ(document["rows"][3]["rule"], "depth");
  for (const char* name : {">fast</text>", ">depth</text>", ">parameters in millions</text>"})
    EXPECT_NE(result.svg.find(name), std::string::npos) << name;
  EXPECT_NE(to_text(result).find("scaled by the rules fast, depth, resolution: "), std::string::npos);
}

TEST(Scale, AFrontierNamesTheRulesWhoseMultipliersDoNotSuffice) {
  CapturedOutput captured;
  const auto text_of = [&](const char* rule) {
    return to_text(run_frontier(
        {.base = "efficientnet_b0", .rule = {.rule = rule}, .cost = "macs", .from = "100M", .to = "20G", .points = 4},
        {.threads = {1}}, captured.out));
  };
  const std::string line =
      "need the rule, because depth, width and px alone make others: effnet scale BASE --rule RULE "
      "--target-macs BUDGET\n";
  EXPECT_NE(text_of("compound,capped,tinynet").find("\nthe networks of capped, tinynet " + line), std::string::npos);
  EXPECT_EQ(text_of("compound,fast").find(line), std::string::npos);
  // The option of the latency has another name than the cost.
  FrontierResult measured{
      .base = "b", .cost = "latency", .rules = {"tinynet"}, .rows = {{.rule = "tinynet", .budget = 2}}};
  measured.rows[0].scaling.phi = 1;
  measured.rows[0].needs_rule = true;
  measured.rows[0].timing = Timing{.ms = {1}, .mean_ms = 1};
  EXPECT_NE(to_text(measured).find(" --rule RULE --target-latency-ms BUDGET\n"), std::string::npos);
}

TEST(Scale, LatenciesOfAFrontierThatAreFarFromTheirTargetsAreCounted) {
  const auto row = [](double budget, double ms) {
    FrontierResult::Row one{.budget = budget};
    one.timing = Timing{.ms = {ms}, .mean_ms = ms};
    return one;
  };
  EXPECT_EQ(latency_warning({row(10, 9.8), row(20, 19.5)}), "");
  EXPECT_EQ(latency_warning({row(10, 9.8), row(20, 10), row(40, 8)}),
            "2 of 3 rows are more than 3 % below the target (the furthest reaches 20.0 % of it): a rule has no nearer "
            "network, or the machine was busy during the search");
  EXPECT_EQ(latency_warning({row(10, 9)}).substr(0, 42), "1 of 1 row is more than 3 % below the targ");
}

// The multipliers of a table make the same network when they are typed, whatever the rule.
TEST(Scale, PrintedMultipliersMakeTheNetworkAgain) {
  CapturedOutput captured;
  for (const char* rule : {"compound", "fast", "width"}) {
    const FrontierResult result =
        run_frontier({.base = "efficientnet_b0", .rule = {.rule = rule}, .cost = "macs", .points = 5}, {.threads = {1}},
                     captured.out);
    ASSERT_EQ(result.rows.size(), 5U);
    for (const FrontierResult::Row& row : result.rows) {
      const ScaleResult again = run_scale({.base = "efficientnet_b0",
                                           .depth = std::stod(row.multipliers.depth),
                                           .width = std::stod(row.multipliers.width),
                                           .resolution = std::to_string(row.scaling.resolution)},
                                          {.threads = {1}}, captured.out);
      EXPECT_EQ(again.scaling.spec.stages, row.scaling.spec.stages) << rule << " " << row.multipliers.depth;
      EXPECT_EQ(again.costs.macs, row.costs.macs);
    }
  }
  // A width just below a step: with few digits it would be rounded up to the step.
  arch::Scaling scaling{.phi = {}, .depth = 1.25, .width = 2.0999997, .resolution = 224, .spec = {}};
  const arch::ArchSpec& base = arch::variant("efficientnet_b0").spec;
  scaling.spec = arch::scaled(base, scaling.depth, scaling.width, scaling.resolution);
  EXPECT_EQ(multiplier_texts(base, scaling).width, "2.0999997");
  EXPECT_EQ(multiplier_texts(base, scaling).depth, "1.25");
}

TEST(ScaleResults, Frontier) {
  CapturedOutput captured;
  FrontierResult result =
      run_frontier({.base = "mobilenet_v2", .cost = "params", .from = "2M", .to = "8M", .points = 3}, {.threads = {1}},
                   captured.out);
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"base", "rule", "cost", "rows"}));
  ASSERT_EQ(document["rows"].size(), 3U);
  EXPECT_EQ(keys(document["rows"][0]), (Keys{"rule", "budget", "phi", "depth", "late_depth", "width", "resolution",
                                             "params", "macs", "activations"}));
  EXPECT_EQ(document["rows"][2]["budget"], 8e6);
  EXPECT_NEAR(document["rows"][1]["budget"], 4e6, 1);
  for (const Json& row : document["rows"]) EXPECT_LE(row["params"], row["budget"]);
  EXPECT_NE(to_text(result).find("the largest network for each budget of params"), std::string::npos);
  EXPECT_TRUE(result.svg.starts_with("<svg xmlns="));
  result.out = "-";
  EXPECT_EQ(to_text(result), result.svg);
}

}  // namespace
}  // namespace effnet::cli

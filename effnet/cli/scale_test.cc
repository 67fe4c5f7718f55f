// effnet scale: its options, errors and results; --compare.
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/inspect.h"
#include "effnet/cli/scale.h"
#include "effnet/cli/scale_compare.h"
#include "effnet/cli/scale_family.h"

namespace effnet::cli {
namespace {

TEST(Scale, Options) {
  const auto plain = parsed<ScaleOptions>({"efficientnet_b0", "--phi", "-1.5"});
  EXPECT_EQ(plain.phi, -1.5);
  EXPECT_FALSE(plain.depth || plain.width);
  EXPECT_EQ(plain.rule.rule, "compound");
  EXPECT_EQ(plain.rule.coefficients.alpha, 1.2);
  EXPECT_EQ(plain.rule.dims, "dwr");
  EXPECT_FALSE(plain.family || plain.compare || plain.no_latency || plain.factor);
  const auto all = parsed<ScaleOptions>({"b",         "--depth",
                                         "2",         "--width",
                                         "0.5",       "--resolution",
                                         "96",        "--target-macs",
                                         "1G",        "--target-params",
                                         "2M",        "--target-memory",
                                         "3MiB",      "--target-latency-ms",
                                         "4",         "--alpha",
                                         "1.3",       "--beta",
                                         "1.4",       "--gamma",
                                         "1.5",       "--dims",
                                         "dw",        "-o",
                                         "out.toml",  "--family",
                                         "--rule",    "fast",
                                         "--factor",  "4.5",
                                         "--compare", "--no-latency"});
  EXPECT_EQ(all.depth, 2);
  EXPECT_EQ(all.width, 0.5);
  EXPECT_EQ(all.resolution, "96");
  EXPECT_EQ(all.target_macs, "1G");
  EXPECT_EQ(all.target_params, "2M");
  EXPECT_EQ(all.target_memory, "3MiB");
  EXPECT_EQ(all.target_latency, "4");
  EXPECT_EQ(all.rule.rule, "fast");
  EXPECT_EQ(all.rule.coefficients.alpha, 1.3);
  EXPECT_EQ(all.rule.coefficients.beta, 1.4);
  EXPECT_EQ(all.rule.coefficients.gamma, 1.5);
  EXPECT_EQ(all.rule.dims, "dw");
  EXPECT_EQ(all.factor, 4.5);
  EXPECT_EQ(all.out, "out.toml");
  EXPECT_TRUE(all.family && all.compare && all.no_latency);
}

TEST(Scale, OptionsThatARuleDoesNotHave) {
  CapturedOutput captured;
  const auto refused = [&](const ScaleOptions& options) {
    return refusal([&] { run_scale(options, {.threads = {1}}, captured.out); });
  };
  const char* base = "mobilenet_v2";
  EXPECT_EQ(refused({.base = base, .phi = 1, .rule = {.rule = "fats"}}).substr(0, 60),
            "2 --rule: unknown scaling rule (got 'fats', expected compoun");
  EXPECT_EQ(
      refused({.base = base, .phi = 1, .rule = {.rule = "fast", .coefficients = {.alpha = 2}}}),
      "2 --alpha, --beta and --gamma: this rule does not use them (got --rule fast, expected compound or capped)");
  EXPECT_EQ(refused({.base = base, .phi = 1, .rule = {.rule = "width", .dims = "dw"}}),
            "2 --dims: this rule has fixed dimensions (got --rule width, expected compound or uniform)");
  EXPECT_EQ(refused({.base = base, .width = 2, .rule = {.rule = "fast"}}),
            "2 --rule: only for a rule, but the multipliers are given (got --depth/--width/--resolution too, expected "
            "one of both)");
  EXPECT_EQ(refused({.base = base, .depth = 2, .rule = {.coefficients = {.gamma = 1.3}}}),
            "2 --alpha/--beta/--gamma: only for a rule, but the multipliers are given (got "
            "--depth/--width/--resolution too, expected one of both)");
  EXPECT_EQ(refused({.base = base, .resolution = "96", .rule = {.rule = "uniform", .dims = "dw"}}),
            "2 --rule and --dims: only for a rule, but the multipliers are given (got --depth/--width/--resolution "
            "too, expected one of both)");
  EXPECT_EQ(refused({.base = base, .factor = 0}),
            "2 --factor: out of range (got 0, expected a number above 0 and at most 1000000)");
  EXPECT_EQ(refused({.base = base, .phi = 1, .no_latency = true}),
            "2 --no-latency: only for --compare (got no --compare, expected it)");
}

TEST(Scale, FactorIsATargetInMacs) {
  CapturedOutput captured;
  const auto macs = [&](const ScaleOptions& options) {
    return run_scale(options, {.threads = {1}}, captured.out).costs.macs;
  };
  const std::int64_t base = run_inspect({.model = "mobilenet_v2"}).costs.macs;
  const std::int64_t twice = macs({.base = "mobilenet_v2", .factor = 2, .rule = {.rule = "fast"}});
  EXPECT_LE(twice, 2 * base);
  EXPECT_GE(twice, 1.94 * static_cast<double>(base));
  EXPECT_EQ(twice, macs({.base = "mobilenet_v2", .target_macs = std::to_string(2 * base), .rule = {.rule = "fast"}}));
}

TEST(Scale, CompareRefusals) {
  CapturedOutput captured;
  const auto refused = [&](const ScaleOptions& options) {
    return refusal([&] { run_compare_rules(options, {.threads = {1}}, captured.out); });
  };
  const char* base = "mobilenet_v2";
  EXPECT_EQ(refused({.base = base, .target_params = "3M"}),
            "2 --compare: choose one number of MACs (got --target-params, expected --target-macs, --factor or --phi)");
  EXPECT_EQ(
      refused({.base = base, .phi = 1, .factor = 2}),
      "2 --compare: choose one number of MACs (got --phi and --factor, expected --target-macs, --factor or --phi)");
  EXPECT_EQ(refused({.base = base, .rule = {.rule = "fast"}}),
            "2 --compare shows all rules (got --rule or --dims, expected neither)");
  EXPECT_EQ(refused({.base = base, .out = "x.toml"}), "2 --compare: -o needs one network (got x.toml, expected no -o)");
  EXPECT_EQ(refused({.base = base, .target_macs = "9"}).substr(0, 65),
            "2 --compare: no rule has a network this small (got 9 MACs, expect");
  EXPECT_EQ(refused({.base = base, .target_macs = "1e19"}),
            "2 --compare: too many MACs (got 1e+19, expected at most 1e+18)");
}

TEST(Scale, ListsOfRules) {
  EXPECT_EQ(parse_rules({}).size(), 1U);
  EXPECT_EQ(parse_rules({.rule = "all"}).size(), arch::rules().size());
  const std::vector<arch::RuleChoice> both =
      parse_rules({.rule = "fast,uniform,capped", .coefficients = {.alpha = 1.5}, .dims = "dw"});
  ASSERT_EQ(both.size(), 3U);
  EXPECT_EQ(both[0].coefficients, arch::Coefficients{});
  EXPECT_EQ(both[0].dimensions, arch::Dimensions{});
  EXPECT_FALSE(both[1].dimensions.resolution);
  EXPECT_EQ(both[2].coefficients.alpha, 1.5);
  const auto refused = [](const RuleOptions& options) { return refusal([&] { parse_rules(options); }); };
  EXPECT_EQ(refused({.rule = "fast,width,fast"}),
            "2 --rule: the same rule twice (got 'fast,width,fast', expected each rule once)");
  EXPECT_EQ(refused({.rule = "fast,"}).substr(0, 42), "2 --rule: unknown scaling rule (got '', ex");
  EXPECT_EQ(refused({.rule = "fast,width", .dims = "d"}),
            "2 --dims: this rule has fixed dimensions (got --rule fast,width, expected compound or uniform)");
  // Only scale frontier has lists.
  EXPECT_EQ(refusal([] { parse_rule({.rule = "fast,width"}); }).substr(0, 52),
            "2 --rule: unknown scaling rule (got 'fast,width', ex");
}

TEST(Scale, RequiresExactlyOneWayOfScaling) {
  CapturedOutput captured;
  const auto refused = [&](const ScaleOptions& options) {
    return refusal([&] { run_scale(options, {.threads = {1}}, captured.out); });
  };
  const std::string kWays = "expected --phi, or --factor, or --depth/--width/--resolution, or one --target option)";
  EXPECT_EQ(refused({.base = "mobilenet_v2"}), "2 choose one way of scaling (got none, " + kWays);
  EXPECT_EQ(refused({.base = "mobilenet_v2", .phi = 1, .width = 2, .target_macs = "1G"}),
            "2 choose one way of scaling (got --phi and --depth/--width/--resolution and --target-macs, " + kWays);
  EXPECT_EQ(refused({.base = "mobilenet_v2", .phi = 1, .rule = {.dims = "dx"}}),
            "2 --dims: unknown dimension (got 'dx', expected one or more of the letters d, w, r)");
  EXPECT_EQ(refused({.base = "mobilenet_v2", .phi = 61}), "2 --phi: out of range (got 61, expected -60 to 60)");
  EXPECT_EQ(refused({.base = "mobilenet_v2", .resolution = "96x64"}),
            "2 --resolution: a scaled network is square (got 96x64, expected one number)");
  EXPECT_EQ(refused({.base = "mobilenet_v2", .phi = 1, .rule = {.coefficients = {.alpha = 0.5}}}),
            "2 --alpha: out of range (got 0.5, expected 1 to 10; the paper requires at least 1)");
}

TEST(Scale, WritesTheArchFile) {
  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string path = (folder.path() / "half.toml").string();
  CapturedOutput captured;
  const ScaleResult half = run_scale({.base = "mobilenet_v2", .width = 0.5, .resolution = "96", .out = path},
                                     {.threads = {1}}, captured.out);
  EXPECT_EQ(half.scaling.resolution, 96);
  EXPECT_LT(half.costs.params, half.base_costs.params);
  EXPECT_EQ(read_text(path), half.arch);
  EXPECT_EQ(run_inspect({.model = path}).costs.params, half.costs.params);
  EXPECT_EQ(captured.results.text() + captured.messages.text(), "");
}

TEST(Scale, FamilyOfOneBase) {
  const FamilyResult family = run_family({.base = "efficientnet_lite0"});
  ASSERT_EQ(family.rows.size(), 5U);
  EXPECT_EQ(family.rows[4].variant->name, "efficientnet_lite4");
}

TEST(Scale, FamilyHasNoOtherOptions) {
  const auto refused = [](const ScaleOptions& options) { return refusal([&] { run_family(options); }); };
  EXPECT_EQ(refused({.base = "efficientnet_b0", .compare = true}),
            "2 --family: it shows the published scalings (got --compare too, expected no other option than --alpha, "
            "--beta and --gamma)");
  EXPECT_EQ(refused({.base = "efficientnet_b0", .phi = 1, .out = "x.toml"}).substr(0, 67),
            "2 --family: it shows the published scalings (got --phi and -o too, ");
  EXPECT_EQ(refused({.base = "efficientnet_b0", .rule = {.coefficients = {.alpha = 1.3}}}), "");
  // phi is a logarithm to the base alpha*beta^2*gamma^2.
  EXPECT_EQ(refused({.base = "efficientnet_b0", .rule = {.coefficients = {.alpha = 1, .beta = 1, .gamma = 1}}}),
            "2 --family: no phi gives the published scalings, because these coefficients scale nothing (got "
            "alpha*beta^2*gamma^2 = 1, expected --alpha, --beta or --gamma above 1)");
  EXPECT_EQ(refused({.base = "efficientnet_b0", .rule = {.coefficients = {.alpha = 1, .beta = 1, .gamma = 1.1}}}), "");
  EXPECT_EQ(refused({.base = "./my.toml"}),
            "3 --family: unknown model (got './my.toml', expected a name from 'effnet models')");
}

TEST(Scale, TargetsRefuseOtherUnits) {
  CapturedOutput captured;
  const auto refused = [&](const ScaleOptions& options) {
    return refusal([&] { run_scale(options, {.threads = {1}}, captured.out); });
  };
  EXPECT_EQ(refused({.base = "mobilenet_v2", .target_macs = "64MiB"}),
            "2 --target-macs: wrong value (got '64MiB', expected a number of MACs above 0, such as 390M or 1.8G)");
  EXPECT_EQ(refused({.base = "mobilenet_v2", .target_latency = "5M"}).substr(0, 45),
            "2 --target-latency-ms: wrong value (got '5M',");
  EXPECT_EQ(refused({.base = "mobilenet_v2", .target_params = "3"}).substr(0, 53),
            "2 the target cannot be reached (got 3 parameters, exp");
}

// 3 % of 10 ms are 0.3 ms.
TEST(ScaleResults, ALatencyFarFromItsTargetIsAWarning) {
  EXPECT_EQ(latency_warning(10, 9.8, 9.75), "");
  EXPECT_EQ(latency_warning(10, 9.9, 10.2), "") << "above by less than the tolerance";
  EXPECT_EQ(latency_warning(10, 8, 8.1),
            "the latency is not within 3 % of the target (got 8 ms and, measured again, 8.1 ms, expected 10 ms): the "
            "rule has no nearer network, or the machine was busy during the search");
  EXPECT_EQ(latency_warning(10, 9.8, 14.7),
            "the latency is not within 3 % of the target (got 9.8 ms and, measured again, 14.7 ms, expected 10 ms): "
            "the second differs from the first by +50 %, so the machine is busy or its clock changes; repeat the "
            "command on an idle machine");
  EXPECT_NE(latency_warning(10, 9.8, 4.9).find("by -50 %"), std::string::npos);
  EXPECT_NE(latency_warning(10, 9, 9.8), "") << "the first is too far";
}

TEST(ScaleResults, ALatencyIsShownWithItsSecondMeasurement) {
  CapturedOutput captured;
  ScaleResult result = run_scale({.base = "mobilenet_v2", .phi = 0}, {.threads = {1}}, captured.out);
  result.timing = Timing{.ms = {2, 4, 9}, .mean_ms = 5};
  result.again_ms = 4.5;
  EXPECT_NE(to_text(result).find("latency    4.000 ms, median of 3 runs on 1 thread; measured again 4.500 ms\n"),
            std::string::npos);
  EXPECT_EQ(to_json(result)["latency_ms"], 4);
  EXPECT_EQ(to_json(result)["measured"]["again_ms"], 4.5);
}

// MACs and parameters do not depend on dropout.
TEST(ScaleResults, DropoutIsThePublishedOneOrThatOfTheBase) {
  CapturedOutput captured;
  const auto scaled = [&](const ScaleOptions& options) { return run_scale(options, {.threads = {1}}, captured.out); };
  const ScaleResult raised = scaled({.base = "efficientnet_b0", .phi = 7});
  EXPECT_EQ(raised.scaling.spec.dropout, 0.5);
  EXPECT_NE(raised.arch.find("\ndropout = 0.5\ndrop_path = 0.2\n"), std::string::npos) << raised.arch;
  EXPECT_NE(to_text(raised).find("\ndropout    0.5, by the published rule of this family; drop path 0.2 as in effic"),
            std::string::npos);
  for (const ScaleOptions& options : {ScaleOptions{.base = "efficientnet_b0", .width = 2},
                                      ScaleOptions{.base = "efficientnet_b0", .phi = 1, .rule = {.rule = "fast"}},
                                      ScaleOptions{.base = "mobilenet_v2", .phi = 1}}) {
    const ScaleResult kept = scaled(options);
    EXPECT_EQ(kept.scaling.spec.dropout, 0.2) << options.base;
    EXPECT_NE(to_text(kept).find(fmt::format("\ndropout    0.2 and drop path {:g} are those of {}; effnet train --set ",
                                             kept.scaling.spec.drop_path, options.base)),
              std::string::npos);
  }
}

TEST(ScaleResults, AnotherRule) {
  CapturedOutput captured;
  const ScaleResult capped =
      run_scale({.base = "efficientnet_b0", .phi = 7, .rule = {.rule = "capped"}}, {.threads = {1}}, captured.out);
  EXPECT_EQ(to_json(capped)["resolution"], 480);
  EXPECT_NE(to_text(capped).find("resolution: --rule capped --phi 7 makes this network again\n"), std::string::npos);
  EXPECT_EQ(to_json(capped)["late_depth"], capped.scaling.late_depth);
  EXPECT_NE(to_text(capped).find("\ndepth of the later stages: 1.541 times more\n"), std::string::npos);
  const ScaleResult fast =
      run_scale({.base = "efficientnet_b0", .phi = 1, .rule = {.rule = "fast"}}, {.threads = {1}}, captured.out);
  EXPECT_EQ(to_json(fast)["constraint"], 2);
  EXPECT_FALSE(to_json(fast).contains("late_depth"));
  EXPECT_NE(to_text(fast).find("\nrule fast: d = s^0.1, w = s^0.4, r = s^0.05 (Dollar"), std::string::npos);
}

// The first line has what makes the network again, and the target is beside what was reached.
TEST(ScaleResults, ATarget) {
  CapturedOutput captured;
  const ScaleResult result =
      run_scale({.base = "efficientnet_b0", .target_memory = "20MB"}, {.threads = {1}}, captured.out);
  const std::int64_t bytes = to_json(result)["activations"]["peak_bytes"].get<std::int64_t>();
  EXPECT_EQ(result.reached, static_cast<double>(bytes));
  const std::string text = to_text(result);
  EXPECT_NE(text.find(fmt::format("\nmemory     {} bytes of activations\ntarget     at most 20,000,000 bytes: {:.1f} % "
                                  "of it reached\n",
                                  grouped(bytes), static_cast<double>(bytes) / 2e5)),
            std::string::npos)
      << text;
  const ScaleResult again = run_scale({.base = "efficientnet_b0",
                                       .depth = result.scaling.depth,
                                       .width = result.scaling.width,
                                       .resolution = std::to_string(result.scaling.resolution)},
                                      {.threads = {1}}, captured.out);
  arch::ArchSpec same = again.scaling.spec;
  EXPECT_EQ(same.dropout, 0.2);  // the paper's dropout is for a phi: 0.2 for phi = 0 to 0.5 for phi = 7
  EXPECT_NEAR(result.scaling.spec.dropout, 0.2 + 0.3 * *result.scaling.phi / 7, 0.0005001);
  same.dropout = result.scaling.spec.dropout;
  EXPECT_EQ(same, result.scaling.spec);
  EXPECT_EQ(text.rfind(
                fmt::format("efficientnet_b0 scaled by depth {}, width {} to {} px  (phi = {})\n", result.scaling.depth,
                            result.scaling.width, result.scaling.resolution, *result.scaling.phi),
                0),
            0U)
      << text;
  EXPECT_EQ(to_text(again).find("target"), std::string::npos);
  const ScaleResult tinynet = run_scale({.base = "efficientnet_b0", .target_macs = "300M", .rule = {.rule = "tinynet"}},
                                        {.threads = {1}}, captured.out);
  EXPECT_NE(to_text(tinynet).find("\nthe rule changes more than depth, width and resolution: -"), std::string::npos);
}

TEST(ScaleResults, Compare) {
  CapturedOutput captured;
  ScaleOptions options{.base = "efficientnet_b0", .factor = 0.3, .no_latency = true};
  CompareRulesResult result = run_compare_rules(options, {.threads = {1}}, captured.out);
  ASSERT_EQ(result.rows.size(), arch::rules().size());
  EXPECT_EQ(result.target_macs, 115744425) << "0.3 * 385,814,752, rounded down";
  Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"base", "target_macs", "rows"}));
  const Keys row{"rule", "phi",    "depth",       "late_depth", "width",        "resolution",
                 "macs", "params", "activations", "reached",    "smallest_macs"};
  for (const Json& one : document["rows"]) EXPECT_EQ(keys(one), row);
  EXPECT_TRUE(document["rows"][0]["reached"]);
  EXPECT_TRUE(document["rows"][4]["macs"].is_null()) << "depth alone: one block per stage costs more";
  EXPECT_FALSE(document["rows"][4]["reached"]);
  EXPECT_GT(document["rows"][4]["smallest_macs"], 115744425);
  EXPECT_LT(document["rows"][0]["smallest_macs"], 115744425);
  const std::string text = to_text(result);
  EXPECT_NE(text.find(fmt::format("\n\ndepth: the smallest network of this rule has {} MACs, more than the target\n",
                                  grouped(result.rows[4].smallest_macs))),
            std::string::npos)
      << text;
  EXPECT_NE(to_text(result).find("efficientnet_b0 scaled by each rule to at most 115,744,425 MACs"), std::string::npos);
  for (CompareRulesResult::Row& one : result.rows) {
    if (one.network) one.network->timing = Timing{.ms = {2, 4, 9}, .mean_ms = 5};
  }
  document = to_json(result);
  EXPECT_EQ(keys(document["measured"]), (Keys{"threads", "batch", "isa"}));
  EXPECT_EQ(document["rows"][0]["latency_ms"], 4);
  EXPECT_TRUE(document["rows"][4]["latency_ms"].is_null());
  EXPECT_NE(to_text(result).find("4.00 ms"), std::string::npos);
}

}  // namespace
}  // namespace effnet::cli

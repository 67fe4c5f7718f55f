// Tests of both renderings, JSON (with the fields of docs/cli.md) and text, for results that the tests fill in.
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/data.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/doctor.h"
#include "effnet/cli/export.h"
#include "effnet/cli/import.h"
#include "effnet/cli/inspect.h"
#include "effnet/cli/models.h"
#include "effnet/cli/paper.h"
#include "effnet/cli/pull.h"
#include "effnet/cli/report.h"
#include "effnet/cli/scale.h"
#include "effnet/cli/scale_family.h"

namespace effnet::cli {
namespace {

TEST(Results, Models) {
  const ModelsResult result{{{"a_net", "a", 64, 1234567, 89}}};
  EXPECT_EQ(to_json(result).dump(), R"([{"name":"a_net","family":"a","resolution":64,"params":1234567,"macs":89}])");
  const std::string text = to_text(result);
  EXPECT_NE(text.find("a_net"), std::string::npos);
  EXPECT_NE(text.find("1,234,567"), std::string::npos);
  EXPECT_EQ(to_json(ModelsResult{}).dump(), "[]");
  EXPECT_EQ(to_text(ModelsResult{}), "No network has such a name; effnet models lists all.\n");
}

TEST(Results, Inspect) {
  InspectResult result = run_inspect({.model = "mobilenet_v2"});
  const Keys plain{"name",          "resolution", "classes",       "params",      "params_without_classifier",
                   "bn_statistics", "macs",       "weights_bytes", "activations", "stages",
                   "preprocessing"};
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), plain);
  EXPECT_EQ(keys(document["activations"]), (Keys{"largest_bytes", "peak_bytes"}));
  EXPECT_EQ(keys(document["stages"][0]), (Keys{"channels", "repeats", "resolution"}));
  EXPECT_EQ(keys(document["preprocessing"]),
            (Keys{"resolution", "resize", "crop", "order", "filter", "mean", "std", "rule"}));
  EXPECT_EQ(to_text(result).rfind("mobilenet_v2 at 224 px, 1000 classes\n\n", 0), 0U);
  EXPECT_EQ(to_text(result).find("classifier.weight"), std::string::npos);
  result.calibration = {.temperature = 1.25, .min_score = 0.5};
  EXPECT_EQ(to_json(result)["calibration"].dump(), R"({"temperature":1.25,"min_score":0.5})");
  EXPECT_TRUE(to_text(result).ends_with("\ncalibration: temperature 1.25, \"not sure\" below a score of 50.0 %\n"));
  result.layers = true;
  const Json with_layers = to_json(result);
  EXPECT_EQ(with_layers["layers"].size(), result.graph.nodes.size());
  EXPECT_EQ(keys(with_layers["layers"][1]),
            (Keys{"name", "op", "kernel", "stride", "groups", "in", "out", "params", "macs"}));
  EXPECT_GT(to_text(result).size(), 5000U);
}

TEST(Results, Scale) {
  CapturedOutput captured;
  ScaleResult result = run_scale({.base = "mobilenet_v2", .phi = -1}, {.threads = {3}}, captured.out);
  const Keys plain{"base", "phi",         "rule",       "depth", "width",  "resolution", "params",
                   "macs", "activations", "constraint", "ratio", "stages", "arch"};
  EXPECT_EQ(keys(to_json(result)), plain);
  EXPECT_EQ(keys(to_json(result)["ratio"]), (Keys{"params", "macs"}));
  EXPECT_EQ(to_json(result)["phi"], -1);
  EXPECT_NE(to_text(result).find("(phi = -1)"), std::string::npos);
  result.scaling.phi.reset();
  result.timing = Timing{.ms = {2, 4, 9}, .mean_ms = 5};
  const Json timed = to_json(result);
  EXPECT_TRUE(timed["phi"].is_null());
  EXPECT_EQ(timed["latency_ms"], 4);
  EXPECT_EQ(keys(timed["measured"]), (Keys{"threads", "batch", "isa", "runs", "min_ms"}));
  EXPECT_NE(to_text(result).find("latency    4.000 ms, median of 3 runs on 3 threads"), std::string::npos);
  result.out = "a.toml";
  EXPECT_TRUE(to_text(result).ends_with("\nwritten to a.toml; try: effnet inspect a.toml\n"));
  result.out = "-";
  EXPECT_EQ(to_text(result), result.arch);
}

TEST(Results, ScaleFamily) {
  const FamilyResult family = run_family({.base = "efficientnet_lite0"});
  const Json rows = to_json(family);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(keys(rows[0]),
            (Keys{"name", "depth", "width", "resolution", "formula", "params", "macs", "paper", "stages"}));
  EXPECT_EQ(keys(rows[0]["formula"]), (Keys{"phi", "depth", "width", "resolution"}));
  EXPECT_NE(to_text(family).find("efficientnet_lite4"), std::string::npos);
}

TEST(Results, Pull) {
  const PullResult result{"a", "/home/a.safetensors", "12", "pypi:p==1/f", "34"};
  EXPECT_EQ(to_json(result).dump(),
            R"({"name":"a","path":"/home/a.safetensors","sha256":"12","source":"pypi:p==1/f","source_sha256":"34"})");
  EXPECT_EQ(to_text(result), "a is at /home/a.safetensors\nfrom pypi:p==1/f\n");
}

TEST(Results, Import) {
  ImportResult result;
  result.file = "a.pth";
  result.out = "b.safetensors";
  result.arch.name = "net";
  result.arch.classes = 10;
  result.report.format = "pth";
  result.report.source = "timm";
  result.report.tensors = 3;
  result.report.params = 1234;
  EXPECT_EQ(keys(to_json(result)), (Keys{"arch", "format", "source", "tensors", "params", "bn_epsilon", "padding",
                                         "prefix", "averaged", "unused", "path"}));
  EXPECT_EQ(to_json(result)["unused"].dump(), "[]");
  EXPECT_EQ(to_text(result).find("not used"), std::string::npos);
  EXPECT_EQ(to_text(result).rfind("a.pth: net from timm, 3 tensors, 1,234 parameters\n", 0), 0U);
  result.report.unused = {"x", "y"};
  EXPECT_NE(to_text(result).find("not used: 2 tensors ('x', ...)\n"), std::string::npos);
  EXPECT_TRUE(to_text(result).ends_with("try: effnet predict b.safetensors IMAGE\n"));
}

TEST(Results, Export) {
  ExportResult result{"a.pth", "pth", "timm", "file", 7, {}};
  EXPECT_EQ(to_json(result).dump(),
            R"({"path":"a.pth","format":"pth","names":"timm","tensors":7,"weights":"file","max_abs_diff":null})");
  EXPECT_EQ(to_text(result), "7 tensors written to a.pth\n");
  result.max_abs_diff = 0.5;
  EXPECT_EQ(to_json(result)["max_abs_diff"], 0.5);
  EXPECT_EQ(to_text(result), "7 tensors written to a.pth\nread back: logits differ by at most 0.5\n");
}

TEST(Results, DataCheck) {
  DataCheckResult result{"set", {}};
  data::DataReport& report = result.report;
  report.splits = {"train", "val"};
  report.images = 6;
  report.classes = {{"cat", {3, 1}}, {"dog", {2, 0}}};
  report.broken = {{"train/cat/a.jpg", "cut off"}};
  report.duplicates = {{{"train/cat/b.jpg", "val/cat/c.jpg"}, true, true}};
  report.turned = {{"train/dog/d.jpg", 6}};
  report.near_duplicates = {{{"train/cat/b.jpg", "train/dog/d.jpg"}, false, true}};
  report.notes = {"few images"};
  report.missing = {{"dog", "val"}};
  report.skipped = {{"set/notes.txt", "no image"}};
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"images", "splits", "classes", "broken", "duplicates", "leaks", "conflicts", "turned",
                                  "missing", "skipped", "near_duplicates", "notes"}));
  EXPECT_EQ(document["classes"][0].dump(), R"({"name":"cat","images":4,"splits":{"train":3,"val":1}})");
  EXPECT_EQ(document["broken"][0].dump(), R"({"path":"set/train/cat/a.jpg","why":"cut off"})");
  EXPECT_EQ(document["duplicates"].dump(), R"([["set/train/cat/b.jpg","set/val/cat/c.jpg"]])");
  EXPECT_EQ(document["leaks"], document["duplicates"]);
  EXPECT_EQ(document["conflicts"], document["duplicates"]);
  EXPECT_EQ(document["near_duplicates"].dump(), R"([["set/train/cat/b.jpg","set/train/dog/d.jpg"]])");
  EXPECT_EQ(document["notes"].dump(), R"(["few images"])");
  EXPECT_EQ(document["turned"][0].dump(), R"({"path":"set/train/dog/d.jpg","orientation":6})");
  EXPECT_EQ(document["missing"][0].dump(), R"({"class":"dog","split":"val"})");
  const std::string text = to_text(result);
  EXPECT_EQ(text.rfind("6 images in 2 classes (train 5, val 1)\n\n", 0), 0U) << text;
  for (const char* line : {"largest class / smallest: 2.0\n", "corrupt: 1\n  'train/cat/a.jpg': cut off\n",
                           "  'train/cat/b.jpg' = 'val/cat/c.jpg'  [across splits: a leak]  [different labels]\n",
                           "  'train/dog/d.jpg': orientation 6\n", "  'dog' in val\n",
                           "near-duplicates: 1\n  'train/cat/b.jpg' ~ 'train/dog/d.jpg'  [different labels]\n",
                           "files not read: 1\n  'set/notes.txt': no image\n", "note: few images\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
}

TEST(Results, DataCheckShortensLongLists) {
  DataCheckResult result{"set", {}};
  result.report.splits = {"."};
  for (int i = 0; i < 25; ++i) result.report.classes.push_back({fmt::format("c{}", i), {i + 1}});
  for (int i = 0; i < 12; ++i) result.report.broken.push_back({fmt::format("b{}", i), "cut off"});
  const std::string text = to_text(result);
  for (const char* line : {" (not split: effnet finetune splits them itself; effnet train needs", "... 5 more", "'c24'",
                           "'c0'", "  ... 2 more (--json lists all)\n", "duplicates: none\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
  EXPECT_EQ(text.find("'c12'"), std::string::npos);
  EXPECT_EQ(to_json(result)["broken"].size(), 12U);
}

TEST(Results, DataSplit) {
  DataSplitResult result;
  result.check.folder = "set";
  result.check.report.splits = {"train", "val", "test"};
  result.check.report.images = 6;
  result.check.report.classes = {{"cat", {3, 1, 1}}, {"dog", {1, 0, 0}}};
  result.check.report.notes = {"few images"};
  result.images = {3, 1, 1};
  result.path = "out";
  result.written = {.linked = 4, .copied = 1, .left_out = {3}};
  result.notes = {"two groups"};
  const Json document = to_json(result);
  EXPECT_EQ(document["splits"].dump(), R"({"train":3,"val":1,"test":1})");
  EXPECT_EQ(document["notes"].dump(), R"(["few images","two groups"])");
  EXPECT_EQ(document["linked"], 4);
  EXPECT_EQ(document["copied"], 1);
  EXPECT_EQ(document["path"], "out");
  std::string text = to_text(result);
  for (const char* line : {"note: two groups\n", "note: left out: 1 corrupt image\n",
                           "written to out: train 3, val 1, test 1\n", "1 images are copies", "4 are hard links\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
  result.written = {.linked = 5, .copied = 0, .left_out = {}};
  text = to_text(result);
  EXPECT_NE(text.find("all images are hard links"), std::string::npos) << text;
  EXPECT_EQ(text.find("left out"), std::string::npos) << text;
}

TEST(Results, Report) {
  EXPECT_EQ(to_json(ReportResult{"a.html", "<html>"}).dump(), R"({"path":"a.html"})");
  EXPECT_EQ(to_text(ReportResult{"a.html", "<html>"}), "written to a.html\n");
  EXPECT_EQ(to_text(ReportResult{"-", "<html>"}), "<html>");
}

TEST(Results, Paper) {
  paper::Item item{.id = "table9", .title = "Table 9: x", .about = "About.", .tables = {}, .drawings = {}, .notes = {}};
  PaperResult result{.items = {item}};
  EXPECT_EQ(to_json(result)["table"], "table9");
  EXPECT_EQ(to_text(result).rfind("Table 9: x\n\nAbout.\n", 0), 0U);
  result.markdown = true;
  EXPECT_EQ(to_text(result).rfind("# Table 9: x\n\nAbout.\n", 0), 0U);
  result.items.push_back(item);
  result.all = true;
  EXPECT_EQ(keys(to_json(result)), (Keys{"items", "paper"}));
  EXPECT_EQ(to_json(result)["items"].size(), 2U);
  EXPECT_NE(to_text(result).find("\n\n# Table 9"), std::string::npos);
}

TEST(Results, Doctor) {
  DoctorResult result{.version = "1",
                      .cpu = "a cpu",
                      .isa = {"portable", "avx2"},
                      .chosen_isa = "avx2",
                      .threads = 2,
                      .memory_bytes = 4096,
                      .libraries = {{"libpng", "1.6"}}};
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"version", "cpu", "isa", "chosen_isa", "threads", "memory_bytes", "home", "libraries",
                                  "train", "problems"}));
  EXPECT_TRUE(document["home"].is_null());
  EXPECT_EQ(document["train"].dump(), R"({"found":false,"path":null})");
  EXPECT_EQ(document["problems"].dump(), "[]");
  EXPECT_EQ(to_text(result),
            "effnet 1\ncpu       a cpu\nisa       portable avx2 (chosen: avx2)\nthreads   2\nmemory    4,096 bytes\n"
            "home      none\nlibrary   libpng 1.6\ntraining  effnet-train was not found; make train builds it\n"
            "no problems\n");
  result.home = "/h";
  result.train = "/b/effnet-train";
  result.problems = {"a problem"};
  EXPECT_EQ(to_json(result)["train"].dump(), R"({"found":true,"path":"/b/effnet-train"})");
  EXPECT_NE(to_text(result).find("training  /b/effnet-train (LibTorch unknown)\nproblem   a problem\n"),
            std::string::npos);
  result.train_facts = {{"version", "1"}, {"libtorch", "1.13"}};
  EXPECT_EQ(keys(to_json(result)["train"]), (Keys{"found", "path", "version", "libtorch"}));
  EXPECT_NE(to_text(result).find("(LibTorch 1.13)"), std::string::npos);
}

TEST(Results, Sizes) {
  EXPECT_EQ(to_json(Size{224, 224}).dump(), "224");
  EXPECT_EQ(to_json(Size{224, 97}).dump(), "[224,97]");
  for (const float value : {0.1F, 1e-42F, 3.4028235e38F, -7.0F}) EXPECT_EQ(static_cast<float>(shortest(value)), value);
  EXPECT_EQ(Json(shortest(0.1F)).dump(), "0.1");
}

}  // namespace
}  // namespace effnet::cli

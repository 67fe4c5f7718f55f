#include "effnet/report/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/report/events.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/run_folder.h"

namespace effnet::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A JPEG's start-of-image marker and a frame header with 8 bits per channel, height 16 and width 32.
Jpeg tiny_jpeg() {
  Jpeg jpeg;
  for (const int byte : {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 32, 1, 1, 0x11, 0})
    jpeg.push_back(static_cast<std::byte>(byte));
  return jpeg;
}

class RunReport : public testing::Test {
 protected:
  void SetUp() override {
    write("config.toml", "[model]\nname = \"mynet\"\n# a <comment>\n");
    write("metrics.csv", std::string(metrics_header()) + metrics_line({1, 10, 0.1, 2, 30, 1.5, 40, 80, {}, 100}) +
                             metrics_line({2, 20, 0.05, 1, 50, 1.25, 55.5, 90, 56.25, 110}));
  }
  void write(const std::string& name, const std::string& text) { write_text(folder_.path() / name, text); }
  std::string report(const ReportParts& parts = {}) { return run_report(folder_.path(), parts); }
  std::string error() {
    try {
      report();
    } catch (const Error& caught) {
      EXPECT_EQ(caught.code(), ErrorCode::input);
      return caught.what();
    }
    return "no error";
  }
  std::string hint() {
    try {
      report();
    } catch (const Error& caught) {
      return caught.hint();
    }
    return "no error";
  }
  TemporaryFolder folder_;
};

TEST_F(RunReport, OfAnUnfinishedRunHasTheBestEpochSoFar) {
  const std::string page = report();
  EXPECT_THAT(page, AllOf(HasSubstr("mynet \xC2\xB7 not finished"), HasSubstr("<b>56.25<small> %</small></b>"),
                          HasSubstr("best validation top-1, epoch 2"), HasSubstr("epochs so far</dt><dd>2")));
  EXPECT_THAT(page, HasSubstr("There is no predictions.csv"));
  EXPECT_THAT(page, Not(HasSubstr("95 % interval")));
  EXPECT_THAT(page, HasSubstr("<span class=\"comment\"># a &lt;comment&gt;</span>"));
}

// The best epoch is the one with the best averaged weights, even if the weights of another epoch without averaging were
// better.
TEST_F(RunReport, HeadlineAndRingUseTheAveragedWeights) {
  write("metrics.csv", std::string(metrics_header()) + metrics_line({1, 10, 0.1, 2, 30, 1.5, 96, 99, 50, 100}) +
                           metrics_line({2, 20, 0.1, 2, 30, 1.5, 60, 99, 95.5, 100}) +
                           metrics_line({3, 30, 0.1, 2, 30, 1.5, 60, 99, 95, 100}));
  EXPECT_THAT(report(), AllOf(HasSubstr("<b>95.50<small> %</small></b>"), HasSubstr("best validation top-1, epoch 2"),
                              HasSubstr("best validation top-1: 95.50 % at epoch 2.")));
}

TEST_F(RunReport, OfAFinishedRunHasSummaryAndPredictions) {
  write("summary.json", R"({"best_top1": 75, "best_epoch": 2, "epochs": 2, "seconds": 3725, "params": 5288548,
    "macs": 386000000, "images_per_second": 105, "device": "cpu", "world_size": 2, "peak_rss_bytes": 1610612736,
    "note": "<i>", "data": "/some/<where>"})");
  std::vector<Prediction> predictions(4, {"a.jpg", 0, 0, 0.9F, 0.9F});
  predictions[3] = {"b<c>.jpg", 1, 0, 0.875F, 0.125F};
  write("predictions.csv", predictions_text(predictions));
  std::vector<std::string> requested;
  const std::string page = report({.classes = {"cat", "<dog>"}, .thumbnail = [&](const std::string& name) {
                                     requested.push_back(name);
                                     return tiny_jpeg();
                                   }});
  // The Wilson interval for 3 right of n = 4, with z = 1.959964: z^2 / 2n = 0.480182, 1 + z^2 / n = 1.960365, so the
  // centre is (0.75 + 0.480182) / 1.960365 = 0.627527 and the half width is 1.959964 sqrt(0.046875 + 0.060023) /
  // 1.960365 = 0.326885.
  EXPECT_THAT(page, AllOf(HasSubstr("<b>75.00<small>"), HasSubstr("95 % interval 30.06 to 95.44 %<br>on 4 images")));
  EXPECT_THAT(page, AllOf(HasSubstr("1 h 02 min"), HasSubstr("5.29M"), HasSubstr("386M"), HasSubstr("1.5 GiB"),
                          HasSubstr("processes</dt><dd>2"), HasSubstr("/some/&lt;where&gt;"),
                          HasSubstr("note</dt><dd>&lt;i&gt;"), HasSubstr("1 of 4 images")));
  EXPECT_EQ(requested, std::vector<std::string>{"b<c>.jpg"});
  EXPECT_THAT(
      page,
      AllOf(
          HasSubstr("<img class=\"tiny\" alt=\"b&lt;c&gt;.jpg\" src=\"data:image/jpeg;base64,/9j/wAALCAAQACABAREA\">"),
          HasSubstr("87.5 %"), HasSubstr("b&lt;c&gt;.jpg"), HasSubstr("&lt;dog&gt;")));
  // The name of the HTML class is the same in the body and in report.css.
  EXPECT_THAT(page, AllOf(HasSubstr("<div class=\"image\">"), HasSubstr(".mistake .image {")));
  // The confidences (three times 0.9, once 0.875) are in one bin, (0.867, 0.933]. The calibration error is |accuracy -
  // mean confidence| = |0.75 - 0.89375| = 14.37 %.
  EXPECT_THAT(page, HasSubstr("14.3"));
}

TEST_F(RunReport, HeadlinePrefersTestTop1) {
  write("summary.json", R"({"best_top1": 80, "best_epoch": 2, "test_top1": 50})");
  write("predictions.csv", predictions_text({{"a", 0, 0, 1, 1}, {"b", 1, 0, 1, 0}}));
  EXPECT_THAT(report(), AllOf(HasSubstr("<b>50.00<small>"), HasSubstr("on 2 images"),
                              HasSubstr("80.00 % on the held-out images, by which the epoch was selected"),
                              HasSubstr("probability of 0")));
}

// Without held-out images, the saved model is the one of the last epoch. The best epoch's accuracy is biased, because
// the same images select and measure it.
TEST_F(RunReport, HeadlinePrefersTheSavedModelToTheBestEpoch) {
  write("summary.json", R"({"best_top1": 80, "best_epoch": 2})");
  write("predictions.csv", predictions_text({{"a", 0, 0, 1, 1}, {"b", 1, 0, 1, 0}}));
  EXPECT_THAT(report(), AllOf(HasSubstr("<b>50.00<small>"), HasSubstr("validation top-1 of the saved model"),
                              HasSubstr("best validation top-1: 80.00 %, epoch 2")));
}

TEST_F(RunReport, MissingImagesHaveAPlaceholder) {
  write("predictions.csv", predictions_text({{"a", 0, 1, 0.5F, 0.25F}}));
  EXPECT_THAT(report(), HasSubstr("no image"));
  EXPECT_THAT(report({.thumbnail = [](const std::string&) -> Jpeg { throw input_error("gone"); }}),
              HasSubstr("no image"));
  EXPECT_THAT(report({.thumbnail = [](const std::string&) { return Jpeg(100); }}), HasSubstr("no image"));
  EXPECT_THROW(report({.thumbnail = [](const std::string&) -> Jpeg { throw environment_error("no memory"); }}), Error);
}

TEST_F(RunReport, ErrorsNameTheFile) {
  write("summary.json", "{\"epochs\": 1");
  EXPECT_THAT(error(), HasSubstr("summary.json: corrupt"));
  write("summary.json", "{\"epochs\": \"many\"}");
  EXPECT_THAT(error(), AllOf(HasSubstr("summary.json: epochs"), HasSubstr("expected a number")));
  write("summary.json", std::string(100000, '['));
  EXPECT_THAT(error(), HasSubstr("summary.json: corrupt"));
  write("summary.json", "{\"best_top1\": null, \"seconds\": 1e999}");
  EXPECT_THAT(error(), HasSubstr("summary.json: corrupt"));
  write("summary.json",
        "{\"best_top1\": null, \"epochs\": -1, \"seconds\": -5, \"macs\": 1e308, \"best_epoch\": 1e300}");
  EXPECT_EQ(error(), "no error");
  write("predictions.csv", "name,label\n");
  EXPECT_THAT(error(), HasSubstr("predictions.csv:1"));
  std::filesystem::remove(folder_.path() / "predictions.csv");
  write("config.toml", "[model\n");
  EXPECT_THAT(error(), HasSubstr("config.toml:1"));
  std::filesystem::remove(folder_.path() / "config.toml");
  EXPECT_THAT(error(), HasSubstr("not a run folder (config.toml is missing"));
  try {
    run_report(folder_.path() / "none", {});
    FAIL();
  } catch (const Error& caught) {
    EXPECT_EQ(caught.code(), ErrorCode::input);
  }
}

constexpr const char* kFinetune = R"({"version": 1, "command": "effnet finetune a<b --out run", "effnet": "0.16",
  "started": "2026-11-29T12:00:00Z", "model": "efficientnet_lite0",
  "data": {"folder": "/data/<set>", "images": 22,
    "classes": [{"name": "cat", "train": 12, "val": 2, "test": 2}, {"name": "<dog>", "train": 2, "val": 2, "test": 2}],
    "broken": [{"path": "cat/<x>.jpg", "why": "cut & short"}], "duplicates": [["a.jpg", "b.jpg"]], "near_duplicates": []},
  "split": {"train": 14, "val": 4, "test": 4, "by": "content"},
  "probe": {"val_top1": 75, "interval": [30.1, 95.4], "knn_top1": null, "l2": 0.01, "seconds": 21},
  "plan": [{"setting": "train.epochs", "value": "12", "why": "fits into <5> minutes"}], "budget_s": 300,
  "calibration": {"temperature": 1.25, "min_score": 0.5, "coverage": 0.75},
  "result": {"test_top1": 75, "interval": [30.06, 95.44], "mean_per_class": 50,
    "worst_class": {"name": "<dog>", "recall": 0, "images": 2}},
  "warnings": ["class <dog> has 6 images"]})";

TEST_F(RunReport, OfFinetuneShowsDataChoicesAndFindings) {
  write("finetune.json", kFinetune);
  write("predictions.csv",
        predictions_text({{"a", 0, 0, 0.9F, 0.9F, {{0.8F, 0.8F}}}, {"b", 1, 0, 0.875F, 0.125F, {{0.75F, 0.25F}}}}));
  write("label_errors.csv", label_errors_text({{"cat/<1>.jpg", "cat", "<dog>", 0.01F, 0.98F}}));
  write("near_duplicates.csv",
        near_duplicates_text({{1, "a.jpg", "cat"}, {1, "b.jpg", "<dog>"}, {2, "c", "cat"}, {2, "d", "cat"}}));
  std::vector<std::pair<std::string, std::int64_t>> heats;
  const std::string page = report({.classes = {"cat", "<dog>"},
                                   .heat =
                                       [&](const std::string& name, std::int64_t index) {
                                         heats.emplace_back(name, index);
                                         return tiny_jpeg();
                                       },
                                   .views =
                                       [](const std::string& name) {
                                         if (name == "corrupt") throw input_error("corrupt");
                                         return std::vector<Jpeg>{tiny_jpeg(), tiny_jpeg()};
                                       },
                                   .view_names = {"corrupt", "train.jpg"}});
  EXPECT_THAT(page, AllOf(HasSubstr("<b>75.00<small> %"), HasSubstr("95 % interval 30.06 to 95.44 %"),
                          HasSubstr("which no choice of the run has used"), HasSubstr("mean of the classes: 50.00 %"),
                          HasSubstr("worst class: &lt;dog&gt;, 0.0 % of 2 images"),
                          HasSubstr("<code>effnet finetune a&lt;b --out run</code>")));
  EXPECT_THAT(page, AllOf(HasSubstr("effnet 0.16"), HasSubstr("2026-11-29T12:00:00Z"), HasSubstr("/data/&lt;set&gt;"),
                          HasSubstr("<div class=\"warnings\">"), HasSubstr("<li>class &lt;dog&gt; has 6 images</li>")));
  EXPECT_THAT(page, AllOf(HasSubstr("22 images in 2 classes: 14 for training"), HasSubstr("1 file cannot be read"),
                          HasSubstr("cat/&lt;x&gt;.jpg"), HasSubstr("cut &amp; short"), HasSubstr("a.jpg, b.jpg"),
                          HasSubstr("The largest class has 16"), HasSubstr("A class with fewer than 10 images")));
  EXPECT_THAT(page, AllOf(HasSubstr("divided by content"), HasSubstr("linear probe, L2 0.01, 21.0 s"),
                          HasSubstr("fits into &lt;5&gt; minutes"), Not(HasSubstr("nearest neighbours"))));
  EXPECT_THAT(page, AllOf(HasSubstr("Before: without temperature"), HasSubstr("After: with temperature"),
                          HasSubstr("The temperature 1.250"), HasSubstr("below a confidence of 50.0 %")));
  EXPECT_THAT(page, AllOf(HasSubstr("cat/&lt;1&gt;.jpg"), HasSubstr("98.0 %"), HasSubstr("in different classes"),
                          HasSubstr("1 group of images that look the same, in one class")));
  EXPECT_EQ(heats, (std::vector<std::pair<std::string, std::int64_t>>{{"b", 0}}));
  EXPECT_THAT(page,
              HasSubstr("<div class=\"views\">\n<div>no image<img class=\"tiny\" alt=\"augmented view of train.jpg\""));
  EXPECT_THAT(page, HasSubstr("alt=\"class activation map of b\""));
  // The confidence of the mistake is the calibrated one, which effnet predict prints.
  EXPECT_THAT(page, AllOf(HasSubstr("<dd>75.0 %</dd>"), Not(HasSubstr("<dd>87.5 %</dd>"))));
}

TEST_F(RunReport, SaysWhatWasSearchedAndNotFound) {
  write("predictions.csv", predictions_text({{"a", 0, 0, 0.9F, 0.9F}}));
  EXPECT_THAT(report(), AllOf(Not(HasSubstr("None found")), Not(HasSubstr("Label errors"))));
  write("label_errors.csv", label_errors_text({}));
  EXPECT_THAT(report(), AllOf(HasSubstr("Label errors"), HasSubstr("None found: for every image")));
  write("finetune.json", R"({"version": 1, "data": {"images": 2, "broken": [{"path": "x", "why": "y"}]}})");
  EXPECT_THAT(report(), HasSubstr("None found: images with the same pixels, images that look the same."));
}

TEST_F(RunReport, DuringTheTrialAHintNamesTheTrial) {
  std::filesystem::remove(folder_.path() / "config.toml");
  write("finetune.json", R"({"version": 1})");
  EXPECT_THAT(error(), HasSubstr("fine-tuning has not begun its final run (got no config.toml)"));
  EXPECT_THAT(hint(), HasSubstr("--resume"));
  make_folders(folder_.path() / "trial");
  for (const char* file : {"config.toml", "metrics.csv"}) write(std::string("trial/") + file, "");
  EXPECT_THAT(hint(), HasSubstr("/trial shows its trial"));
}

TEST_F(RunReport, ComparesTheProbeWithTheNetworkOnTest) {
  write("finetune.json", R"({"version": 1, "probe": {"val_top1": 100, "test_top1": 90, "test_interval": [80, 95.5],
    "test_p": 0.03}, "trial_top1": 100, "trial_interval": [85.7, 100], "final_epochs": 3,
    "calibration": {"min_score": 0.5, "images": 20, "accepted": 20, "right": 20},
    "result": {"test_top1": 96, "engine_top1": 95}})");
  write("predictions.csv", predictions_text({{"a", 0, 0, 0.9F, 0.9F}}));
  EXPECT_THAT(report(),
              AllOf(HasSubstr("they cannot show a gain"), HasSubstr("90.00 %"), HasSubstr("80.0 to 95.5 %"),
                    HasSubstr("85.7 to 100.0 %"),
                    HasSubstr("clearly more accurate than the linear probe, by 5.0 percentage points on test"),
                    HasSubstr("20 of the 20 validation images above it are right, which supports 83.9 %")));
}

TEST_F(RunReport, OfASingleRunTheBestEpochHasAnInterval) {
  write("finetune.json", R"({"version": 1, "probe": {"val_top1": 70}, "trial_interval": [71.5, 88.5],
    "final_epochs": 3})");
  EXPECT_THAT(report(), AllOf(HasSubstr("fine-tuned network, best epoch"), HasSubstr("71.5 to 88.5 %"),
                              Not(HasSubstr("(trial)"))));
}

TEST_F(RunReport, WhereTheProbeIsTheResultItsAccuracyIsNotThatOfTheNetwork) {
  write("finetune.json", R"({"version": 1, "probe": {"val_top1": 70}, "trial_interval": [51.5, 68.5],
    "final_epochs": 0})");
  write("summary.json", R"({"best_top1": 70, "epochs": 0, "seconds": 61, "params": 5288548})");
  EXPECT_THAT(report(), AllOf(HasSubstr("linear probe"), HasSubstr("70.00 %"), Not(HasSubstr("51.5 to 68.5 %")),
                              Not(HasSubstr("fine-tuned network, best epoch"))));
}

TEST_F(RunReport, OfAProbeHasNoEpochs) {
  write("metrics.csv", std::string(metrics_header()));
  EXPECT_THAT(report(), HasSubstr("No epoch has finished yet"));
  write("summary.json", R"({"best_top1": 70, "epochs": 0, "seconds": 61, "params": 5288548})");
  write("finetune.json", R"({"version": 1, "probe": {"val_top1": 70}, "trial_top1": 60, "final_epochs": 0})");
  EXPECT_THAT(report(), AllOf(HasSubstr("The linear probe is the result"), HasSubstr("effnet report RUN/trial"),
                              Not(HasSubstr("No epoch has finished yet"))));
}

// effnet finetune --final: the saved model was trained on the test images too.
TEST_F(RunReport, OfAModelOfAllImagesTheAccuracyIsThatOfTheTrial) {
  write("finetune.json", R"({"version": 1, "trial_top1": 90, "final_epochs": 3,
    "result": {"model": "trial", "test_top1": 80, "interval": [70, 88]}})");
  write("predictions.csv", predictions_text({{"a", 0, 0, 0.9F, 0.9F}}));
  EXPECT_THAT(report(), AllOf(HasSubstr("<b>80.00<small> %"), HasSubstr("test top-1 of the trial's model"),
                              HasSubstr("This run was trained on all images"), Not(HasSubstr("of the saved model"))));
}

TEST_F(RunReport, StepCurvesComeFromTheEventFiles) {
  EXPECT_THAT(report(), Not(HasSubstr("Training loss by step")));
  EventWriter writer(folder_.path());
  writer.scalar("train/loss", 10, 2.5, 1.7e9);
  writer.scalar("train/lr", 10, 0.1, 1.7e9);
  writer.flush();
  EXPECT_THAT(report(), AllOf(HasSubstr("Training loss by step"), HasSubstr("Learning rate by step"),
                              HasSubstr("started 2023-11-14 22:13 UTC")));  // date -u -d @1700000000
}

TEST_F(RunReport, OfManyClassesDrawsTheLargestAndTheSmallest) {
  std::vector<ClassCounts> counts;
  for (int i = 0; i < 1000; ++i) counts.push_back({fmt::format("class{:04}", i), 2000 - i, 0, 50});
  const std::string page = report({.counts = counts});
  EXPECT_THAT(page, AllOf(HasSubstr("The 20 largest classes"), HasSubstr("class0019"), Not(HasSubstr("class0020")),
                          Not(HasSubstr("class0979")), HasSubstr("class0980"), HasSubstr("the median class 1,550")));
}

TEST_F(RunReport, ShowsSizeAndSpeedOfTheModel) {
  const std::string page = report({.speed = ModelSpeed{.params = 1234567,
                                                       .macs = 987654321,
                                                       .file_bytes = 3 << 20,
                                                       .resolution = "224",
                                                       .one_image_ms = 12.345,
                                                       .images_per_second = 98.7,
                                                       .batch = 16,
                                                       .threads = 2,
                                                       .cpu = "CPU <x>",
                                                       .isa = "avx2"}});
  EXPECT_THAT(page, AllOf(HasSubstr("1,234,567"), HasSubstr("987,654,321 for one image of 224 pixels"),
                          HasSubstr("3 MiB"), HasSubstr("12.35 ms with 2 threads"), HasSubstr("98.7 images/s"),
                          HasSubstr("CPU &lt;x&gt;, avx2, fp32")));
}

TEST_F(RunReport, SeveralRunsAreCompared) {
  const TemporaryFolder other;
  for (const char* file : {"config.toml", "metrics.csv"})
    write_text(other.path() / file, read_text(folder_.path() / file));
  write("summary.json", R"({"best_top1": 75, "best_epoch": 2, "epochs": 2, "seconds": 61, "params": 5288548})");
  const std::string page = comparison_report({{folder_.path(), "./a%20b/report.html"}, {other.path(), ""}},
                                             {{"train.batch", {"16", "<32>"}}});
  EXPECT_THAT(page, AllOf(HasSubstr("<h1>2 runs</h1>"), HasSubstr("75.00 %"), HasSubstr("5.29M"),
                          HasSubstr("1 min 01 s"), HasSubstr("2 so far"), HasSubstr("<code>train.batch</code>"),
                          HasSubstr("&lt;32&gt;"), HasSubstr("href=\"./a%20b/report.html\""),
                          HasSubstr("Validation top-1"), HasSubstr("which selected the epoch")));
  EXPECT_THAT(
      comparison_report({{folder_.path(), ""}, {other.path(), ""}}, {}),
      AllOf(HasSubstr("All settings of the runs are the same."), HasSubstr("No run has a page of its own yet")));
  EXPECT_THROW(comparison_report({{folder_.path(), ""}}, {}), Error);
  EXPECT_THROW(comparison_report({{folder_.path(), ""}, {other.path() / "none", ""}}, {}), Error);
}

TEST_F(RunReport, AccuraciesOfDifferentImagesAreNotCompared) {
  const TemporaryFolder other;
  for (const char* file : {"config.toml", "metrics.csv"})
    write_text(other.path() / file, read_text(folder_.path() / file));
  const auto compared = [&] { return comparison_report({{folder_.path(), ""}, {other.path(), ""}}, {}); };
  const auto predictions = [](const char* name) { return predictions_text({{name, 0, 0, 1, 1}}); };
  write("predictions.csv", predictions("a"));
  write_text(other.path() / "predictions.csv", predictions("a"));
  EXPECT_THAT(compared(), Not(HasSubstr("<p class=\"note\">The ")));
  write_text(other.path() / "predictions.csv", predictions("b"));
  EXPECT_THAT(compared(), HasSubstr("was measured on other images than that of"));
  const auto file = [](const char* name) {
    return fmt::format(R"({{"version": 1, "data": {{"classes": [{{"name": "cat"}}, {{"name": "{}"}}]}}}})", name);
  };
  write("finetune.json", file("dog"));
  write_text(other.path() / "finetune.json", file("dog"));
  EXPECT_THAT(compared(), Not(HasSubstr("cannot be compared")));
  write_text(other.path() / "finetune.json", file("cow"));
  EXPECT_THAT(compared(), HasSubstr("their accuracies cannot be compared"));
}

TEST(Texts, DurationsAndByteCountsAreReadable) {
  EXPECT_EQ(duration(12.345), "12.3 s");
  EXPECT_EQ(duration(185), "3 min 05 s");
  EXPECT_EQ(duration(3725), "1 h 02 min");
  EXPECT_EQ(duration(400000), "4 d 15 h");
  EXPECT_EQ(duration(-1), "?");
  EXPECT_EQ(duration(59.94), "59.9 s");
  EXPECT_EQ(duration(59.97), "1 min 00 s");
  EXPECT_EQ(bytes_text(1610612736), "1.5 GiB");
  EXPECT_EQ(bytes_text(1.06e9), "1011 MiB");
  EXPECT_EQ(bytes_text(1023 * 1024), "1023 KiB");
  EXPECT_EQ(bytes_text(0x1p40), "1024 GiB");
  EXPECT_EQ(bytes_text(999.4 * 0x1p20), "999 MiB");
  EXPECT_EQ(bytes_text(512), "512 bytes");
}

}  // namespace
}  // namespace effnet::report

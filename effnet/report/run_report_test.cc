#include "effnet/report/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/run_folder.h"

namespace effnet::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RunReport : public testing::Test {
 protected:
  void SetUp() override {
    write("config.toml", "[model]\nname = \"mynet\"\n# a <comment>\n");
    write("metrics.csv", std::string(metrics_header()) + metrics_line({1, 10, 0.1, 2, 30, 1.5, 40, 80, {}, 100}) +
                             metrics_line({2, 20, 0.05, 1, 50, 1.25, 55.5, 90, 56.25, 110}));
  }
  void write(const std::string& name, const std::string& text) { write_text(folder_.path() / name, text); }
  std::string report(const std::vector<std::string>& classes = {}, const Thumbnail& thumbnail = {}) {
    return run_report(folder_.path(), classes, thumbnail);
  }
  std::string error() {
    try {
      report();
    } catch (const Error& caught) {
      EXPECT_EQ(caught.code(), ErrorCode::input);
      return caught.what();
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
  const std::string page = report({"cat", "<dog>"}, [&](const std::string& name) {
    requested.push_back(name);
    // A JPEG's start-of-image marker and a frame header with 8 bits per channel, height 16 and width 32.
    std::vector<std::byte> jpeg;
    for (const int byte : {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 32, 1, 1, 0x11, 0})
      jpeg.push_back(static_cast<std::byte>(byte));
    return jpeg;
  });
  // The Wilson interval for 3 right of n = 4, with z = 1.959964: z^2 / 2n = 0.480182, 1 + z^2 / n = 1.960365, so the
  // centre is (0.75 + 0.480182) / 1.960365 = 0.627527 and the half width is 1.959964 sqrt(0.046875 + 0.060023) /
  // 1.960365 = 0.326885.
  EXPECT_THAT(page, AllOf(HasSubstr("<b>75.00<small>"), HasSubstr("95 % interval 30.06 to 95.44 %<br>on 4 images")));
  EXPECT_THAT(page, AllOf(HasSubstr("1 h 02 min"), HasSubstr("5.29M"), HasSubstr("386M"), HasSubstr("1.5 GiB"),
                          HasSubstr("processes</dt><dd>2"), HasSubstr("/some/&lt;where&gt;"),
                          HasSubstr("note</dt><dd>&lt;i&gt;"), HasSubstr("1 of 4 images")));
  EXPECT_EQ(requested, std::vector<std::string>{"b<c>.jpg"});
  EXPECT_THAT(page,
              AllOf(HasSubstr("<img class=\"tiny\" alt=\"\" src=\"data:image/jpeg;base64,/9j/wAALCAAQACABAREA\">"),
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
  EXPECT_THAT(report({}, [](const std::string&) -> std::vector<std::byte> { throw input_error("gone"); }),
              HasSubstr("no image"));
  EXPECT_THAT(report({}, [](const std::string&) { return std::vector<std::byte>(100); }), HasSubstr("no image"));
  EXPECT_THROW(report({}, [](const std::string&) -> std::vector<std::byte> { throw environment_error("no memory"); }),
               Error);
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
    run_report(folder_.path() / "none", {}, {});
    FAIL();
  } catch (const Error& caught) {
    EXPECT_EQ(caught.code(), ErrorCode::input);
  }
}

TEST(Texts, DurationsAndByteCountsAreReadable) {
  EXPECT_EQ(duration(12.345), "12.3 s");
  EXPECT_EQ(duration(185), "3 min 05 s");
  EXPECT_EQ(duration(3725), "1 h 02 min");
  EXPECT_EQ(duration(400000), "4 d 15 h");
  EXPECT_EQ(duration(-1), "?");
  EXPECT_EQ(bytes_text(1610612736), "1.5 GiB");
  EXPECT_EQ(bytes_text(512), "512 bytes");
}

}  // namespace
}  // namespace effnet::report

#include "effnet/report/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/philox.h"

namespace effnet::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class Parse>
std::string message(Parse parse, const std::string& text) {
  try {
    parse(text, "file.csv");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}
std::string metrics_error(const std::string& text) { return message(parse_metrics, text); }
std::string predictions_error(const std::string& text) { return message(parse_predictions, text); }

const std::string kGood = "1,10,0.1,2.5,30,2.25,31.5,80,,1000\n";

TEST(Metrics, ReadsAndWritesTheDocumentedColumns) {
  EXPECT_EQ(metrics_header(),
            "epoch,step,lr,train_loss,train_top1,val_loss,val_top1,val_top5,val_ema_top1,images_per_second\n");
  const auto rows = parse_metrics(std::string(metrics_header()) + kGood, "x");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].epoch, 1);
  EXPECT_EQ(rows[0].step, 10);
  EXPECT_EQ(rows[0].lr, 0.1);
  EXPECT_EQ(rows[0].train_loss, 2.5);
  EXPECT_EQ(rows[0].train_top1, 30);
  EXPECT_EQ(rows[0].val_loss, 2.25);
  EXPECT_EQ(rows[0].val_top1, 31.5);
  EXPECT_EQ(rows[0].val_top5, 80);
  EXPECT_FALSE(rows[0].val_ema_top1);
  EXPECT_EQ(rows[0].images_per_second, 1000);
  EXPECT_EQ(metrics_line(rows[0]), kGood);
}

TEST(Metrics, DoublesRoundTrip) {
  std::string text(metrics_header());
  std::vector<double> values{0.0,
                             -0.0,
                             0.1,
                             std::numeric_limits<double>::denorm_min(),
                             std::numeric_limits<double>::min(),
                             std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity()};
  for (std::uint32_t i = 0; values.size() < 300; ++i) {  // random bits
    const PhiloxCounter bits = philox4x32_10({i, 0, 0, 0}, {7, 0});
    const auto value = std::bit_cast<double>(std::uint64_t{bits[0]} << 32 | bits[1]);
    if (!std::isnan(value)) values.push_back(value);
  }
  for (const double v : values) text += metrics_line({1, 2, v, v, v, v, v, v, v, v});
  const auto rows = parse_metrics(text, "x");
  ASSERT_EQ(rows.size(), values.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const EpochMetrics& r = rows[i];
    for (const double got : {r.lr, r.train_loss, r.train_top1, *r.val_loss, *r.val_top1, *r.val_top5, *r.val_ema_top1,
                             r.images_per_second}) {
      EXPECT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(values[i])) << values[i];
    }
  }
  const std::string nan = metrics_line({1, 2, -NAN, NAN, 0, NAN, {}, {}, {}, 0});
  EXPECT_EQ(nan, "1,2,nan,nan,0,nan,,,,0\n");
  EXPECT_TRUE(std::isnan(parse_metrics(std::string(metrics_header()) + nan, "x")[0].train_loss));
}

TEST(Metrics, ExtraColumnsAreIgnoredAndAnIncompleteLastLineIsDropped) {
  std::string header(metrics_header());
  header.insert(header.size() - 1, ",watts");
  std::string line = kGood;
  line.insert(line.size() - 1, ",75");
  EXPECT_EQ(parse_metrics(header + line, "x").size(), 1U);
  EXPECT_EQ(parse_metrics(std::string(metrics_header()) + kGood + kGood.substr(0, 20), "x").size(), 1U);
  EXPECT_EQ(parse_metrics(std::string(metrics_header()), "x").size(), 0U);
  std::string windows =
      "epoch,step,lr,train_loss,train_top1,val_loss,val_top1,val_top5,val_ema_top1,images_per_second\r\n";
  EXPECT_EQ(parse_metrics(windows + "1,10,0.1,2.5,30,,,,,5\r\n", "x").at(0).images_per_second, 5);
}

TEST(Metrics, ErrorsHaveTheLine) {
  const std::string head(metrics_header());
  EXPECT_THAT(metrics_error(""),
              AllOf(HasSubstr("file.csv:1: the header line is missing"), HasSubstr("expected epoch,step")));
  EXPECT_THAT(metrics_error("epoch,stop\n"), HasSubstr("file.csv:1: wrong column 2 (got 'stop', expected step"));
  EXPECT_THAT(metrics_error("epoch,step\n"), HasSubstr("file.csv:1: wrong column 3 (got none, expected lr"));
  EXPECT_THAT(metrics_error(head + kGood + "2,20,0.1\n"),
              HasSubstr("file.csv:3: wrong number of fields (got 3, expected 10)"));
  EXPECT_THAT(metrics_error(head + "\n" + kGood), HasSubstr("file.csv:2: wrong number of fields (got 1"));
  for (const char* bad : {"1x", "", " 1", "0x10", "1e999", "+1"}) {
    EXPECT_THAT(metrics_error(head + "1,10," + bad + ",2.5,30,,,,,1\n"), HasSubstr("file.csv:2: lr: wrong value (got"))
        << bad;
  }
  EXPECT_THAT(metrics_error(head + "-1,10,1,2.5,30,,,,,1\n"),
              HasSubstr("epoch: wrong value (got '-1', expected a whole"));
  EXPECT_THAT(metrics_error(head + "1.5,10,1,2.5,30,,,,,1\n"), HasSubstr("epoch"));
  EXPECT_THAT(metrics_error(head + "99999999999999999999,10,1,2.5,30,,,,,1\n"), HasSubstr("epoch"));
  EXPECT_THAT(metrics_error(head + std::string(1 << 20, '9') + ",1\n"), HasSubstr("file.csv:2: field 1 is too long"));
  EXPECT_THAT(metrics_error(head + std::string(1 << 20, ',') + "\n"), HasSubstr("file.csv:2: too many fields"));
  EXPECT_THAT(metrics_error(head + "1,10,\"0.1\"x,1,1,,,,,1\n"), HasSubstr("file.csv:2: field 3: misplaced quote"));
  EXPECT_LT(metrics_error(head + "1,10," + std::string(60000, 'x') + ",2.5,30,,,,,1\n").size(), 300U);
}

TEST(Metrics, AreReadFromAFile) {
  const TemporaryFolder folder;
  write_text(folder.path() / "metrics.csv", std::string(metrics_header()) + kGood);
  EXPECT_EQ(read_metrics(folder.path() / "metrics.csv").size(), 1U);
  EXPECT_THROW(read_metrics(folder.path() / "none.csv"), Error);
}

TEST(Predictions, NamesAndNumbersRoundTrip) {
  std::vector<Prediction> all{{"cat/1.jpg", 3, 7, 0.1F, 1.0F / 3},
                              {"a, \"b\"\n<script>.jpg", 0, kMaxClasses - 1, 1, 0},
                              {"", 0, 0, std::numeric_limits<float>::denorm_min(), 1e-38F},
                              {"\"", 1, 1, 0.99999994F, 0.5F},
                              {"tab\tand \xff\xfe bytes\r", 1, 1, 0, 0}};
  const std::string text = predictions_text(all);
  EXPECT_THAT(text, HasSubstr("name,label,predicted,confidence,of_label\ncat/1.jpg,3,7,0.1,0.33333334\n"));
  const auto back = parse_predictions(text, "x");
  ASSERT_EQ(back.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(back[i].name, all[i].name);
    EXPECT_EQ(back[i].label, all[i].label);
    EXPECT_EQ(back[i].predicted, all[i].predicted);
    EXPECT_EQ(back[i].confidence, all[i].confidence);
    EXPECT_EQ(back[i].of_label, all[i].of_label);
  }
  EXPECT_TRUE(std::isnan(parse_predictions(predictions_text({{"x", 0, 0, NAN, NAN}}), "x")[0].confidence));
}

TEST(Predictions, NamesOfClassesAreTheLastColumns) {
  const std::vector<Prediction> all{{"1.jpg", 0, 1, 0.5F, 0.25F, {{0.75F, 0.125F}}}};
  const std::string text = predictions_text(all, {"red, dark", "blue"});
  EXPECT_EQ(
      text,
      "name,label,predicted,confidence,of_label,calibrated_confidence,calibrated_of_label,label_name,predicted_name\n"
      "1.jpg,0,1,0.5,0.25,0.75,0.125,\"red, dark\",blue\n");
  const auto back = parse_predictions(text, "x");
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].predicted, 1);
  EXPECT_EQ(back[0].calibrated->of_label, 0.125F);
  EXPECT_EQ(predictions_text({{"a", 0, 0, 1, 1}}, {"x"}),
            "name,label,predicted,confidence,of_label,label_name,predicted_name\na,0,0,1,1,x,x\n");
}

TEST(Predictions, ErrorsHaveTheLine) {
  const std::string head = "name,label,predicted,confidence,of_label\n";
  // The quoted name has two lines, so the row after it is on line 4.
  EXPECT_THAT(predictions_error(head + "\"a\nb\",1,1,1,1\nc,-1,1,1,1\n"), HasSubstr("file.csv:4: label: wrong value"));
  EXPECT_THAT(predictions_error(head + "a,1048576,1,1,1\n"), HasSubstr("label"));
  EXPECT_THAT(predictions_error(head + "a,1,1,1.01,1\n"), HasSubstr("file.csv:2: confidence: wrong value (got '1.01'"));
  EXPECT_THAT(predictions_error(head + "a,1,1,1,-0.1\n"), HasSubstr("of_label"));
  EXPECT_THAT(predictions_error(head + "a\"b,1,1,1,1\n"), HasSubstr("misplaced quote"));
  EXPECT_THAT(predictions_error(head + "a,1,1,1,1\n\"b,1,1,1,1\nc,1,1,1,1\n"),
              HasSubstr("file.csv:3: field 1: the closing quote is missing"));
  EXPECT_EQ(parse_predictions(head + "a,1,1,1,1\n\"b,", "x").size(), 1U);  // the last line is incomplete
}

}  // namespace
}  // namespace effnet::report

// Tests of both renderings of predict, eval, cam and compare-models, and of how classes are found and matched.
#include <gmock/gmock.h>

#include "effnet/cli/cam.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/compare_models.h"
#include "effnet/cli/eval.h"
#include "effnet/cli/predict.h"
#include "effnet/model/model_testing.h"

namespace effnet::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PredictedImage predicted(const std::string& path, const std::string& label, double score,
                         std::optional<bool> sure = {}) {
  PredictedImage image;
  image.path = path;
  image.answer.top = {{.index = 1, .label = label, .score = score}, {.index = 0, .label = "other", .score = 0.1}};
  image.answer.ms = 2;
  image.sure = sure;
  return image;
}

TEST(Predict, SaysNotSureBelowTheMinimumScore) {
  const PredictedImage plain = predicted("a.png", "tulip", 0.41);
  EXPECT_EQ(keys(to_json(plain)), (Keys{"path", "top", "ms"}));
  EXPECT_EQ(to_text(plain), "a.png\n   41.00 %  tulip (1)\n   10.00 %  other (0)\n");
  const PredictedImage doubtful = predicted("a.png", "tulip", 0.41, false);
  EXPECT_EQ(to_json(doubtful)["sure"], false);
  EXPECT_EQ(to_text(doubtful), "a.png\n  not sure (best guess: tulip 41 %)\n");
  EXPECT_EQ(to_line(doubtful), "a.png: not sure (best guess: tulip 41 %)\n");
  EXPECT_EQ(to_line(predicted("a.png", "tulip", 0.931, true)), "a.png: tulip 93.1 %\n");
}

// File names and class names may have any bytes; a terminal would execute some of them.
TEST(Predict, PathsAndLabelsAreSafeForATerminal) {
  PredictedImage image = predicted("a\n\x1b.png", "tu\x1blip", 0.5);
  image.cam = "m\x07.png";
  EXPECT_EQ(to_text(image), "a \\x1b.png\n   50.00 %  tu\\x1blip (1)\n   10.00 %  other (0)\n  map: m\\x07.png\n");
  EXPECT_EQ(to_line(image), "a \\x1b.png: tu\\x1blip 50.0 %  map: m\\x07.png\n");
  PredictResult result;
  result.images = {image};
  EXPECT_EQ(summary(result), "1 image: tu\\x1blip 1\n");
  image.sure = false;
  EXPECT_EQ(to_line(image), "a \\x1b.png: not sure (best guess: tu\\x1blip 50 %)  map: m\\x07.png\n");
  EXPECT_EQ(to_text(image), "a \\x1b.png\n  not sure (best guess: tu\\x1blip 50 %)\n  map: m\\x07.png\n");
}

TEST(Predict, TheResultHasTheThreshold) {
  PredictResult result{.model = "net", .weights = "file", .images = {}};
  EXPECT_EQ(to_json(result).dump(), R"({"model":"net","weights":"file","images":[]})");
  result.min_score = 0.5;
  EXPECT_EQ(to_json(result).dump(), R"({"model":"net","weights":"file","min_score":0.5,"images":[]})");
}

TEST(Predict, TheTextHasTheLogits) {
  PredictedImage image = predicted("a.png", "tulip", 0.5);
  image.answer.logits = {0.1F, -2.5F};
  EXPECT_EQ(to_text(image), "a.png\n   50.00 %  tulip (1)\n   10.00 %  other (0)\n");
  image.logits = true;
  EXPECT_EQ(to_text(image), "a.png\n   50.00 %  tulip (1)\n   10.00 %  other (0)\n  logits: 0.1 -2.5\n");
}

TEST(Cam, GradcamHasNoBackend) {
  CapturedOutput captured;
  const auto refused = [&](const std::string& method, const std::string& backend) {
    CamOptions options;
    options.model = "no_such_model";
    options.images = {"no/such.png"};
    options.out = "x.bmp";  // refused after the check of the options
    options.method = method;
    options.backend = backend;
    return refusal([&] { run_cam(options, {}, captured.out, engine_maps); });
  };
  EXPECT_EQ(refused("gradcam", "reference"),
            "2 --backend: LibTorch computes gradcam (got --backend reference, expected --method cam)");
  EXPECT_THAT(refused("gradcam", "engine"), HasSubstr("x.bmp"));
  EXPECT_THAT(refused("cam", "reference"), HasSubstr("x.bmp"));
}

TEST(Predict, SummaryCountsTheAnswers) {
  PredictResult result;
  for (int i = 0; i < 2; ++i) result.images.push_back(predicted("r", "rose", 0.9, true));
  for (int i = 0; i < 3; ++i) result.images.push_back(predicted("t", "tulip", 0.9));
  result.images.push_back(predicted("n", "rose", 0.2, false));
  result.images.push_back({.path = "x", .error = input_error("bad"), .answer = {}, .logits = false, .cam = {}});
  EXPECT_EQ(summary(result), "7 images: tulip 3, rose 2, not sure 1, unreadable 1\n");
  for (int i = 0; i < 30; ++i) result.images.push_back(predicted("m", fmt::format("c{:02}", i), 0.9));
  EXPECT_THAT(summary(result), HasSubstr("c17 1, 12 more classes, not sure 1"));
}

TEST(Eval, ShowsIntervalAndWorstClass) {
  const EvalResult result{.images = 8,
                          .top1 = 75,
                          .top5 = 100,
                          .mean_per_class = 80,
                          .interval = {0.4, 0.9},
                          .worst_class = {"rose", 4, 50},
                          .images_per_second = 3,
                          .weights = "file",
                          .skipped = {{"a.txt", "no image"}}};
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"images", "top1", "top5", "mean_per_class", "interval", "worst_class",
                                  "images_per_second", "weights", "skipped"}));
  EXPECT_EQ(document["interval"].dump(), "[40.0,90.0]");
  EXPECT_EQ(document["worst_class"].dump(), R"({"name":"rose","images":4,"recall":50.0})");
  EXPECT_EQ(document["skipped"].dump(), R"([{"path":"a.txt","why":"no image"}])");
  EXPECT_THAT(to_text(result), HasSubstr("95 % interval of top-1: 40.00 % to 90.00 %\n"));
  EXPECT_THAT(to_text(result), HasSubstr("worst class: rose, 50.00 % of its 4 images\n"));
}

TEST(CompareModels, OneSentenceSaysWhetherTheDifferenceIsClear) {
  CompareModelsResult result;
  result.a = {.model = "one", .weights = "file", .top1 = 90, .mean_per_class = 89, .interval = {0.8, 0.95}};
  result.b = {.model = "two", .weights = "pulled", .top1 = 95, .mean_per_class = 94, .interval = {0.9, 0.98}};
  result.counts = {.only_a = 1, .only_b = 6, .both = 89, .neither = 4};
  result.interval = {0.01, 0.1};
  result.p = 0.125;
  result.folder = "set/test";
  const Json document = to_json(result);
  EXPECT_EQ(keys(document), (Keys{"a", "b", "difference", "interval", "p", "only_a", "only_b", "both", "neither",
                                  "images", "data", "skipped"}));
  EXPECT_EQ(keys(document["a"]), (Keys{"model", "weights", "top1", "interval", "mean_per_class", "images_per_second"}));
  EXPECT_DOUBLE_EQ(document["difference"], 5);
  EXPECT_THAT(to_text(result), HasSubstr("B is more accurate by 5.00 percentage points, but this may be chance ("));
  result.p = 0.01;
  EXPECT_THAT(to_text(result), HasSubstr("B is clearly more accurate, by 5.00 percentage points (95 % interval of B "
                                         "minus A: +1.00 to +10.00 points, p = 0.01).\n"));
  std::swap(result.counts.only_a, result.counts.only_b);
  EXPECT_THAT(to_text(result), HasSubstr("A is clearly more accurate, by 5.00 percentage points"));
  result.counts = {.only_a = 2, .only_b = 2};
  EXPECT_THAT(to_text(result), HasSubstr("Both models are equally accurate on these images"));
}

formats::Model named(std::vector<std::string> labels, std::vector<std::string> ids = {}) {
  formats::Model model;
  model.arch.classes = 3;
  model.labels = std::move(labels);
  model.class_ids = std::move(ids);
  return model;
}

TEST(CompareModels, ClassesMatchByName) {
  EXPECT_THAT(matching_classes(named({"a", "b", "c"}), named({"c", "a", "b"})), ElementsAre(1, 2, 0));
  EXPECT_THAT(matching_classes(named({}), named({})), ElementsAre(0, 1, 2));
  EXPECT_THAT(matching_classes(named({"x", "x", "y"}), named({"x", "x", "y"})), ElementsAre(0, 1, 2));
  EXPECT_THAT(matching_classes(named({"x", "x", "y"}, {"1", "2", "3"}), named({"y", "x", "x"}, {"3", "2", "1"})),
              ElementsAre(2, 1, 0));
  const auto refused = [](const formats::Model& a, const formats::Model& b) {
    return refusal([&] { matching_classes(a, b); });
  };
  EXPECT_THAT(refused(named({"a", "b", "c"}), named({"a", "b", "d"})),
              HasSubstr("3 the models have different classes (got 'c' in the first model only and 'd' in the second"));
  EXPECT_THAT(refused(named({"x", "x", "y"}), named({"y", "x", "x"})), HasSubstr("two classes 'x'"));
  EXPECT_THAT(refused(named({"a", "b", "c"}), named({})), HasSubstr("class names in one model only"));
  formats::Model larger = named({});
  larger.arch.classes = 4;
  EXPECT_THAT(refused(named({}), larger), HasSubstr("different numbers of classes (got 3 and 4"));
}

TEST(Cam, AListMakesAnArray) {
  CamResult result;
  result.maps.push_back({.image = "a.png",
                         .model = "net",
                         .weights = "file",
                         .path = "o.png",
                         .shown = {.index = 3, .label = "cat", .score = 0.5},
                         .error = {}});
  EXPECT_EQ(to_json(result).dump(), R"({"class":3,"label":"cat","score":0.5,"weights":"file","path":"o.png",)"
                                    R"("image":"a.png","model":"net"})");
  EXPECT_EQ(to_text(result), "cat (3) 50.00 %: written to o.png\n");
  result.list = true;
  result.maps.push_back({.image = "b.png", .error = input_error("bad")});
  EXPECT_EQ(to_json(result)[1].dump(), R"({"image":"b.png","error":"bad"})");
  EXPECT_EQ(to_text(result), "a.png, net: cat (3) 50.00 %: written to o.png\n");
}

TEST(Cam, ClassByIndexLabelOrId) {
  ThreadPool pool(1);
  formats::Model model = model::testkit::tiny_model();
  for (int i = 0; i < 37; ++i) {
    model.labels.push_back(i < 2 ? "twin" : fmt::format("label {}", i));
    model.class_ids.push_back(fmt::format("n{}", i));
  }
  const model::ModelHandle handle(std::move(model), pool);
  EXPECT_EQ(class_of(handle, "36"), 36U);
  EXPECT_EQ(class_of(handle, "n1"), 1U);
  EXPECT_EQ(class_of(handle, "label 5"), 5U);
  for (const char* wrong : {"37", "99999999999999999999", "twin", "label", "-1", ""})
    EXPECT_EQ(refusal([&] { class_of(handle, wrong); }).rfind("2 --class: ", 0), 0U) << wrong;
}

TEST(Cam, AHintNamesLabelsThatAreLikeAnUnknownClass) {
  ThreadPool pool(1);
  const auto hint = [&](std::vector<std::string> labels, const std::string& text) {
    formats::Model model = model::testkit::tiny_model();
    labels.resize(static_cast<std::size_t>(model.arch.classes), "filler");
    model.labels = std::move(labels);
    const model::ModelHandle handle(std::move(model), pool);
    try {
      class_of(handle, text);
    } catch (const Error& error) {
      return error.hint();
    }
    return std::string("no error");
  };
  EXPECT_EQ(hint({"tabby cat", "tiger_Cat", "dog"}, "cat"), "did you mean 'tabby cat' or 'tiger_Cat'?");
  EXPECT_EQ(hint({"tabby", "dog"}, "taby"), "did you mean 'tabby'?") << "by edit distance";
  EXPECT_EQ(hint({"tabby", "dog"}, "helicopter"), "effnet predict MODEL IMAGE prints labels and indices");
}

}  // namespace
}  // namespace effnet::cli

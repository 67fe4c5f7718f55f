#include "effnet/model/classifier.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "effnet/base/error.h"
#include "effnet/model/executor.h"
#include "effnet/model/model_testing.h"

namespace effnet::model {
namespace {

using engine::testkit::largest_difference;
using testing::ElementsAre;
using testkit::kSide;
using testkit::test_image;
using testkit::tiny_model;

class Classifiers : public testkit::WithHome {
 protected:
  // Classifies test_image() with `model`.
  Answer answer(formats::Model model, const AnswerOptions& options = {}, const ClassifierOptions& how = {}) {
    ModelHandle handle(std::move(model), pool_);
    return Classifier(handle, how, pool_).classify(test_image(), options);
  }
  // A model whose logits are `bias` for every image.
  static formats::Model constant(std::vector<float> bias) {
    formats::Model model = tiny_model();
    std::vector<float> zeros(static_cast<std::size_t>(model.arch.classes * model.arch.head.channels));
    bias.resize(static_cast<std::size_t>(model.arch.classes));
    model.weights.tensors["classifier.weight"] =
        tensor::make_tensor({model.arch.classes, model.arch.head.channels}, std::move(zeros));
    model.weights.tensors["classifier.bias"] = tensor::make_tensor({model.arch.classes}, std::move(bias));
    return model;
  }
  static std::vector<std::size_t> indices(const Answer& answer) {
    std::vector<std::size_t> all;
    for (const Prediction& one : answer.top) all.push_back(one.index);
    return all;
  }
};

TEST_F(Classifiers, EqualScoresAreOrderedByIndex) {
  const Answer found = answer(constant({0, 2, 3, 2, 0, 3}));
  EXPECT_THAT(indices(found), ElementsAre(2, 5, 1, 3, 0));
  EXPECT_EQ(found.top[0].score, found.top[1].score);
  EXPECT_NEAR(found.top[0].score / found.top[2].score, std::exp(1.0), 1e-12);
  EXPECT_EQ(found.top[0].label, "class 2");
  EXPECT_FALSE(found.map.has_value());
}

TEST_F(Classifiers, LabelsAndNumberOfPredictions) {
  formats::Model model = constant({1, 9});
  for (std::int64_t i = 0; i < model.arch.classes; ++i) model.labels.push_back(fmt::format("label {}", i));
  const Answer found = answer(model, {.top = 1000});
  EXPECT_EQ(found.top.size(), 37U);
  EXPECT_EQ(found.top[0].label, "label 1");
  double sum = 0;
  for (const Prediction& one : found.top) sum += one.score;
  EXPECT_NEAR(sum, 1, 2 * 37 * 0x1p-53);  // roundings of the softmax and of this sum
  EXPECT_EQ(found.logits[1], 9);
  EXPECT_TRUE(answer(model, {.top = 0}).top.empty());
}

TEST_F(Classifiers, ScoresUseTheTemperatureAndLogitsDoNot) {
  formats::Model model = constant({1, 9});
  model.calibration = {.temperature = 4, .min_score = 0.5};
  const Answer found = answer(model);
  EXPECT_EQ(found.logits[1], 9);
  EXPECT_NEAR(found.top[0].score / found.top[1].score, std::exp((9.0 - 1.0) / 4), 1e-12);
}

TEST_F(Classifiers, NonFiniteLogitsAreAnError) {
  try {
    answer(constant({std::numeric_limits<float>::quiet_NaN()}));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
  }
}

// For both kinds of filter, two input sizes and both executors: the classifier gives the same logits as
// vision::prepare() followed by the executor.
TEST_F(Classifiers, SizeFilterAndMeanOfThePreprocessingAreUsed) {
  ModelHandle handle(tiny_model(), pool_);
  for (const std::string& name : executor_names()) {
    for (const Size size : {Size{kSide, kSide}, Size{33, 50}}) {
      for (const Filter filter : {Filter::bicubic, Filter::tf_bicubic}) {
        Preprocessing rule = handle.preprocessing().at(size);
        rule.filter = filter;
        rule.mean = {0.1, 0.2, 0.3};
        const vision::Prepared prepared = vision::prepare(test_image(), rule);
        const std::vector<float> expected =
            make_executor(name, handle, pool_)->logits({.size = size, .values = prepared.input});
        Classifier classifier(handle, {.executor = name, .preprocessing = rule}, pool_);
        EXPECT_EQ(classifier.classify(test_image()).logits, expected) << name << " " << size.h;
        EXPECT_EQ(classifier.values(classifier.view(test_image())), prepared.input);
      }
    }
  }
}

TEST_F(Classifiers, ABatchGivesTheLogitsOfItsImages) {
  ModelHandle handle(tiny_model(), pool_);
  for (const Filter filter : {Filter::bicubic, Filter::tf_bicubic}) {
    Preprocessing rule = handle.preprocessing();
    rule.filter = filter;
    Classifier reference(handle, {.executor = "reference", .preprocessing = rule}, pool_);
    std::vector<vision::Sampled> views;
    std::vector<float> singly;
    for (const std::int64_t side : {50, 61, 80}) {
      views.push_back(reference.view(test_image(side, 70)));
      const Answer one = reference.classify(views.back());
      singly.insert(singly.end(), one.logits.begin(), one.logits.end());
    }
    EXPECT_EQ(reference.logits(views), singly) << "the reference executor computes each image separately";
    EXPECT_TRUE(reference.logits({}).empty());
  }
}

TEST_F(Classifiers, PixelsMaySkipThePreprocessing) {
  ModelHandle handle(tiny_model(), pool_);
  Classifier classifier(handle, {}, pool_);
  const vision::Image whole = test_image(29, 37);
  const std::vector<float> logits = classifier.classify({whole, {}, {0, 0, 37, 29}}).logits;
  const std::vector<float> values = vision::normalise(whole, handle.preprocessing().mean, handle.preprocessing().std);
  EXPECT_EQ(logits, make_executor("engine", handle, pool_)->logits({.size = {29, 37}, .values = values}));
}

// For both executors: the mean of a class's map plus the bias equals the logit (engine/cam.h).
TEST_F(Classifiers, TheMeanOfAMapPlusBiasIsTheLogit) {
  const formats::Model model = tiny_model();
  const std::vector<float> bias = tensor::to_floats(model.weights.at("classifier.bias"));
  for (const std::string& name : executor_names()) {
    const Answer best = answer(model, {.map = true}, {.executor = name});
    ASSERT_TRUE(best.map.has_value());
    EXPECT_EQ(best.map->shown.index, best.top[0].index);
    const Answer found = answer(model, {.map = true, .map_class = 11}, {.executor = name});
    ASSERT_TRUE(found.map.has_value());
    EXPECT_EQ(found.map->shown.index, 11U);
    EXPECT_EQ(found.map->shown.label, "class 11");
    EXPECT_EQ(found.map->size, (Size{10, 10})) << "two strides of 2";
    double sum = 0, magnitude = 0;
    for (const float value : found.map->values) {
      sum += value;
      magnitude = std::max(magnitude, std::abs(double{value}));
    }
    // The global pool sums 100 values in float32, the classifier 50 products. So there are at most 150 roundings, each
    // by at most half a unit in the last place (2^-24) of a sum.
    const double cells = static_cast<double>(found.map->values.size());
    EXPECT_NEAR(sum / cells + bias[11], found.logits[11], 150 * 0x1p-24 * 50 * (magnitude + std::abs(bias[11])));
    EXPECT_GT(found.map->where.x1, found.map->where.x0);
  }
}

TEST(Overlay, OfASmallPhotoIsEnlarged) {
  const auto size = [](const vision::Image& image) { return Size{image.h, image.w}; };
  const ActivationMap map{.shown = {}, .size = {1, 2}, .values = {0, 1}, .where = {4, 0, 32, 16}};
  const ActivationMap enlarged{.shown = {}, .size = {1, 2}, .values = {0, 1}, .where = {30, 0, 240, 120}};
  const vision::Image drawn = overlay(vision::blank({16, 32}), map);
  EXPECT_EQ(size(drawn), (Size{120, kOverlaySide}));
  EXPECT_EQ(drawn, overlay(vision::blank({120, 240}), enlarged)) << "`where` is enlarged with the photo";
  EXPECT_EQ(size(overlay(vision::blank({300, 200}), map)), (Size{300, 200}));
  EXPECT_EQ(size(overlay(vision::blank({300, 200}), map, {}, Size{30, 20})), (Size{30, 20}));
}

TEST_F(Classifiers, AnUnknownClassOrExecutorIsAUsageError) {
  const auto code = [&](const AnswerOptions& options, const ClassifierOptions& how) {
    try {
      answer(tiny_model(), options, how);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code({.map = true, .map_class = 37}, {}), ErrorCode::usage);
  EXPECT_EQ(code({}, {.executor = "gpu"}), ErrorCode::usage);
}

}  // namespace
}  // namespace effnet::model

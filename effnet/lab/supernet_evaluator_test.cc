#include "effnet/lab/supernet_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "effnet/data/loader.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/lab/lab_testing.h"
#include "effnet/lab/supernet.h"
#include "effnet/lab/supernet_file.h"
#include "effnet/lab/train_supernet.h"
#include "effnet/search/study/worker.h"
#include "effnet/train/step/images.h"

namespace effnet::lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testkit::failure;
using testkit::ImageFolder;
using testkit::tiny_space;

// A supernet that was trained for 20 epochs of 3 steps, and its evaluator.
class SupernetEvaluatorTest : public testing::Test {
 protected:
  void SetUp() override {
    train_supernet(space_, {.recipe = testkit::recipe(images_, 20), .file = file(), .device = "cpu"});
  }
  fs::path file() const { return folder_.path() / "net"; }
  search::EvaluatorSettings settings() const {
    return {.name = "supernet", .recipe = testkit::recipe_text(images_), .supernet = file().string(), .seed = 3};
  }
  double quality(const search::EvaluatorSettings& settings, const search::Point& point) const {
    return make_supernet_evaluator(space_, settings, testkit::place())
        ->evaluate(search::network_of(space_, point), point, testkit::trial())
        .value;
  }

  ImageFolder images_;
  TemporaryFolder folder_;
  search::Space space_ = tiny_space();
};

TEST_F(SupernetEvaluatorTest, ANetworkHasOneQuality) {
  const auto evaluator = make_supernet_evaluator(space_, settings(), testkit::place());
  std::vector<search::Point> points{testkit::largest_point(space_), testkit::smallest_point(space_)};
  for (const search::Point& point : points) {
    const auto spec = search::network_of(space_, point);
    const search::Quality first = evaluator->evaluate(spec, point, testkit::trial(1));
    EXPECT_EQ(first.value, quality(settings(), point));  // of another worker
    const auto details = nlohmann::json::parse(first.details);
    EXPECT_EQ(details.at("images"), 12);
    EXPECT_EQ(details.at("top1"), 100 * first.value);
    // The classes differ by colour; a guess has 1/3. Without statistics of its own a child does not exceed that.
    EXPECT_GT(first.value, 0.6);
  }
  search::EvaluatorSettings own = settings();
  own.recipe.clear();  // the recipe in the supernet's file
  EXPECT_EQ(quality(own, points[0]), quality(settings(), points[0]));
}

// The exported model is read from its file and evaluated here by a network of its own: it has the evaluator's top-1.
TEST_F(SupernetEvaluatorTest, AnExportedModelHasTheEvaluatedTop1) {
  const search::Point point = testkit::largest_point(space_);
  const fs::path model_file = folder_.path() / "model.safetensors";
  formats::write_model(model_file, child_model(space_, settings(), testkit::place(), point));
  const formats::Model model = formats::read_model(model_file);
  EXPECT_EQ(model.arch, [&] {
    arch::ArchSpec spec = search::network_of(space_, point);
    spec.classes = 3;
    return spec;
  }());
  EXPECT_EQ(model.labels, (std::vector<std::string>{"a", "b", "c"}));

  const graph::Graph graph = graph::lower(model.arch);
  nn::Network network(graph, nn::ParameterStore::from_weights(graph, model.weights));
  const Images images = open_images(space_.base, testkit::recipe(images_));
  data::EvaluationLoader loader(images.data.validation, model.preprocessing, {.batch = 5, .workers = 0});
  const torch::NoGradGuard no_gradients;
  std::int64_t right = 0;
  while (const auto batch = loader.next()) {
    const torch::Tensor logits =
        network.forward(train::images_of(*batch, 0, batch->n(), graph.input(), torch::kCPU), {});
    right += (logits.argmax(1) == torch::tensor(batch->labels)).sum().item<std::int64_t>();
  }
  EXPECT_EQ(static_cast<double>(right) / 12, quality(settings(), point));
}

// The moving statistics are the means over the batches. With one batch they are its own mean and variance, which the
// stem's output before batch norm gives here: mean and biased variance over images and pixels.
TEST_F(SupernetEvaluatorTest, StatisticsAreThoseOfTheTrainingImages) {
  search::EvaluatorSettings all = settings();
  all.recipe = testkit::recipe_text(images_);
  all.recipe.replace(all.recipe.find("batch = 8"), 9, "batch = 24");
  const formats::Model model = child_model(space_, all, testkit::place(), testkit::smallest_point(space_));
  const auto store = nn::ParameterStore::from_weights(graph::lower(model.arch), model.weights);

  const Images images = open_images(space_.base, testkit::recipe(images_));
  data::EvaluationLoader loader(images.data.train, model.preprocessing, {.batch = 24, .workers = 0});
  const data::Batch batch = *loader.next();
  const torch::Tensor x = train::images_of(batch, 0, 24, {3, 16, 16}, torch::kCPU);
  const torch::Tensor weight = store->at({.name = "stem.conv.weight", .dims = {}, .kind = {}}).detach();
  const torch::Tensor y =
      at::conv2d(x, weight, {}, /*stride=*/{1, 1}, /*padding=*/{1, 1}).transpose(0, 1).flatten(1).to(torch::kDouble);
  const torch::Tensor mean = store->at({.name = "stem.bn.running_mean", .dims = {}, .kind = {}}).to(torch::kDouble);
  const torch::Tensor variance = store->at({.name = "stem.bn.running_var", .dims = {}, .kind = {}}).to(torch::kDouble);
  // Sums of 6,144 values in float32: a relative error of 6,144 / 2^24 at most.
  const double scale = y.abs().max().item<double>();
  EXPECT_LE((mean - y.mean(1)).abs().max().item<double>(), 4e-4 * scale);
  EXPECT_LE((variance - y.var(1, /*unbiased=*/false)).abs().max().item<double>(), 4e-4 * scale * scale);
  EXPECT_GT(variance.min().item<double>(), 0);
}

TEST_F(SupernetEvaluatorTest, RefusesWhatDoesNotFit) {
  search::Space other = space_;
  other.choices.front().options = {"3", "7"};
  EXPECT_THAT(failure([&] { make_supernet_evaluator(other, settings(), testkit::place()); }),
              HasSubstr("another space"));

  fs::create_directories(images_.path() / "train/d");
  fs::copy(images_.path() / "train/a/0.png", images_.path() / "train/d/0.png");
  EXPECT_THAT(failure([&] { make_supernet_evaluator(space_, settings(), testkit::place()); }),
              HasSubstr("(got 3, expected 4)"));
  fs::remove_all(images_.path() / "train/d");
  fs::remove_all(images_.path() / "val");
  EXPECT_THAT(failure([&] { make_supernet_evaluator(space_, settings(), testkit::place()); }),
              HasSubstr("no validation images"));
}

// A search takes the number of classes from its images. The space of the file has 10, the images have 3.
TEST_F(SupernetEvaluatorTest, FitsASpaceWithAnotherNumberOfClasses) {
  search::Space ten = space_;
  ten.base.classes = 10;
  search::EvaluatorSettings of_ten = settings();
  of_ten.supernet = (folder_.path() / "ten").string();
  train_supernet(ten, {.recipe = testkit::recipe(images_, 2), .file = of_ten.supernet, .device = "cpu"});
  const search::Point point = testkit::smallest_point(space_);
  for (const std::int64_t classes : {10, 3, 1000}) {
    search::Space asked = space_;
    asked.base.classes = classes;
    const auto evaluator = make_supernet_evaluator(asked, of_ten, testkit::place());
    EXPECT_EQ(evaluator->classes(), 3);
    EXPECT_EQ(child_model(asked, of_ten, testkit::place(), point).arch.classes, 3);
  }
}

// Images that the supernet was trained on must not be validated.
TEST_F(SupernetEvaluatorTest, RefusesAnotherChoiceOfImages) {
  for (const char* setting : {"holdout = 4", "labels = \"labels.csv\"", "split = \"split.csv\""}) {
    search::EvaluatorSettings other = settings();
    const std::string section = "[data]\n";
    other.recipe.replace(other.recipe.find(section), section.size(), section + setting + "\n");
    const std::string message = failure([&] { make_supernet_evaluator(space_, other, testkit::place()); });
    EXPECT_THAT(message, HasSubstr("the supernet was trained with another value")) << setting;
    EXPECT_THAT(message, HasSubstr("leave the setting out"));
  }
}

// The same space and recipe, trained for one more epoch: only the weights differ.
TEST_F(SupernetEvaluatorTest, RefusesAnotherSupernetThanThatOfTheStudy) {
  const search::Point point = testkit::smallest_point(space_);
  search::EvaluatorSettings of_study = settings();
  of_study.supernet_digest = read_supernet(file(), space_).digest;
  EXPECT_EQ(quality(of_study, point), quality(settings(), point));
  fs::remove(file());
  train_supernet(space_, {.recipe = testkit::recipe(images_, 21), .file = file(), .device = "cpu"});
  EXPECT_THAT(failure([&] { make_supernet_evaluator(space_, of_study, testkit::place()); }),
              HasSubstr("3 " + file().string() + ": not the supernet that the study was made with"));
  EXPECT_THAT(failure([&] { child_model(space_, of_study, testkit::place(), point); }),
              HasSubstr("not the supernet that the study was made with"));
  EXPECT_NO_THROW(make_supernet_evaluator(space_, settings(), testkit::place())) << "a study without a digest";
}

TEST_F(SupernetEvaluatorTest, ADivergedSupernetIsAnError) {
  tensor::Weights weights = nn::ParameterStore::initialised(supernet_graph(space_), 1)->weights();
  weights.tensors.at("classifier.bias") =
      tensor::make_tensor({3}, std::vector<float>(3, std::numeric_limits<float>::quiet_NaN()));
  write_supernet(file(), space_, testkit::recipe(images_), std::move(weights));
  const search::Point point = testkit::smallest_point(space_);
  EXPECT_THAT(failure([&] { quality(settings(), point); }), HasSubstr("3 a logit is not finite"));
  EXPECT_THROW(quality(settings(), point), search::CandidateError) << "another worker would get it too";
}

}  // namespace
}  // namespace effnet::lab

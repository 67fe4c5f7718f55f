#include "effnet/lab/evaluators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/lab/lab_testing.h"
#include "effnet/search/study/worker.h"

namespace effnet::lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testkit::failure;
using testkit::tiny_space;

TEST(Evaluators, EveryEvaluatorOfTheSearchCanBeMade) {
  for (const search::EvaluatorFacts& facts : search::evaluators()) {
    // Without settings most cannot work; but none is unknown here.
    const std::string why =
        failure([&] { make_evaluator(tiny_space(), {.name = std::string(facts.name)}, testkit::place()); });
    EXPECT_THAT(why, testing::Not(HasSubstr("has no function"))) << facts.name;
  }
  EXPECT_THAT(failure([] { make_evaluator(tiny_space(), {.name = "proxi"}, testkit::place()); }), HasSubstr("2 "));
}

class ProxyTest : public testing::Test {
 protected:
  search::Quality evaluate(const search::Trial& trial, const search::EvaluatorPlace& place) const {
    const search::Point point(space_.choices.size(), 0);
    const auto evaluator =
        make_evaluator(space_, {.name = "proxy", .recipe = testkit::recipe_text(images_), .seed = 1}, place);
    return evaluator->evaluate(search::network_of(space_, point), point, trial);
  }
  void remove_files(const search::Trial& trial) const {
    make_evaluator(space_, {.name = "proxy", .recipe = testkit::recipe_text(images_), .seed = 1},
                   testkit::place(folder_.path()))
        ->remove_files(trial);
  }

  testkit::ImageFolder images_;
  TemporaryFolder folder_;
  search::Space space_ = tiny_space();
};

TEST_F(ProxyTest, TheQualityIsTheTop1AfterTheBudget) {
  const search::Quality one = evaluate(testkit::trial(3), testkit::place(folder_.path()));
  const auto details = nlohmann::json::parse(one.details);
  EXPECT_GE(one.value, 0);
  EXPECT_LE(one.value, 1);
  EXPECT_DOUBLE_EQ(100 * one.value, details.at("top1").get<double>());
  EXPECT_EQ(details.at("epochs"), 3);
  const int images = details.at("images"), largest = details.at("largest_class");
  EXPECT_LT(largest, images) << "several classes";
  EXPECT_GE(3 * largest, images) << "three classes";
}

// The worker of the first attempt could not store the result, for example because the server was away.
TEST_F(ProxyTest, AResultThatWasNotStoredIsFoundAgain) {
  const double expected = evaluate(testkit::trial(3), testkit::place(folder_.path())).value;
  std::string log;
  search::EvaluatorPlace place = testkit::place(folder_.path());
  place.log = [&](const std::string& line) { log += line + "\n"; };
  search::Trial second = testkit::trial(3);
  second.attempts = 2;
  EXPECT_EQ(evaluate(second, place).value, expected);
  EXPECT_THAT(log, testing::Not(HasSubstr("epoch 1 of 3"))) << "no second training";

  second.state = search::TrialState::failed;
  remove_files(second);
  EXPECT_FALSE(fs::is_empty(folder_.path())) << "the message of a failed trial names a file";
  second.state = search::TrialState::done;
  remove_files(second);
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(ProxyTest, AnotherAttemptContinuesTheTrial) {
  const double expected = evaluate(testkit::trial(3), testkit::place(folder_.path())).value;
  remove_files(testkit::trial(3));
  search::EvaluatorPlace place = testkit::place(folder_.path());
  place.log = [](const std::string& line) {
    if (line.starts_with("epoch 2")) throw std::runtime_error("killed");
  };
  EXPECT_THROW(evaluate(testkit::trial(3), place), std::runtime_error);
  std::string log;
  place.log = [&](const std::string& line) { log += line + "\n"; };
  search::Trial second = testkit::trial(3);
  second.attempts = 2;
  EXPECT_EQ(evaluate(second, place).value, expected);
  EXPECT_THAT(log, HasSubstr("resuming from"));
  EXPECT_THAT(log, testing::Not(HasSubstr("epoch 1 of 3")));
}

// Images that are gone are not the network's fault; neither if the folder is missing nor if its files cannot be read.
TEST_F(ProxyTest, ImagesThatCannotBeReadAreNoErrorOfTheNetwork) {
  const search::Point point(space_.choices.size(), 0);
  const auto evaluator = make_evaluator(space_, {.name = "proxy", .recipe = testkit::recipe_text(images_), .seed = 1},
                                        testkit::place(folder_.path()));
  const auto is_candidate_error = [&] {
    try {
      evaluator->evaluate(search::network_of(space_, point), point, testkit::trial());
    } catch (const search::CandidateError&) {
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      return false;
    }
    ADD_FAILURE() << "no error";
    return false;
  };
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(images_.path())) {
    if (file.is_regular_file()) write_text(file.path(), "no image");
  }
  EXPECT_FALSE(is_candidate_error());
  fs::remove_all(images_.path() / "train");
  EXPECT_FALSE(is_candidate_error());
}

TEST_F(ProxyTest, ATrainingThatDivergesAndANetworkThatCannotBeBuiltAreErrorsOfTheNetwork) {
  const search::Point point(space_.choices.size(), 0);
  const auto evaluate_with = [&](const std::string& recipe, const arch::ArchSpec& spec) {
    make_evaluator(space_, {.name = "proxy", .recipe = recipe, .seed = 1}, testkit::place(folder_.path()))
        ->evaluate(spec, point, testkit::trial(20));
  };
  const arch::ArchSpec spec = search::network_of(space_, point);
  std::string diverging = testkit::recipe_text(images_);
  const std::string rate = "lr = 0.05";
  // Each step multiplies the weights by about -1e5, so that they overflow float32 (3e38) within 8 of the 60 steps.
  diverging.replace(diverging.find(rate), rate.size(), "lr = 10000.0\nweight_decay = 10.0");
  EXPECT_THROW(evaluate_with(diverging, spec), search::CandidateError);
  arch::ArchSpec unknown = spec;
  unknown.stages.front().block = "no_such_block";
  EXPECT_THROW(evaluate_with(testkit::recipe_text(images_), unknown), search::CandidateError);
}

TEST_F(ProxyTest, AWrongRecipeIsAnError) {
  EXPECT_THAT(failure([] {
                make_evaluator(tiny_space(), {.name = "proxy", .recipe = "[train]\nepoch = 1\n"}, testkit::place());
              }),
              HasSubstr("3 the study's recipe:2"));
}

}  // namespace
}  // namespace effnet::lab

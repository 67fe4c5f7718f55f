// What holds for every controller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"
#include "effnet/search/control/controller_testing.h"
#include "effnet/search/control/state.h"

namespace effnet::search {
namespace {

using testing::HasSubstr;

ControllerOptions small_options() {
  ControllerOptions options;
  options.population = 8;
  options.tournament = 3;
  options.hidden = 6;
  return options;
}

std::unique_ptr<Controller> make(const ControllerKind& kind, const Space& space,
                                 const ControllerOptions& options = small_options()) {
  return kind.make(space, options);
}

// The reward counts the first options; the cost counts the last ones.
Result result_of(const Point& point) {
  Result result{.point = point, .reward = 0, .quality = 0, .cost = 0};
  for (const int option : point) {
    result.quality += option == 0 ? 0.1 : 0;
    result.cost += option == 2 ? 1 : 0;
  }
  result.reward = result.quality - 0.01 * result.cost;
  return result;
}

std::vector<Result> results_of(const std::vector<Point>& points) {
  std::vector<Result> results;
  results.reserve(points.size());
  for (const Point& point : points) results.push_back(result_of(point));
  return results;
}

// The message, or "no error".
std::string error_of(const std::function<void()>& work, ErrorCode code = ErrorCode::input) {
  try {
    work();
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
}

// Calls test(kind) for every controller.
template <class Test>
void for_each_kind(const Test& test) {
  for (const ControllerKind& kind : controller_kinds()) {
    SCOPED_TRACE(kind.name);
    test(kind);
  }
}

TEST(Controllers, Names) {
  EXPECT_EQ(controller_kind("evolution").name, "evolution");
  EXPECT_EQ(controller_kinds().size(), 4U);
  try {
    controller_kind("evolutoin");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_STREQ(error.what(), "unknown controller (got 'evolutoin', expected random, evolution, rl or nsga2)");
    EXPECT_EQ(error.hint(), "did you mean evolution?");
  }
}

TEST(Controllers, OptionsAreChecked) {
  check(ControllerOptions{});
  const auto message = [](auto change) {
    ControllerOptions options;
    change(options);
    return error_of([&] { check(options); }, ErrorCode::usage);
  };
  EXPECT_EQ(message([](auto& o) { o.population = 1; }),
            "--population: out of range (got 1, expected from 2 to 100000)");
  EXPECT_THAT(message([](auto& o) { o.tournament = 0; }), HasSubstr("tournament"));
  EXPECT_THAT(message([](auto& o) { o.crossover = 1.5; }), HasSubstr("crossover"));
  EXPECT_THAT(message([](auto& o) { o.crossover = NAN; }), HasSubstr("crossover"));
  EXPECT_THAT(message([](auto& o) { o.hidden = 0; }), HasSubstr("hidden units"));
  EXPECT_THAT(message([](auto& o) { o.hidden = 1001; }), HasSubstr("hidden units"));
  EXPECT_THAT(message([](auto& o) { o.learning_rate = 0; }), HasSubstr("--learning-rate"));
  EXPECT_THAT(message([](auto& o) { o.learning_rate = NAN; }), HasSubstr("--learning-rate"));
  EXPECT_THAT(message([](auto& o) { o.entropy_weight = -1; }), HasSubstr("entropy weight"));
  EXPECT_THAT(message([](auto& o) { o.entropy_weight = INFINITY; }), HasSubstr("entropy weight"));
  EXPECT_THAT(message([](auto& o) { o.baseline_decay = 1; }), HasSubstr("baseline decay"));
}

// A controller has no memory: a new object and an object that was used for other calls propose the same.
TEST(Controllers, AreFunctionsOfTheirArguments) {
  for_each_kind([](const ControllerKind& kind) {
    const Space space = wide_space();
    const auto used = make(kind, space);
    std::vector<Result> last;
    std::string state;
    for (std::int64_t generation = 0; generation < 5; ++generation) {
      const Proposal proposal = used->next(generation, state, last, 7);
      const auto fresh = make(kind, space);
      const Proposal again = fresh->next(generation, state, last, 7);
      EXPECT_EQ(again.points, proposal.points);
      EXPECT_EQ(again.state, proposal.state);
      ASSERT_EQ(proposal.points.size(), 7U);
      for (const Point& point : proposal.points) EXPECT_EQ(canonical(space, point), point);
      used->next(0, "", {}, 3);
      state = proposal.state;
      last = results_of(proposal.points);
    }
  });
}

TEST(Controllers, TheSeedDecides) {
  for_each_kind([](const ControllerKind& kind) {
    ControllerOptions other = small_options();
    other.seed = 2;
    const Space space = wide_space();
    EXPECT_NE(make(kind, space)->next(0, "", {}, 4).points, make(kind, space, other)->next(0, "", {}, 4).points);
  });
}

TEST(Controllers, ProposeOnlyWhatMayBeEvaluated) {
  for_each_kind([](const ControllerKind& kind) {
    ControllerOptions options = small_options();
    options.accepts = [](const Point& point) { return point[0] == 1 && point[3] != 2; };
    const std::vector<Result> results = run_search(*make(kind, wide_space(), options), 6, 8, result_of);
    ASSERT_EQ(results.size(), 48U);
    for (const Result& one : results) EXPECT_TRUE(options.accepts(one.point));
  });
}

TEST(Controllers, ImpossibleLimit) {
  for_each_kind([](const ControllerKind& kind) {
    ControllerOptions options = small_options();
    int asked = 0;
    bool possible = false;
    options.accepts = [&](const Point&) {
      ++asked;
      return possible;
    };
    const auto controller = make(kind, small_space(), options);
    const std::string message = error_of([&] { controller->next(0, "", {}, 2); });
    EXPECT_THAT(message, HasSubstr("no network found that may be evaluated (got 10000 networks above the limit"));
    EXPECT_EQ(asked, kMostDraws);
    possible = true;
    const Proposal proposal = controller->next(0, "", {}, 2);
    possible = false;
    EXPECT_EQ(error_of([&] { controller->next(1, proposal.state, results_of(proposal.points), 2); }), message);
  });
}

TEST(Controllers, FailedResultsDoNotCount) {
  for_each_kind([](const ControllerKind& kind) {
    const auto controller = make(kind, wide_space());
    const Proposal first = controller->next(0, "", {}, 6);
    std::vector<Result> with_failed = results_of(first.points), without;
    for (const std::size_t i : {0U, 2U}) {
      with_failed[i].failed = true;
      with_failed[i].reward = with_failed[i].quality = with_failed[i].cost = i == 0 ? 1e9 : NAN;
    }
    for (const Result& one : with_failed) {
      if (!one.failed) without.push_back(one);
    }
    const Proposal a = controller->next(1, first.state, with_failed, 6);
    const Proposal b = controller->next(1, first.state, without, 6);
    EXPECT_EQ(a.points, b.points);
    EXPECT_EQ(a.state, b.state);

    std::vector<Result> all_failed = results_of(first.points);
    for (Result& one : all_failed) one.failed = true;
    const Proposal c = controller->next(1, first.state, all_failed, 6);
    EXPECT_EQ(c.points.size(), 6U);
    EXPECT_NE(c.points, first.points);
    EXPECT_EQ(controller->next(2, c.state, results_of(c.points), 6).points.size(), 6U);
  });
}

TEST(Controllers, WrongResultsAreErrors) {
  for_each_kind([](const ControllerKind& kind) {
    if (kind.name == "random") return;  // does not read results
    const auto controller = make(kind, wide_space());
    const Proposal first = controller->next(0, "", {}, 3);
    const auto message = [&](auto change) {
      std::vector<Result> results = results_of(first.points);
      change(results[1]);
      return error_of([&] { controller->next(1, first.state, results, 3); });
    };
    EXPECT_THAT(message([](Result& r) { r.reward = NAN; }), HasSubstr("not a finite number"));
    EXPECT_THAT(message([](Result& r) { r.cost = INFINITY; }), HasSubstr("not a finite number"));
    EXPECT_THAT(message([](Result& r) { r.point.pop_back(); }), HasSubstr("not a point of the space"));
    EXPECT_THAT(message([](Result& r) { r.point[2] = 3; }), HasSubstr("not a point of the space"));
    EXPECT_THAT(message([](Result& r) { r.point[2] = -1; }), HasSubstr("not a point of the space"));
  });
}

TEST(Controllers, WrongStatesAreErrors) {
  for_each_kind([](const ControllerKind& kind) {
    const Space space = wide_space();
    const auto controller = make(kind, space);
    const Proposal first = controller->next(0, "", {}, 4);
    const std::vector<Result> results = results_of(first.points);
    const Proposal second = controller->next(1, first.state, results, 4);
    const std::vector<Result> last = results_of(second.points);
    const auto message = [&](const std::string& state) {
      return error_of([&] { controller->next(2, state, last, 4); });
    };
    EXPECT_EQ(message(second.state), "no error");

    EXPECT_THAT(error_of([&] { controller->next(0, second.state, {}, 4); }), HasSubstr("expected no state"));
    EXPECT_THAT(message(first.state), HasSubstr("generation: wrong value (got '0', expected 1)"));
    for (const char* text : {"", "x", "null", "[]", "3", "\xff"}) EXPECT_THAT(message(text), HasSubstr("JSON object"));
    EXPECT_THAT(message("{}"), HasSubstr("controller: wrong value"));
    for (const std::size_t length : {std::size_t{1}, second.state.size() / 2, second.state.size() - 1})
      EXPECT_THAT(message(second.state.substr(0, length)), HasSubstr("JSON object"));
    const auto of_other_space = make(kind, small_space());
    EXPECT_THAT(error_of([&] { of_other_space->next(2, second.state, {}, 4); }), HasSubstr("space: wrong value"));
    for (const ControllerKind& other : controller_kinds()) {
      if (other.name == kind.name) continue;
      EXPECT_THAT(error_of([&] { make(other, space)->next(2, second.state, {}, 4); }),
                  HasSubstr("controller: wrong value"));
    }
    const Json good = Json::parse(second.state);
    for (const auto& [field, value] : good.items()) {
      for (const Json& wrong : {Json("x"), Json::object(), Json(-1.5), Json::array({"x"}), Json()}) {
        if (field == "baseline" && (wrong.is_null() || wrong == -1.5)) continue;  // allowed
        Json bad = good;
        bad[field] = wrong;
        EXPECT_THAT(message(bad.dump()), HasSubstr(field + ": wrong value")) << wrong;
      }
      Json less = good;
      less.erase(field);
      EXPECT_THAT(message(less.dump()), HasSubstr(field + ": wrong value"));
    }
  });
}

// Arrays of another length, options out of range, and null, which is how a JSON writer stores NaN.
TEST(Controllers, WrongElementsOfStatesAreErrors) {
  const Space space = small_space();
  const auto message = [&](std::string_view name, auto change) {
    const auto controller = make(controller_kind(name), space);
    const Proposal first = controller->next(0, "", {}, 4);
    const Proposal second = controller->next(1, first.state, results_of(first.points), 4);
    Json state = Json::parse(second.state);
    change(state);
    return error_of([&] { controller->next(2, state.dump(), results_of(second.points), 4); });
  };
  EXPECT_THAT(message("evolution", [](Json& s) { s["rewards"].erase(0); }), HasSubstr("rewards: wrong number"));
  EXPECT_THAT(message("evolution", [](Json& s) { s["rewards"][0] = nullptr; }), HasSubstr("rewards: wrong value"));
  EXPECT_THAT(message("evolution", [](Json& s) { s["rewards"][0] = NAN; }), HasSubstr("rewards: wrong value"));
  EXPECT_THAT(message("evolution", [](Json& s) { s["points"][0][0] = 3; }), HasSubstr("points: wrong value"));
  EXPECT_THAT(message("evolution", [](Json& s) { s["points"][0][0] = 0.5; }), HasSubstr("points: wrong value"));
  EXPECT_THAT(message("evolution", [](Json& s) { s["points"][0].erase(0); }), HasSubstr("points: wrong value"));
  EXPECT_THAT(message("nsga2", [](Json& s) { s["costs"].erase(0); }), HasSubstr("wrong number"));
  EXPECT_THAT(message("nsga2", [](Json& s) { s["qualities"][0] = nullptr; }), HasSubstr("qualities: wrong value"));
  EXPECT_THAT(message("nsga2", [](Json& s) { s["points"].erase(0); }), HasSubstr("wrong number"));
  EXPECT_THAT(message("rl",
                      [](Json& s) {
                        s["weights"] = packed(std::vector<double>{1, 2});
                      }),
              HasSubstr("weights: wrong value"));
  EXPECT_THAT(message("rl", [](Json& s) { s["weights"] = s["weights"].get<std::string>() + "AAAA"; }),
              HasSubstr("weights: wrong value"));
  EXPECT_THAT(message("rl",
                      [](Json& s) {
                        auto text = s["mean"].get<std::string>();
                        text.replace(0, 16, packed(std::vector<double>{1, NAN, 1}));
                        s["mean"] = text;
                      }),
              HasSubstr("mean: wrong value (got a number that is not finite"));
  EXPECT_THAT(message("rl",
                      [](Json& s) {
                        auto text = s["square"].get<std::string>();
                        text.replace(0, 16, packed(std::vector<double>{1, -1, 1}));
                        s["square"] = text;
                      }),
              HasSubstr("square: out of range"));
  EXPECT_THAT(message("rl", [](Json& s) { s["drawn"] = Json::array(); }), HasSubstr("unknown network"));
}

// Numbers keep all bits in a state.
TEST(Controllers, StatesReadBackExactly) {
  const Space space = small_space();
  const auto controller = make(controller_kind("evolution"), space);
  const Proposal first = controller->next(0, "", {}, 3);
  std::vector<Result> results = results_of(first.points);
  const std::vector<double> rewards{1.0 / 3, 1e-310, -0.1};
  for (std::size_t i = 0; i < results.size(); ++i) results[i].reward = rewards[i];
  const Proposal second = controller->next(1, first.state, results, 3);
  const StateReader reader(second.state, {"evolution", 1, space});
  EXPECT_EQ(reader.numbers("rewards"), rewards);
  EXPECT_EQ(reader.points("points"), first.points);

  Json state = new_state({"x", 0, space});
  const std::vector<double> floats{0.1F, -1.5e-40F, 3e38F, 0};  // exact as float32, one of them denormal
  state["floats"] = packed(floats);
  EXPECT_EQ(StateReader(state.dump(), {"x", 0, space}).unpacked("floats", 4), floats);
}

}  // namespace
}  // namespace effnet::search

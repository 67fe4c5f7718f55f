// Reinforcement learning as in NASNet (Zoph, Vasudevan, Shlens & Le, CVPR 2018, appendix) and MnasNet: an LSTM chooses
// the options, and PPO makes those likely that led to a reward above a moving average of rewards (the baseline).
//
// The state has all weights and Adam's averages, so a generation costs the same at the start and at the end of a
// search: about 1 MB with 100 hidden units and a space of 40 choices. They are rounded to float32 before the next
// points are drawn. So the probabilities with which points were drawn can be computed from the state again.
//
// A point is drawn again if it may not be evaluated. The probabilities in PPO's ratios do not contain this condition;
// that is an approximation.
#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/search/control/adam.h"
#include "effnet/search/control/draw_points.h"
#include "effnet/search/control/lstm.h"
#include "effnet/search/control/make_controllers.h"
#include "effnet/search/control/ppo.h"
#include "effnet/search/control/state.h"

namespace effnet::search {
namespace {

constexpr std::size_t kMiniBatch = 20;  // points of one step of Adam, as in NASNet
constexpr int kEpochs = 2;              // passes over the points of a generation

struct Learner {  // what the state has
  std::vector<double> weights;
  Adam adam;
  std::optional<double> baseline;  // empty before the first reward
  std::vector<Point> drawn;        // the points of the last generation as the policy drew them, not canonical
};

struct Samples {
  std::vector<Point> points;
  std::vector<double> advantages;
};

std::vector<std::size_t> options_of(const Space& space) {
  std::vector<std::size_t> options;
  options.reserve(space.choices.size());
  for (const Choice& choice : space.choices) options.push_back(choice.options.size());
  return options;
}

void round_to_float(std::vector<double>& numbers) {
  for (double& number : numbers) number = static_cast<double>(static_cast<float>(number));
}

class Rl final : public Controller {
 public:
  Rl(const Space& space, const ControllerOptions& options)
      : space_(space), options_(options), policy_(options_of(space), static_cast<std::size_t>(options.hidden)) {}

  Proposal next(std::int64_t generation, std::string_view state, std::span<const Result> last,
                std::int64_t count) const override {
    Learner learner = read(generation, state);
    learn(learner, usable_results(space_, last));
    for (std::vector<double>* numbers : {&learner.weights, &learner.adam.mean, &learner.adam.square})
      round_to_float(*numbers);
    Proposal proposal;
    proposal.points.reserve(static_cast<std::size_t>(count));
    learner.drawn.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      Draws draws(key_of(options_, generation, i), "rl point");
      Point drawn;
      proposal.points.push_back(accepted_point(options_, [&] {
        drawn = policy_.sample(learner.weights, draws);
        return canonical(space_, drawn);
      }));
      learner.drawn.push_back(std::move(drawn));
    }
    proposal.state = write(learner, generation);
    return proposal;
  }

 private:
  Learner read(std::int64_t generation, std::string_view text) const {
    const std::size_t size = policy_.layout().size;
    Learner learner{.weights = {}, .adam = Adam(size), .baseline = {}, .drawn = {}};
    const std::optional<StateReader> state = read_state(text, "rl", generation, space_);
    if (!state) {
      Draws draws(key_of(options_, 0, 0), "rl weights");
      learner.weights = policy_.initial_weights(draws);
      return learner;
    }
    learner.weights = state->unpacked("weights", size);
    learner.adam.mean = state->unpacked("mean", size);
    learner.adam.square = state->unpacked("square", size);
    if (std::ranges::any_of(learner.adam.square, [](double square) { return square < 0; }))
      throw input_error("controller state: square: out of range (got a negative number, expected at least 0)");
    learner.adam.steps = state->count("steps");
    learner.baseline = state->number("baseline");
    learner.drawn = state->points("drawn");
    return learner;
  }

  std::string write(const Learner& learner, std::int64_t generation) const {
    Json text = new_state({"rl", generation, space_});
    text["weights"] = packed(learner.weights);
    text["mean"] = packed(learner.adam.mean);
    text["square"] = packed(learner.adam.square);
    text["steps"] = learner.adam.steps;
    text["baseline"] = learner.baseline ? Json(*learner.baseline) : Json();
    text["drawn"] = learner.drawn;
    return text.dump();
  }

  // The points and advantages of a generation. Updates the baseline; it begins with the mean of the first rewards,
  // because a baseline of 0 would make every first network a success.
  Samples samples_of(Learner& learner, const std::vector<Result>& results) const {
    std::vector<Point> proposed;
    proposed.reserve(learner.drawn.size());
    for (const Point& drawn : learner.drawn) proposed.push_back(canonical(space_, drawn));
    if (!learner.baseline) {
      double sum = 0;
      for (const Result& result : results) sum += result.reward;
      learner.baseline = sum / static_cast<double>(results.size());
    }
    Samples samples;
    samples.points.reserve(results.size());
    samples.advantages.reserve(results.size());
    for (const Result& result : results) {
      const auto found = std::ranges::find(proposed, result.point);
      if (found == proposed.end())
        throw input_error("result of a network: unknown network (got {}, expected one of the last generation)",
                          to_text(space_, result.point));
      samples.points.push_back(learner.drawn[static_cast<std::size_t>(found - proposed.begin())]);
      samples.advantages.push_back(result.reward - *learner.baseline);
    }
    for (const Result& result : results)
      *learner.baseline += (1 - options_.baseline_decay) * (result.reward - *learner.baseline);
    return samples;
  }

  // The points are independent of each other, so mini-batches are taken in their order.
  void learn(Learner& learner, const std::vector<Result>& results) const {
    if (results.empty()) return;
    const Samples samples = samples_of(learner, results);
    const std::span<const Point> points = samples.points;
    const std::span<const double> advantages = samples.advantages;
    const auto batch_at = [](auto all, std::size_t first) {
      return all.subspan(first, std::min(kMiniBatch, all.size() - first));
    };
    LstmPolicy::Trace trace = policy_.forward(learner.weights, batch_at(points, 0));
    std::vector<Probabilities> old;  // of each mini-batch
    old.reserve(points.size() / kMiniBatch + 1);
    old.push_back(trace.probabilities);
    for (std::size_t first = kMiniBatch; first < points.size(); first += kMiniBatch)
      old.push_back(policy_.forward(learner.weights, batch_at(points, first)).probabilities);
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      for (std::size_t first = 0; first < points.size(); first += kMiniBatch) {
        const PpoBatch batch{batch_at(points, first), batch_at(advantages, first), old[first / kMiniBatch]};
        // Before the first step the weights are those of the first trace.
        if (epoch > 0 || first > 0) trace = policy_.forward(learner.weights, batch.points);
        const PpoLoss loss = ppo_loss(batch, trace.probabilities, options_.entropy_weight);
        learner.adam.step(policy_.backward(learner.weights, batch.points, trace, loss.logit_gradients),
                          options_.learning_rate, learner.weights);
      }
    }
  }

  Space space_;
  ControllerOptions options_;
  LstmPolicy policy_;
};

}  // namespace

std::unique_ptr<Controller> make_rl(const Space& space, const ControllerOptions& options) {
  return std::make_unique<Rl>(space, options);
}

}  // namespace effnet::search

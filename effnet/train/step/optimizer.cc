#include "effnet/train/step/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "effnet/base/error.h"
#include "effnet/nn/resources.h"

namespace effnet::train {
namespace {

using Tensors = std::vector<torch::Tensor>;

// Number of elements per task of a thread. The update is elementwise, so this number does not affect results.
constexpr std::int64_t kTaskElements = 1 << 15;

// A rule has two overloads of operator(): for one float p with its gradient g (which includes weight decay) and two
// slot values, and for lists of tensors on any device. Rules with one slot ignore the second slot value. begin() begins
// a step; set_rate() computes the values that depend on the learning rate, for the tensors that follow.

struct RmsPropTf {
  static constexpr std::array<std::string_view, 2> kSlots{"mean_square", "momentum"};
  static constexpr std::array<float, 2> kStart{1, 0};
  float momentum, decay, epsilon;
  float lr = 0;

  void begin(float&) {}
  void set_rate(double rate, float) { lr = static_cast<float>(rate); }
  void operator()(float& p, float g, float& m, float& v) const {
    m = decay * m + (1 - decay) * (g * g);
    v = momentum * v + lr * g / std::sqrt(m + epsilon);
    p -= v;
  }
  void operator()(Tensors& p, Tensors& g, Tensors& m, Tensors& v) const {
    at::_foreach_mul_(m, decay);
    at::_foreach_addcmul_(m, g, g, 1 - decay);
    Tensors root = at::_foreach_add(m, epsilon);
    at::_foreach_sqrt_(root);
    at::_foreach_mul_(v, momentum);
    at::_foreach_addcdiv_(v, g, root, lr);
    at::_foreach_sub_(p, v);
  }
};

struct Sgd {
  static constexpr std::array<std::string_view, 1> kSlots{"momentum"};
  static constexpr std::array<float, 1> kStart{0};
  float momentum;
  bool nesterov;
  float lr = 0;

  void begin(float&) {}
  void set_rate(double rate, float) { lr = static_cast<float>(rate); }
  void operator()(float& p, float g, float& v, float&) const {
    v = momentum * v + g;
    p -= lr * (nesterov ? g + momentum * v : v);
  }
  void operator()(Tensors& p, Tensors& g, Tensors& v, Tensors&) const {
    at::_foreach_mul_(v, momentum);
    at::_foreach_add_(v, g, 1);
    if (nesterov) {
      at::_foreach_add_(p, g, -lr);
      at::_foreach_add_(p, v, -lr * momentum);
    } else {
      at::_foreach_add_(p, v, -lr);
    }
  }
};

struct AdamW {
  static constexpr std::array<std::string_view, 2> kSlots{"mean", "mean_square"};
  static constexpr std::array<float, 2> kStart{0, 0};
  double beta1, beta2;
  float epsilon;
  double weight_decay;
  // For step t: lr / (1 - beta1^t), sqrt(1 - beta2^t), 1 - lr * weight_decay.
  float rate = 0, root2 = 1, decay_factor = 1;

  // `steps` is a float, as the rest of the state. A float counts exactly up to 2^24; long before that, both corrections
  // round to 1.
  void begin(float& steps) { steps += 1; }
  void set_rate(double lr, float steps) {
    rate = static_cast<float>(lr / (1 - std::pow(beta1, steps)));
    root2 = static_cast<float>(std::sqrt(1 - std::pow(beta2, steps)));
    decay_factor = static_cast<float>(1 - lr * weight_decay);
  }
  void operator()(float& p, float g, float& m, float& v) const {
    const auto b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2);
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * (g * g);
    p -= rate * m / (std::sqrt(v) / root2 + epsilon);
  }
  void operator()(Tensors& p, Tensors& g, Tensors& m, Tensors& v) const {
    at::_foreach_mul_(m, beta1);
    at::_foreach_add_(m, g, 1 - beta1);
    at::_foreach_mul_(v, beta2);
    at::_foreach_addcmul_(v, g, g, 1 - beta2);
    Tensors root = at::_foreach_sqrt(v);
    at::_foreach_div_(root, root2);
    at::_foreach_add_(root, epsilon);
    at::_foreach_addcdiv_(p, m, root, -rate);
  }
};

template <class Rule>
class RuleOptimizer final : public Optimizer {
 public:
  static constexpr std::size_t kCount = Rule::kSlots.size();
  static constexpr bool kDecoupled = std::is_same_v<Rule, AdamW>;

  RuleOptimizer(Rule rule, double weight_decay, std::vector<Trainable> parameters)
      : rule_(rule), weight_decay_(static_cast<float>(weight_decay)), parameters_(std::move(parameters)) {
    for (const Trainable& parameter : parameters_) {
      for (std::size_t slot = 0; slot < kCount; ++slot) {
        slots_[slot].push_back(torch::full_like(parameter.tensor.detach(), Rule::kStart[slot]));
      }
    }
  }

  void step(double lr) override {
    const torch::NoGradGuard no_gradients;
    const layers::Loops loops = nn::shared_loops();  // holds the team for hundreds of small loops
    rule_.begin(steps_.data_ptr<float>()[0]);
    std::map<Group, Lists> groups;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const torch::Tensor p = parameters_[i].tensor.detach();
      const torch::Tensor& g = parameters_[i].tensor.grad();
      if (!g.defined()) continue;
      if (p.is_cpu() && p.scalar_type() == torch::kFloat && p.is_non_overlapping_and_dense()) {
        rule_.set_rate(lr * parameters_[i].lr_scale, steps());
        update_in_place(loops, i, p, g);
      } else {
        Lists& lists = groups[{parameters_[i].lr_scale, parameters_[i].decays}];
        lists.p.push_back(p);
        lists.g.push_back(g);
        for (std::size_t slot = 0; slot < kCount; ++slot) lists.slots[slot].push_back(slots_[slot][i]);
      }
    }
    for (auto& [group, lists] : groups) {
      rule_.set_rate(lr * group.lr_scale, steps());
      if (group.decays && kDecoupled) at::_foreach_mul_(lists.p, decay_factor());
      if (group.decays && !kDecoupled) lists.g = at::_foreach_add(lists.g, lists.p, weight_decay_);
      rule_(lists.p, lists.g, lists.slots[0], lists.slots[kCount - 1]);
    }
  }

  std::vector<std::pair<std::string, torch::Tensor>> state() override {
    std::vector<std::pair<std::string, torch::Tensor>> result;
    for (std::size_t slot = 0; slot < kCount; ++slot) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        result.emplace_back(fmt::format("{}/{}", Rule::kSlots[slot], parameters_[i].name), slots_[slot][i]);
      }
    }
    if (kDecoupled) result.emplace_back("steps/all", steps_);
    return result;
  }

 private:
  struct Group {  // the tensors that one foreach operation may update
    double lr_scale;
    bool decays;
    auto operator<=>(const Group&) const = default;
  };
  struct Lists {
    Tensors p, g;
    std::array<Tensors, kCount> slots;
  };

  float steps() const { return steps_.data_ptr<float>()[0]; }

  float decay_factor() const {
    if constexpr (kDecoupled) {
      return rule_.decay_factor;
    } else {
      return 1;
    }
  }

  // The slots have the strides of the parameter (full_like keeps them), so offset k is the same element in all tensors.
  void update_in_place(const layers::Loops& loops, std::size_t i, const torch::Tensor& p,
                       const torch::Tensor& gradient) {
    const bool fits = gradient.scalar_type() == torch::kFloat && gradient.strides() == p.strides();
    const torch::Tensor g = fits ? gradient : torch::empty_like(p).copy_(gradient);
    float* const pp = p.data_ptr<float>();
    const float* const gp = g.data_ptr<float>();
    float* const ap = slots_[0][i].template data_ptr<float>();
    float* const bp = slots_[kCount - 1][i].template data_ptr<float>();
    const float added = parameters_[i].decays && !kDecoupled ? weight_decay_ : 0.0F;
    const float factor = parameters_[i].decays ? decay_factor() : 1.0F;
    const Rule rule = rule_;
    const std::int64_t n = p.numel();
    loops.parallel((n + kTaskElements - 1) / kTaskElements, [=](std::int64_t first, std::int64_t last) {
      for (std::int64_t k = first * kTaskElements; k < std::min(n, last * kTaskElements); ++k) {
        float value = factor * pp[k];
        const float g_decayed = gp[k] + added * value;
        float a = ap[k], b = bp[k];
        rule(value, g_decayed, a, b);
        pp[k] = value;
        bp[k] = b;  // with one slot, bp is ap and b is its old value, so a must be stored last
        ap[k] = a;
      }
    });
  }

  Rule rule_;
  float weight_decay_;
  std::vector<Trainable> parameters_;
  std::array<Tensors, kCount> slots_;
  torch::Tensor steps_ = torch::zeros({1}, torch::kFloat);
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, std::vector<Trainable> parameters) {
  const OptimizerSettings s = with_optimizer_defaults(settings);
  const auto momentum = static_cast<float>(s.momentum), epsilon = static_cast<float>(s.epsilon);
  const auto by = [&]<class Rule>(Rule rule) -> std::unique_ptr<Optimizer> {
    return std::make_unique<RuleOptimizer<Rule>>(rule, s.weight_decay, std::move(parameters));
  };
  switch (s.name) {
    case OptimizerKind::rmsprop_tf:
      return by(RmsPropTf{.momentum = momentum, .decay = static_cast<float>(s.decay), .epsilon = epsilon});
    case OptimizerKind::sgd:
      return by(Sgd{.momentum = momentum, .nesterov = s.nesterov});
    case OptimizerKind::adamw:
      return by(AdamW{.beta1 = s.momentum, .beta2 = s.decay, .epsilon = epsilon, .weight_decay = s.weight_decay});
  }
  throw internal_error("unknown optimiser (got number {})", static_cast<int>(s.name));
}

}  // namespace effnet::train

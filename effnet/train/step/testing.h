// Shared by the tests of this folder: a tiny network, batches made without a loader, and a group of ranks in threads.
#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/random_key.h"
#include "effnet/data/loader.h"
#include "effnet/graph/lower.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

inline constexpr std::int64_t kTinyPixels = 16;
inline constexpr std::int64_t kTinyClasses = 3;

// All parts of an EfficientNet: stem, an MBConv without expansion, two with expansion, SE, a residual, head.
inline arch::ArchSpec tiny_spec(double dropout = 0.2, double drop_path = 0.2) {
  arch::ArchSpec spec;
  spec.name = "tiny";
  spec.dropout = dropout;
  spec.drop_path = drop_path;
  spec.bn_momentum = 0.9;
  spec.stem.channels = 8;
  spec.stem.stride = 1;
  spec.stages = {{.channels = 8, .se = 0.25}, {.repeats = 2, .channels = 12, .stride = 2, .expand = 4, .se = 0.25}};
  spec.head.channels = 24;
  return spec;
}
inline graph::Graph tiny_graph(double dropout = 0.2, double drop_path = 0.2) {
  return graph::lower(tiny_spec(dropout, drop_path),
                      {.resolution = Size{kTinyPixels, kTinyPixels}, .classes = kTinyClasses});
}

// Images [first, first + n) of an infinite dataset: noise, with a higher mean in the colour channel of the class.
inline data::Batch tiny_batch(std::int64_t n, std::int64_t first = 0, std::int64_t number = 0) {
  data::Batch batch;
  batch.number = number;
  for (std::int64_t i = first; i < first + n; ++i) {
    Draws draws({.seed = 5, .epoch = 0, .sample = static_cast<std::uint64_t>(i)}, "tiny image");
    batch.indices.push_back(i);
    batch.labels.push_back(draws.below(kTinyClasses));
    for (std::int64_t k = 0; k < kTinyPixels * kTinyPixels * 3; ++k) {
      const float bright = k % 3 == batch.labels.back() ? 0.5F : 0;
      batch.images.push_back(static_cast<float>(draws.normal()) + bright);
    }
  }
  return batch;
}

// Returns everything that a step changes: for each name, the bytes of the value.
inline std::map<std::string, std::string> bytes_of(Trainer& trainer) {
  std::map<std::string, std::string> result;
  for (const auto& [name, tensor] : trainer.state()) {
    const torch::Tensor plain = tensor.to(torch::kCPU).contiguous();
    result[name].assign(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  }
  for (const auto& [name, value] : trainer.scalars()) {
    result[name].assign(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return result;
}

// Returns the names whose bytes differ, so that a failing test prints names instead of bytes.
inline std::vector<std::string> differing(const std::map<std::string, std::string>& a,
                                          const std::map<std::string, std::string>& b) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second != bytes) names.push_back(name);
  }
  for (const auto& [name, bytes] : b) {
    if (!a.contains(name)) names.push_back(name);
  }
  return names;
}

// A group whose ranks are threads of this process. Sums are computed in the order of the ranks.
class ThreadGroup {
 public:
  explicit ThreadGroup(int world) : slots_(static_cast<std::size_t>(world)) {}

  class Member final : public Group {
   public:
    Member(ThreadGroup& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int world() const override { return static_cast<int>(all_.slots_.size()); }
    void sum(torch::Tensor& tensor) override {
      const torch::NoGradGuard no_gradients;
      all_.slots_[static_cast<std::size_t>(rank_)] = tensor;
      barrier();
      torch::Tensor total = all_.slots_[0].clone();
      for (std::size_t i = 1; i < all_.slots_.size(); ++i) total += all_.slots_[i];
      barrier();
      tensor.copy_(total);
    }
    void broadcast(torch::Tensor& tensor, int from) override {
      const torch::NoGradGuard no_gradients;
      all_.slots_[static_cast<std::size_t>(rank_)] = tensor;
      barrier();
      const torch::Tensor source = all_.slots_[static_cast<std::size_t>(from)].clone();
      barrier();
      tensor.copy_(source);
    }
    void barrier() override {
      std::unique_lock lock(all_.mutex_);
      const std::int64_t round = all_.round_;
      if (++all_.waiting_ == world()) {
        all_.waiting_ = 0;
        ++all_.round_;
        all_.changed_.notify_all();
      } else {
        all_.changed_.wait(lock, [&] { return all_.round_ != round; });
      }
    }
    std::vector<std::string> gather(std::string_view text) override {
      return std::vector<std::string>(all_.slots_.size(), std::string(text));
    }
    void begin_gradients(const std::vector<torch::Tensor>& parameters, std::int64_t) override {
      parameters_ = parameters;
    }
    void end_gradients() override {
      for (const torch::Tensor& parameter : parameters_) {
        torch::Tensor gradient = parameter.grad();
        sum(gradient);
        gradient /= world();
      }
    }

   private:
    ThreadGroup& all_;
    int rank_;
    std::vector<torch::Tensor> parameters_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<torch::Tensor> slots_;
  int waiting_ = 0;
  std::int64_t round_ = 0;
};

// A trainer of the tiny network, with its graph and group.
struct TinyTrainer {
  explicit TinyTrainer(const Recipe& recipe, graph::Graph network = tiny_graph())
      : graph(network), trainer(network, nn::ParameterStore::initialised(network, 11), recipe, torch::kCPU, *group) {}
  graph::Graph graph;
  std::unique_ptr<Group> group = single_process();
  Trainer trainer;
};

inline Recipe tiny_recipe(OptimizerKind optimizer, std::int64_t accumulate = 1) {
  Recipe recipe;
  recipe.optimizer.name = optimizer;
  recipe.train.accumulate = accumulate;
  recipe.ema_decay = 0.99;
  recipe.seed = 3;
  return recipe;
}

}  // namespace effnet::train

// Shared by the tests of layers: a context, random values, blocked tensors, named results and their comparison.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/philox.h"
#include "effnet/kernels/isa.h"
#include "effnet/layers/batch_norm.h"
#include "effnet/layers/layout.h"
#include "effnet/layers/plain_testing.h"

namespace effnet::layers::testkit {

// The parts of a Context, for the instruction set of this process (EFFNET_ISA).
struct Resources {
  const Kernels kernels{kernels::chosen_isa()};
  Team team;
  Workspace workspace;
};

inline std::vector<float> normal(std::string_view name, std::int64_t count, float deviation = 1, float mean = 0) {
  std::vector<float> values(static_cast<std::size_t>(count));
  Philox(17, stream_of(name)).fill_normal(values, 0, deviation);
  for (float& value : values) value += mean;
  return values;
}

inline constexpr EpilogueParams kSilu{kernels::Epilogue::silu, 0, 0}, kHardSwish{kernels::Epilogue::hard_swish, 0, 0},
    kRelu{kernels::Epilogue::clamp, 0, std::numeric_limits<float>::infinity()}, kRelu6{kernels::Epilogue::clamp, 0, 6};

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// blocked() converts [pixels][channels] to the blocked layout, with NaN in padding lanes; rows() converts back.
inline std::vector<float> blocked(const std::vector<float>& rows, std::int64_t channels) {
  const auto pixels = static_cast<std::int64_t>(rows.size()) / channels;
  std::vector<float> result(static_cast<std::size_t>(padded(channels) * pixels), kNan);
  for (std::int64_t i = 0; i < pixels * channels; ++i) {
    const std::int64_t p = i / channels, c = i % channels;
    result[static_cast<std::size_t>((c / kBlock * pixels + p) * kBlock + c % kBlock)] =
        rows[static_cast<std::size_t>(i)];
  }
  return result;
}
inline std::vector<float> rows(const std::vector<float>& blocks, std::int64_t channels) {
  const auto pixels = static_cast<std::int64_t>(blocks.size()) / padded(channels);
  std::vector<float> result(static_cast<std::size_t>(pixels * channels));
  for (std::int64_t i = 0; i < pixels * channels; ++i) {
    const std::int64_t p = i / channels, c = i % channels;
    result[static_cast<std::size_t>(i)] =
        blocks[static_cast<std::size_t>((c / kBlock * pixels + p) * kBlock + c % kBlock)];
  }
  return result;
}

template <class Real>
using Named = std::map<std::string, std::vector<Real>>;

template <class Real>
std::vector<Var<Real>> variables(Tape<Real>& tape, const std::vector<float>& values) {
  std::vector<Var<Real>> result;
  for (const float value : values) result.push_back(tape.variable(value));
  return result;
}
template <class Real>
std::vector<Real> values_of(const std::vector<Var<Real>>& variables) {
  std::vector<Real> result;
  for (const Var<Real>& variable : variables) result.push_back(variable.value);
  return result;
}

// Adds the gradient "d NAME" of every input to `results`. The loss is the sum of out * weights, so `weights` is the
// gradient of `out`, which the layers under test receive.
template <class Real>
void add_gradients(Tape<Real>& tape, const std::vector<Var<Real>>& out, const std::vector<float>& weights,
                   const std::map<std::string, std::vector<Var<Real>>>& inputs, Named<Real>& results) {
  Var<Real> loss = tape.variable(0);
  for (std::size_t i = 0; i < out.size(); ++i) loss = multiply_add(out[i], Var<Real>{weights[i]}, loss);
  const std::vector<Real> gradients = tape.gradients(loss);
  for (const auto& [name, variables] : inputs) {
    std::vector<Real>& to = results["d " + name];
    for (const Var<Real>& variable : variables) to.push_back(gradients[static_cast<std::size_t>(variable.id)]);
  }
}

// Compares a layer's float results `got` with `truth`. `plain`: the results of plain float loops, which add the same
// terms in another order. The allowed error is 8 times the largest error of `plain`, plus 64 roundings of the largest
// value. A few roundings alone would not be enough, since a batch norm's gradient is a difference. The largest value
// counts as at least 1/16: gradients of a batch norm's input are differences of terms of about 1, and some are zero in
// exact arithmetic.
inline void expect_close(const Named<float>& got, const Named<float>& plain, const Named<double>& truth) {
  ASSERT_EQ(got.size(), truth.size());
  for (const auto& [name, expected] : truth) {
    ASSERT_TRUE(got.count(name)) << name;
    ASSERT_EQ(got.at(name).size(), expected.size()) << name;
    double size = 0x1p-4, plain_error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      size = std::max(size, std::abs(expected[i]));
      plain_error = std::max(plain_error, std::abs(plain.at(name)[i] - expected[i]));
    }
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_LE(std::abs(got.at(name)[i] - expected[i]), 8 * plain_error + 64 * 0x1p-24 * size)
          << name << "[" << i << "]: got " << got.at(name)[i] << ", expected " << expected[i];
    }
  }
}

inline void expect_same_bits(const Named<float>& got, const Named<float>& expected, const std::string& where) {
  const auto same = [](float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); };
  for (const auto& [name, values] : expected) {
    EXPECT_TRUE(std::ranges::equal(got.at(name), values, same)) << name << " " << where;
  }
}

// The arrays of a batch norm. Training changes `mean` and `variance`, the moving statistics.
struct BatchNormValues {
  std::vector<float> gamma, beta, mean, variance;
  double epsilon = 1e-3, momentum = 0.7;
  bool unbiased = false;
  BatchNormValues() = default;
  BatchNormValues(const std::string& name, std::int64_t channels)
      : gamma(normal(name + " gamma", channels, 0.3F, 1)),
        beta(normal(name + " beta", channels, 0.3F)),
        mean(normal(name + " mean", channels, 0.5F)),
        variance(normal(name + " variance", channels)) {
    for (float& value : variance) value = 0.5F + value * value;
  }
  BatchNormParameters parameters() {
    return {gamma.data(), beta.data(), mean.data(), variance.data(), epsilon, momentum, unbiased};
  }
  PlainBatchNorm plain(bool training) const { return {training, epsilon, mean, variance}; }
  // Appends to `results` the moving statistics that are expected after a training step.
  template <class Real>
  void move(const PlainStatistics<Real>& batch, std::int64_t pixels, const std::string& name,
            Named<Real>& results) const {
    const auto old_weight = static_cast<Real>(momentum);
    const auto count = static_cast<Real>(pixels);
    for (std::size_t c = 0; c < batch.mean.size(); ++c) {
      const Real correction = unbiased && pixels > 1 ? count / (count - 1) : 1;
      results[name + " mean"].push_back(old_weight * static_cast<Real>(mean[c]) + (1 - old_weight) * batch.mean[c]);
      results[name + " variance"].push_back(old_weight * static_cast<Real>(variance[c]) +
                                            (1 - old_weight) * batch.variance[c] * correction);
    }
  }
};

// A fake sum_all for two threads that act as two processes: it adds the values of both.
class ProcessPair {
 public:
  std::function<void(std::span<double>)> sum_all(int rank) {
    return [this, rank](std::span<double> values) {
      parts_[rank].assign(values.begin(), values.end());
      barrier_.arrive_and_wait();
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = parts_[0][i] + parts_[1][i];
      barrier_.arrive_and_wait();
    };
  }

 private:
  std::barrier<> barrier_{2};
  std::vector<double> parts_[2];
};

// Combines the results of two processes, in `first`, into the results of the whole batch: outputs and input gradients
// are concatenated, parameter gradients are added. The statistics must be equal.
inline void join(Named<float>& first, const Named<float>& second) {
  for (auto& [name, values] : first) {
    const std::vector<float>& others = second.at(name);
    if (name == "out" || name == "d x") {
      values.insert(values.end(), others.begin(), others.end());
    } else if (name.starts_with("d ")) {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += others[i];
    } else {
      EXPECT_EQ(values, others) << name;
    }
  }
}

}  // namespace effnet::layers::testkit

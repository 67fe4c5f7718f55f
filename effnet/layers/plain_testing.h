// Expected results for the layer tests: the layers' formulas as plain loops on a tape with automatic differentiation.
// Computed in double, the results are the truth; computed in float, they show the rounding error of an ordinary order
// of summation.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "effnet/kernels/kernels.h"

namespace effnet::layers::testkit {

// Reverse-mode differentiation: each value records its operands and its derivatives with respect to them.
template <class Real>
class Tape {
 public:
  struct Var {
    Real value = 0;
    Tape* tape = nullptr;  // null: a constant
    std::int64_t id = 0;
  };
  Var variable(Real value) { return record(value, {}, {}); }

  // Returns the derivatives of `of` with respect to all values, indexed by Var::id.
  std::vector<Real> gradients(const Var& of) const {
    std::vector<Real> result(nodes_.size());
    result[static_cast<std::size_t>(of.id)] = 1;
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      if (result[i] == 0) continue;
      for (std::size_t j = 0; j < 3; ++j) {
        const std::int64_t from = nodes_[i].from[j];
        if (from >= 0) result[static_cast<std::size_t>(from)] += result[i] * nodes_[i].derivative[j];
      }
    }
    return result;
  }

  Var record(Real value, const std::array<const Var*, 3>& from, const std::array<Real, 3>& derivative) {
    Node node{{-1, -1, -1}, derivative};
    for (std::size_t j = 0; j < 3; ++j) {
      if (from[j] != nullptr && from[j]->tape != nullptr) node.from[j] = from[j]->id;
    }
    nodes_.push_back(node);
    return {value, this, static_cast<std::int64_t>(nodes_.size()) - 1};
  }

 private:
  struct Node {
    std::array<std::int64_t, 3> from;
    std::array<Real, 3> derivative;
  };
  std::vector<Node> nodes_;
};
template <class Real>
using Var = typename Tape<Real>::Var;

// a * b + c
template <class V, class Real = decltype(V::value)>
V multiply_add(const V& a, const V& b, const V& c) {
  const Real value = a.value * b.value + c.value;
  Tape<Real>* const tape = a.tape != nullptr ? a.tape : b.tape != nullptr ? b.tape : c.tape;
  return tape == nullptr ? V{value} : tape->record(value, {&a, &b, &c}, {b.value, a.value, 1});
}
template <class V, class Real = decltype(V::value)>
V unary(const V& x, Real value, Real derivative) {
  return x.tape == nullptr ? V{value} : x.tape->record(value, {&x, nullptr, nullptr}, {derivative, 0, 0});
}
template <class V>
V constant(double value) {
  return V{static_cast<decltype(V::value)>(value)};
}
template <class V>
V product(const V& a, const V& b) {
  return multiply_add(a, b, V{});
}
template <class V>
V sum(const V& a, const V& b) {
  return multiply_add(a, constant<V>(1), b);
}
template <class V, class Real = decltype(V::value)>
V sigmoid(const V& x) {
  const Real s = 1 / (1 + std::exp(-x.value));
  return unary(x, s, s * (1 - s));
}
template <class V, class Real = decltype(V::value)>
V inverse_root(const V& x) {
  const Real value = 1 / std::sqrt(x.value);
  return unary(x, value, Real{-0.5} * value / x.value);
}
template <class V, class Real = decltype(V::value)>
V activation(const primitives::EpilogueParams& kind, const V& x) {
  switch (kind.epilogue) {
    case kernels::Epilogue::silu:
      return product(x, sigmoid(x));
    case kernels::Epilogue::hard_swish:
      if (x.value <= -3) return unary(x, Real{0}, Real{0});
      if (x.value >= 3) return unary(x, x.value, Real{1});
      return unary(x, x.value * (x.value + 3) / 6, x.value / 3 + Real{0.5});
    case kernels::Epilogue::clamp:
      break;
  }
  const bool within = x.value > kind.low && x.value < kind.high;
  return within ? x : unary(x, x.value <= kind.low ? Real{kind.low} : Real{kind.high}, Real{0});
}

// [image][row][column][channel]
template <class V>
struct Image {
  std::int64_t n, h, w, c;
  std::vector<V> values;
  Image(std::int64_t images, std::int64_t height, std::int64_t width, std::int64_t channels)
      : n(images), h(height), w(width), c(channels), values(static_cast<std::size_t>(n * h * w * c)) {}
  V& at(std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t channel) {
    return values[static_cast<std::size_t>(((image * h + y) * w + x) * c + channel)];
  }
  const V& at(std::int64_t image, std::int64_t y, std::int64_t x, std::int64_t channel) const {
    return const_cast<Image*>(this)->at(image, y, x, channel);
  }
};

struct Window {
  std::int64_t kernel, stride, top, left, out_h, out_w;
};

// weight: [out][in][kernel][kernel]. out = 0: a depthwise convolution with weight [channels][kernel][kernel].
template <class V>
Image<V> convolution(const Image<V>& in, const std::vector<V>& weight, std::int64_t out, const Window& window) {
  const bool depthwise = out == 0;
  const std::int64_t k = window.kernel, channels = depthwise ? in.c : out, each = depthwise ? 1 : in.c;
  Image<V> result(in.n, window.out_h, window.out_w, channels);
  for (std::int64_t image = 0; image < in.n; ++image) {
    for (std::int64_t i = 0; i < window.out_h * window.out_w * channels; ++i) {
      const std::int64_t o = i % channels, x = i / channels % window.out_w, y = i / channels / window.out_w;
      V total{};
      for (std::int64_t j = 0; j < k * k * each; ++j) {
        const std::int64_t c = j % each, from_x = x * window.stride - window.left + j / each % k;
        const std::int64_t from_y = y * window.stride - window.top + j / each / k;
        if (from_y < 0 || from_y >= in.h || from_x < 0 || from_x >= in.w) continue;
        total = multiply_add(in.at(image, from_y, from_x, depthwise ? o : c),
                             weight[static_cast<std::size_t>((o * each + c) * k * k + j / each)], total);
      }
      result.at(image, y, x, o) = total;
    }
  }
  return result;
}

// Options of a batch norm. The moving statistics are read in evaluation only.
struct PlainBatchNorm {
  bool training = true;
  double epsilon = 1e-3;
  std::vector<float> moving_mean = {}, moving_variance = {};
};
template <class Real>
struct PlainStatistics {
  std::vector<Real> mean, variance;  // of the batch; the variance is biased
};
template <class V, class Real = decltype(V::value)>
PlainStatistics<Real> batch_norm(Image<V>& y, const std::vector<V>& gamma, const std::vector<V>& beta,
                                 const PlainBatchNorm& norm) {
  PlainStatistics<Real> statistics;
  const std::int64_t pixels = y.n * y.h * y.w;
  const V weight = constant<V>(1.0 / static_cast<double>(pixels)), minus = constant<V>(-1);
  for (std::int64_t c = 0; c < y.c; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const auto value = [&](std::int64_t p) -> V& { return y.values[static_cast<std::size_t>(p * y.c + c)]; };
    V mean{}, variance{};
    if (norm.training) {
      for (std::int64_t p = 0; p < pixels; ++p) mean = sum(mean, value(p));
      mean = product(mean, weight);
      for (std::int64_t p = 0; p < pixels; ++p) {
        const V d = multiply_add(mean, minus, value(p));
        variance = multiply_add(d, d, variance);
      }
      variance = product(variance, weight);
      statistics.mean.push_back(mean.value);
      statistics.variance.push_back(variance.value);
    } else {
      mean = constant<V>(norm.moving_mean[channel]);
      variance = constant<V>(norm.moving_variance[channel]);
    }
    const V scale = product(gamma[channel], inverse_root(sum(variance, constant<V>(norm.epsilon))));
    for (std::int64_t p = 0; p < pixels; ++p) {
      value(p) = multiply_add(multiply_add(mean, minus, value(p)), scale, beta[channel]);
    }
  }
  return statistics;
}

template <class V>
void activate(Image<V>& x, const primitives::EpilogueParams& kind) {
  for (V& value : x.values) value = activation(kind, value);
}

}  // namespace effnet::layers::testkit

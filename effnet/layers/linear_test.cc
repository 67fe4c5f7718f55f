// Compares the linear layer with sums in double.
#include "effnet/layers/linear.h"

#include "effnet/base/error.h"
#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

// n, in, out
const LinearShape kShapes[] = {{1, 1, 1}, {3, 17, 10}, {5, 40, 7}, {2, 33, 100}, {19, 16, 32}};

struct Results {
  std::vector<float> y, dx, dweight, dbias;
};
Results run(Resources& resources, const LinearShape& s, int threads, const std::vector<float>& x,
            const std::vector<float>& weight, const std::vector<float>& bias, const std::vector<float>& dy) {
  const Loops loops(resources.team, threads);
  const Context context{resources.kernels, loops, resources.workspace};
  Results results{std::vector<float>(dy.size(), kNan), std::vector<float>(x.size(), kNan),
                  std::vector<float>(weight.size(), kNan), std::vector<float>(bias.size(), kNan)};
  linear_forward(context, s, x.data(), weight.data(), bias.data(), results.y.data());
  linear_backward(context, s, x.data(), weight.data(), dy.data(), results.dx.data(), results.dweight.data(),
                  results.dbias.data());
  std::vector<float> dweight(weight.size(), kNan), dbias(bias.size(), kNan);
  linear_backward(context, s, x.data(), weight.data(), dy.data(), nullptr, dweight.data(), dbias.data());
  EXPECT_EQ(dweight, results.dweight);
  return results;
}

// Compares `got`, a float sum of `count` products, with `sum`. The allowed error is the bound for any order of
// summation and at most 3 other roundings (Higham, Accuracy and Stability, chapter 3). `magnitude` is the sum of the
// absolute values of the products.
void expect_sum(float got, double sum, double magnitude, std::int64_t count) {
  EXPECT_LE(std::abs(got - sum), static_cast<double>(count + 3) * 0x1p-24 * magnitude);
}

TEST(Linear, MatchesSumsInDouble) {
  Resources resources;
  for (const LinearShape& s : kShapes) {
    const std::vector<float> x = normal("x", s.n * s.in), weight = normal("weight", s.out * s.in),
                             bias = normal("bias", s.out), dy = normal("dy", s.n * s.out);
    const Results got = run(resources, s, 2, x, weight, bias, dy);
    // Compares `result` with start + the sum over k of a(k) * b(k).
    const auto check = [](float result, std::int64_t count, double start, const auto& a, const auto& b) {
      double sum = start, magnitude = std::abs(start);
      for (std::int64_t k = 0; k < count; ++k) {
        const double term = double{a(k)} * b(k);
        sum += term;
        magnitude += std::abs(term);
      }
      expect_sum(result, sum, magnitude, count);
    };
    const auto at = [](const std::vector<float>& values, std::int64_t row, std::int64_t width, std::int64_t column) {
      return values[static_cast<std::size_t>(row * width + column)];
    };
    for (std::int64_t i = 0; i < s.n; ++i) {
      for (std::int64_t o = 0; o < s.out; ++o) {
        check(
            at(got.y, i, s.out, o), s.in, at(bias, 0, 0, o), [&](auto k) { return at(x, i, s.in, k); },
            [&](auto k) { return at(weight, o, s.in, k); });
      }
      for (std::int64_t c = 0; c < s.in; ++c) {
        check(
            at(got.dx, i, s.in, c), s.out, 0, [&](auto k) { return at(dy, i, s.out, k); },
            [&](auto k) { return at(weight, k, s.in, c); });
      }
    }
    for (std::int64_t o = 0; o < s.out; ++o) {
      check(
          at(got.dbias, 0, 0, o), s.n, 0, [&](auto k) { return at(dy, k, s.out, o); }, [](auto) { return 1.0F; });
      for (std::int64_t c = 0; c < s.in; ++c) {
        check(
            at(got.dweight, o, s.in, c), s.n, 0, [&](auto k) { return at(dy, k, s.out, o); },
            [&](auto k) { return at(x, k, s.in, c); });
      }
    }
  }
}

TEST(Linear, NumberOfThreadsDoesNotChangeBits) {
  Resources resources;
  const LinearShape s{7, 50, 130};
  const std::vector<float> x = normal("x", s.n * s.in), weight = normal("weight", s.out * s.in),
                           bias = normal("bias", s.out), dy = normal("dy", s.n * s.out);
  const Results one = run(resources, s, 1, x, weight, bias, dy);
  for (const int threads : {2, 3}) {
    const Results more = run(resources, s, threads, x, weight, bias, dy);
    EXPECT_EQ(more.y, one.y);
    EXPECT_EQ(more.dx, one.dx);
    EXPECT_EQ(more.dweight, one.dweight);
    EXPECT_EQ(more.dbias, one.dbias);
  }
}

TEST(Linear, InvalidShapesAreRejected) {
  Resources resources;
  const Loops loops(resources.team, 1);
  const Context context{resources.kernels, loops, resources.workspace};
  EXPECT_THROW(linear_forward(context, {0, 3, 3}, nullptr, nullptr, nullptr, nullptr), Error);
  EXPECT_THROW(linear_backward(context, {1, 3, 0}, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr), Error);
}

}  // namespace
}  // namespace effnet::layers

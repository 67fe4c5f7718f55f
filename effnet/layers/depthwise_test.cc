// Compares the depthwise convolution with plain loops in double, for every kernel size and stride and for the paddings
// of TensorFlow and PyTorch.
#include "effnet/layers/depthwise.h"

#include "effnet/base/error.h"
#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

std::vector<DepthwiseShape> shapes() {
  std::vector<DepthwiseShape> result;
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const auto& [h, w] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 9}, {7, 8}, {40, 3}, {6, 70}}) {
        const std::int64_t out_h = (h + stride - 1) / stride, out_w = (w + stride - 1) / stride;
        const auto same = [&](std::int64_t in, std::int64_t out) {  // SAME: smaller half on top and left
          return std::max<std::int64_t>((out - 1) * stride + kernel - in, 0) / 2;
        };
        result.push_back({2, 5, h, w, out_h, out_w, kernel, stride, same(h, out_h), same(w, out_w)});
        result.push_back({1, 17, h, w, out_h, out_w, kernel, stride, kernel / 2, kernel / 2});  // PyTorch's padding
        if (std::min(h, w) >= kernel) {                                                         // no padding
          result.push_back({1, 1, h, w, (h - kernel) / stride + 1, (w - kernel) / stride + 1, kernel, stride, 0, 0});
        }
      }
    }
  }
  return result;
}

struct Layer {
  explicit Layer(const DepthwiseShape& shape) : s(shape) {
    inputs["x"] = normal("x", s.images * s.in_h * s.in_w * s.channels);
    inputs["weight"] = normal("weight", s.channels * s.kernel * s.kernel, 0.3F);
    loss = normal("loss", s.images * s.out_h * s.out_w * s.channels);
  }
  DepthwiseShape s;
  Named<float> inputs;
  std::vector<float> loss;
};

template <class Real>
Named<Real> plain(const Layer& layer) {
  const DepthwiseShape& s = layer.s;
  Tape<Real> tape;
  Named<Real> results;
  std::map<std::string, std::vector<Var<Real>>> in;
  for (const auto& [name, values] : layer.inputs) in[name] = variables(tape, values);
  Image<Var<Real>> x(s.images, s.in_h, s.in_w, s.channels);
  x.values = in.at("x");
  Image<Var<Real>> y = convolution(x, in.at("weight"), 0, {s.kernel, s.stride, s.top, s.left, s.out_h, s.out_w});
  results["out"] = values_of<Real>(y.values);
  add_gradients(tape, y.values, layer.loss, in, results);
  Image<Var<Real>> constants(s.images, s.out_h, s.out_w, s.channels);
  for (std::size_t i = 0; i < y.values.size(); ++i) constants.values[i].value = y.values[i].value;
  const std::vector<Var<Real>> ones(static_cast<std::size_t>(s.channels), Var<Real>{1});
  const auto statistics = batch_norm(constants, ones, ones, {});
  results["mean"] = statistics.mean;
  results["variance"] = statistics.variance;
  return results;
}

Named<float> run(Resources& resources, const Layer& layer, int threads) {
  const DepthwiseShape& s = layer.s;
  const std::vector<float> x = blocked(layer.inputs.at("x"), s.channels), dout = blocked(layer.loss, s.channels);
  const std::vector<float>& weight = layer.inputs.at("weight");
  std::vector<float> y(dout.size(), kNan), dx(x.size(), kNan), dw(weight.size(), kNan);
  const Loops loops(resources.team, threads);
  const Context context{resources.kernels, loops, resources.workspace};
  primitives::ChannelMoments moments = moments_of(s);
  const auto copy_row = [](const std::vector<float>& from, std::int64_t row, std::int64_t width, float* to) {
    std::copy_n(from.begin() + row * width * kBlock, width * kBlock, to);
  };
  depthwise_forward(
      context, s, weight.data(),
      [&](std::int64_t plane, std::int64_t row, float* to) { copy_row(x, plane * s.in_h + row, s.in_w, to); }, y.data(),
      moments);
  DepthwiseBackward backward;
  backward.weight = weight.data();
  backward.make_input = [&](std::int64_t plane, std::int64_t row, float* to, float* derivative) {
    copy_row(x, plane * s.in_h + row, s.in_w, to);
    std::fill_n(derivative, s.in_w * kBlock, static_cast<float>(plane * s.in_h + row));
  };
  backward.make_gradient = [&](std::int64_t plane, std::int64_t row, float* to) {
    copy_row(dout, plane * s.out_h + row, s.out_w, to);
  };
  backward.take_row = [&](std::int64_t plane, std::int64_t row, const float* gradient, const float* derivative) {
    EXPECT_EQ(derivative[s.in_w * kBlock - 1], static_cast<float>(plane * s.in_h + row));  // written by make_input()
    std::copy_n(gradient, s.in_w * kBlock, dx.begin() + (plane * s.in_h + row) * s.in_w * kBlock);
  };
  depthwise_backward(context, s, backward, dw.data());
  Named<float> results{
      {"out", rows(y, s.channels)}, {"d x", rows(dx, s.channels)}, {"d weight", dw}, {"mean", {}}, {"variance", {}}};
  const auto joined = moments.joined();
  for (std::size_t c = 0; c < joined.mean.size(); ++c) {
    results["mean"].push_back(static_cast<float>(joined.mean[c]));
    results["variance"].push_back(static_cast<float>(joined.squares[c] / joined.pixels));
  }
  return results;
}

TEST(Depthwise, MatchesPlainLoops) {
  Resources resources;
  for (const DepthwiseShape& s : shapes()) {
    SCOPED_TRACE(testing::Message() << "k" << s.kernel << " s" << s.stride << ", " << s.in_h << "x" << s.in_w
                                    << ", padding " << s.top << " " << s.left << ", " << s.channels << " channels");
    const Layer layer(s);
    const Named<float> one = run(resources, layer, 1);
    expect_close(one, plain<float>(layer), plain<double>(layer));
    for (const int threads : {2, 3})
      expect_same_bits(run(resources, layer, threads), one, std::to_string(threads) + " threads");
  }
}

TEST(Depthwise, UnsupportedShapesAreRejected) {
  Resources resources;
  const Loops loops(resources.team, 1);
  const Context context{resources.kernels, loops, resources.workspace};
  const auto forward = [&](const DepthwiseShape& s) {
    primitives::ChannelMoments moments({}, 1);
    depthwise_forward(context, s, nullptr, {}, nullptr, moments);
  };
  // images, channels, in_h, in_w, out_h, out_w, kernel, stride, top, left
  EXPECT_THROW(forward({1, 1, 4, 4, 4, 4, 4, 1, 1, 1}), Error);   // kernel 4
  EXPECT_THROW(forward({1, 1, 9, 9, 3, 3, 3, 3, 0, 0}), Error);   // stride 3
  EXPECT_THROW(forward({1, 1, 4, 4, 4, 4, 3, 1, 3, 1}), Error);   // padding on top as large as the kernel
  EXPECT_THROW(forward({1, 1, 4, 4, 4, 4, 3, 1, 1, -1}), Error);  // negative padding on the left
  EXPECT_THROW(forward({1, 0, 4, 4, 4, 4, 3, 1, 1, 1}), Error);   // no channels
}

}  // namespace
}  // namespace effnet::layers

// Compares MBConv blocks with plain loops in double: outputs, all gradients, moving statistics.
#include "effnet/layers/mbconv.h"

#include <thread>

#include "effnet/base/error.h"
#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

struct Case {
  std::string label;
  MbConvShape shape;
  bool drop = false;
};
// images, in_h, in_w, out_h, out_w; in, expanded, out, squeezed; kernel, stride, top, left; expand, residual
const Case kCases[] = {
    {"OddChannelsSame", {2, 6, 5, 6, 5, 5, 33, 7, 3, 3, 1, 1, 1, true, false, kHardSwish, kHardSwish}},
    // TensorFlow's SAME: for an even size, padding 0 on top and left, 1 on bottom and right.
    {"Stride2AsymmetricSame", {2, 6, 8, 3, 4, 8, 20, 9, 2, 3, 2, 0, 0, true, false, kSilu, kSilu}},
    {"Stride2Kernel5OddSize", {2, 7, 5, 4, 3, 4, 17, 6, 0, 5, 2, 2, 2, true, false, kSilu, {}}},
    {"Kernel5AsymmetricSame", {1, 6, 4, 3, 2, 3, 16, 5, 2, 5, 2, 1, 1, true, false, kRelu6, kRelu}},
    {"Kernel7Residual", {2, 5, 6, 5, 6, 6, 12, 6, 4, 7, 1, 3, 3, true, true, kSilu, kSilu}, true},
    {"Kernel7Stride2", {2, 5, 6, 3, 3, 6, 12, 6, 4, 7, 2, 3, 3, true, false, kSilu, kSilu}},
    {"OnePixel", {3, 1, 1, 1, 1, 8, 16, 8, 2, 5, 1, 2, 2, true, true, kSilu, kSilu}},
    {"OnePixelOneImage", {1, 1, 1, 1, 1, 4, 8, 4, 1, 3, 1, 1, 1, true, true, kSilu, kSilu}},
    {"OneChannel", {2, 4, 5, 4, 5, 1, 1, 1, 1, 3, 1, 1, 1, true, true, kSilu, kSilu}},
    {"NoExpansion", {3, 4, 4, 4, 4, 18, 18, 5, 2, 3, 1, 1, 1, false, false, kSilu, kSilu}},
    {"NoExpansionResidual", {2, 4, 4, 4, 4, 9, 9, 9, 0, 3, 1, 1, 1, false, true, kRelu, {}}, true},
    {"ValidPadding", {2, 7, 6, 3, 2, 4, 10, 5, 0, 3, 2, 0, 0, true, false, kRelu, {}}},
    {"Wide", {1, 3, 140, 3, 140, 2, 3, 2, 1, 3, 1, 1, 1, true, true, kSilu, kSilu}},  // several segments and bands
};
void PrintTo(const Case& block, std::ostream* out) { *out << block.label; }

// The inputs of a block by name, in the channels-last layout that the plain loops read.
struct Block {
  explicit Block(const Case& block_case) : shape(block_case.shape) {
    const std::int64_t window = shape.kernel * shape.kernel;
    const auto scale = [](std::int64_t depth) { return 1 / std::sqrt(static_cast<float>(depth)); };
    inputs["x"] = normal("x", shape.in_pixels() * shape.in);
    if (shape.expand) inputs["expand"] = normal("expand", shape.expanded * shape.in, scale(shape.in));
    inputs["depthwise"] = normal("depthwise", shape.expanded * window, scale(window));
    if (shape.squeezed > 0) {
      inputs["reduce"] = normal("reduce", shape.squeezed * shape.expanded, scale(shape.expanded));
      inputs["reduce bias"] = normal("reduce bias", shape.squeezed);
      inputs["excite"] = normal("excite", shape.expanded * shape.squeezed, scale(shape.squeezed));
      inputs["excite bias"] = normal("excite bias", shape.expanded);
    }
    inputs["project"] = normal("project", shape.out * shape.expanded, scale(shape.expanded));
    const std::int64_t channels[] = {shape.expanded, shape.expanded, shape.out};
    for (std::size_t i = 0; i < 3; ++i) {
      norms[i] = BatchNormValues("norm" + std::to_string(i + 1), channels[i]);
      if (i == 0 && !shape.expand) continue;
      inputs["gamma" + std::to_string(i + 1)] = norms[i].gamma;
      inputs["beta" + std::to_string(i + 1)] = norms[i].beta;
    }
    loss = normal("loss", shape.out_pixels() * shape.out);
    for (std::int64_t i = 0; block_case.drop && i < shape.images; ++i) {
      drop_path_scale.push_back(i % 2 == 0 ? 1.25F : 0);
    }
  }

  MbConvShape shape;
  Named<float> inputs;
  BatchNormValues norms[3];
  std::vector<float> loss, drop_path_scale;
};

template <class Real>
Named<Real> plain(const Block& block, bool training) {
  using V = Var<Real>;
  const MbConvShape& s = block.shape;
  Tape<Real> tape;
  Named<Real> results;
  std::map<std::string, std::vector<V>> in;
  for (const auto& [name, values] : block.inputs) in[name] = variables(tape, values);
  const auto norm = [&](Image<V>& y, std::size_t i) {
    const std::string number = std::to_string(i + 1);
    const auto statistics =
        batch_norm(y, in.at("gamma" + number), in.at("beta" + number), block.norms[i].plain(training));
    block.norms[i].move(statistics, y.n * y.h * y.w, "norm" + number, results);
  };
  Image<V> x(s.images, s.in_h, s.in_w, s.in);
  x.values = in.at("x");
  Image<V> y = x;
  if (s.expand) {
    y = convolution(x, in.at("expand"), s.expanded, {1, 1, 0, 0, s.in_h, s.in_w});
    norm(y, 0);
    activate(y, s.activation);
  }
  y = convolution(y, in.at("depthwise"), 0, {s.kernel, s.stride, s.top, s.left, s.out_h, s.out_w});
  norm(y, 1);
  activate(y, s.activation);
  if (s.squeezed > 0) {
    Image<V> mean(s.images, 1, 1, s.expanded);
    const V weight = constant<V>(1.0 / static_cast<double>(s.out_h * s.out_w));
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const auto image = static_cast<std::int64_t>(i) / (s.out_h * s.out_w * s.expanded);
      V& to = mean.at(image, 0, 0, static_cast<std::int64_t>(i) % s.expanded);
      to = multiply_add(y.values[i], weight, to);
    }
    const auto linear = [&](const Image<V>& from, const std::string& name, std::int64_t out) {
      Image<V> to = convolution(from, in.at(name), out, {1, 1, 0, 0, 1, 1});
      for (std::size_t i = 0; i < to.values.size(); ++i) {
        to.values[i] = sum(to.values[i], in.at(name + " bias")[i % static_cast<std::size_t>(out)]);
      }
      return to;
    };
    Image<V> gate = linear(mean, "reduce", s.squeezed);
    activate(gate, s.squeeze_activation);
    gate = linear(gate, "excite", s.expanded);
    for (V& value : gate.values) value = sigmoid(value);
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const auto image = static_cast<std::int64_t>(i) / (s.out_h * s.out_w * s.expanded);
      y.values[i] = product(y.values[i], gate.at(image, 0, 0, static_cast<std::int64_t>(i) % s.expanded));
    }
  }
  y = convolution(y, in.at("project"), s.out, {1, 1, 0, 0, s.out_h, s.out_w});
  norm(y, 2);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const std::size_t image = i / static_cast<std::size_t>(s.out_h * s.out_w * s.out);
    if (!block.drop_path_scale.empty()) y.values[i] = product(y.values[i], V{block.drop_path_scale[image]});
    if (s.residual) y.values[i] = sum(y.values[i], x.values[i]);
  }
  results["out"] = values_of<Real>(y.values);
  add_gradients(tape, y.values, block.loss, in, results);
  return results;
}

// Runs the layer on images [first, first + count) of the batch; count = -1: all images.
Named<float> layer(Resources& resources, const Block& block, int threads, BatchNormMode mode, std::int64_t first = 0,
                   std::int64_t count = -1) {
  Block own = block;
  MbConvShape& s = own.shape;
  if (count >= 0) s.images = count;
  const auto part = [&](const std::vector<float>& values, std::int64_t channels) {
    const std::int64_t each = static_cast<std::int64_t>(values.size()) / block.shape.images;
    return blocked({values.begin() + first * each, values.begin() + (first + s.images) * each}, channels);
  };
  const std::vector<float> x = part(block.inputs.at("x"), s.in), dout = part(block.loss, s.out);
  const auto weight = [&](const char* name) { return own.inputs.count(name) ? own.inputs[name].data() : nullptr; };
  const MbConvWeights weights{
      weight("expand"),  weight("depthwise"),
      weight("project"), {weight("reduce"), weight("reduce bias"), weight("excite"), weight("excite bias")},
      weight("gamma1"),  weight("gamma2"),
      weight("gamma3")};
  std::vector<float> y1(static_cast<std::size_t>(s.y1_floats()), kNan),
      y2(static_cast<std::size_t>(s.y2_floats()), kNan), y3(static_cast<std::size_t>(s.y3_floats()), kNan);
  std::vector<float> out(y3.size(), kNan), dx(x.size(), kNan);
  const MbConvTensors tensors{y1.data(), y2.data(), y3.data()};
  MbConvState state;
  state.mode = std::move(mode);
  state.drop_path_scale = own.drop_path_scale;
  const Loops loops(resources.team, threads, !state.mode.sum_all);
  const Context context{resources.kernels, loops, resources.workspace};
  mbconv_forward(context, s, weights, {own.norms[0].parameters(), own.norms[1].parameters(), own.norms[2].parameters()},
                 x.data(), tensors, state, out.data());
  Named<float> results;
  for (const auto& [name, values] : own.inputs) results["d " + name].assign(values.size(), kNan);
  const auto gradient = [&](const char* name) {
    return own.inputs.count(name) ? results["d " + std::string(name)].data() : nullptr;
  };
  const MbConvGradients gradients{
      dx.data(),
      gradient("expand"),
      gradient("depthwise"),
      gradient("project"),
      {gradient("reduce"), gradient("reduce bias"), gradient("excite"), gradient("excite bias")},
      gradient("gamma1"),
      gradient("beta1"),
      gradient("gamma2"),
      gradient("beta2"),
      gradient("gamma3"),
      gradient("beta3")};
  mbconv_backward(context, s, weights, x.data(), tensors, state, dout.data(), gradients);
  results["d x"] = rows(dx, s.in);
  results["out"] = rows(out, s.out);
  for (std::size_t i = s.expand ? 0 : 1; state.mode.training && i < 3; ++i) {
    results["norm" + std::to_string(i + 1) + " mean"] = own.norms[i].mean;
    results["norm" + std::to_string(i + 1) + " variance"] = own.norms[i].variance;
  }
  return results;
}

class MbConv : public testing::TestWithParam<Case> {
 protected:
  Resources resources;
};

TEST_P(MbConv, TrainingMatchesPlainLoops) {
  Block block(GetParam());
  for (const bool unbiased : {false, true}) {
    for (BatchNormValues& norm : block.norms) norm.unbiased = unbiased;
    expect_close(layer(resources, block, 2, {.training = true}), plain<float>(block, true), plain<double>(block, true));
  }
}

TEST_P(MbConv, EvaluationMatchesPlainLoops) {
  const Block block(GetParam());
  expect_close(layer(resources, block, 2, {}), plain<float>(block, false), plain<double>(block, false));
}

TEST_P(MbConv, NumberOfThreadsDoesNotChangeBits) {
  const Block block(GetParam());
  const Named<float> one = layer(resources, block, 1, {.training = true});
  for (const int threads : {2, 3, 1}) {
    expect_same_bits(layer(resources, block, threads, {.training = true}), one, std::to_string(threads) + " threads");
  }
}

// Synchronised batch norm. Both processes share the team, so neither may hold it while waiting for the other.
TEST_P(MbConv, TwoProcessesMatchTheStepOfTheWholeBatch) {
  const Block block(GetParam());
  const std::int64_t images = block.shape.images, half = images / 2;
  if (images < 2 || !block.drop_path_scale.empty()) return;
  ProcessPair pair;
  Named<float> parts[2];
  const auto process = [&](int rank) {
    parts[rank] = layer(resources, block, 2, {.training = true, .sum_all = pair.sum_all(rank)}, rank == 0 ? 0 : half,
                        rank == 0 ? half : images - half);
  };
  std::thread other(process, 1);
  process(0);
  other.join();
  join(parts[0], parts[1]);
  expect_close(parts[0], plain<float>(block, true), plain<double>(block, true));
}

INSTANTIATE_TEST_SUITE_P(Blocks, MbConv, testing::ValuesIn(kCases),
                         [](const auto& block) { return block.param.label; });

TEST(MbConvShapes, InvalidShapesAreRejected) {
  Resources resources;
  const Loops loops(resources.team, 1);
  const Context context{resources.kernels, loops, resources.workspace};
  const auto run = [&](void (*change)(MbConvShape&)) {
    MbConvShape shape = kCases[0].shape;
    change(shape);
    MbConvState state;
    mbconv_forward(context, shape, {}, {{}, {}, {}}, nullptr, {}, state, nullptr);
  };
  EXPECT_THROW(run([](MbConvShape& s) { s.images = 0; }), Error);
  EXPECT_THROW(run([](MbConvShape& s) { s.expand = false; }), Error);
  EXPECT_THROW(run([](MbConvShape& s) { s.residual = true; }), Error);
}

}  // namespace
}  // namespace effnet::layers

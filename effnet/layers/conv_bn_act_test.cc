// Compares conv_bn_act with plain loops in double.
#include "effnet/layers/conv_bn_act.h"

#include <thread>

#include "effnet/base/error.h"
#include "effnet/layers/layers_testing.h"

namespace effnet::layers {
namespace {

using namespace testkit;

struct Case {
  std::string label;
  ConvBnActShape shape;
};
// images, in_h, in_w, out_h, out_w; in, out; kernel, stride, top, left
const Case kCases[] = {
    {"Stem", {3, 9, 8, 5, 4, 3, 20, 3, 2, 1, 0, kSilu}},  // SAME padding: for 8 columns, 0 left and 1 right
    {"Kernel7Stride3", {2, 7, 8, 3, 3, 3, 9, 7, 3, 3, 3, kRelu}},
    {"OneChannelKernel5", {1, 6, 5, 6, 5, 1, 1, 5, 1, 2, 2, kHardSwish}},
    {"Valid", {2, 5, 6, 3, 4, 17, 24, 3, 1, 0, 0, kRelu6}},
    {"OnePixelWindow", {4, 1, 1, 1, 1, 3, 8, 3, 2, 1, 1, kSilu}},
    {"Strided1x1", {2, 5, 5, 3, 3, 5, 6, 1, 2, 0, 0, kSilu}},
    {"Head", {3, 3, 5, 3, 5, 21, 33, 1, 1, 0, 0, kHardSwish}},
    {"HeadOnePixel", {5, 1, 1, 1, 1, 40, 7, 1, 1, 0, 0, kSilu}},
    {"HeadOneChannel", {2, 3, 3, 3, 3, 1, 1, 1, 1, 0, 0, kRelu6}},
    {"HeadOfSeveralChunks", {2, 20, 23, 20, 23, 2, 3, 1, 1, 0, 0, kSilu}},
};
void PrintTo(const Case& layer_case, std::ostream* out) { *out << layer_case.label; }

struct Layer {
  explicit Layer(const ConvBnActShape& s) : shape(s), norm("norm", s.out) {
    inputs["x"] = normal("x", s.images * s.in_h * s.in_w * s.in);
    inputs["weight"] = normal("weight", s.out * s.depth(), 1 / std::sqrt(static_cast<float>(s.depth())));
    inputs["gamma"] = norm.gamma;
    inputs["beta"] = norm.beta;
    loss = normal("loss", s.out_pixels() * s.out);
  }
  ConvBnActShape shape;
  BatchNormValues norm;
  Named<float> inputs;
  std::vector<float> loss;
};

template <class Real>
Named<Real> plain(const Layer& layer, bool training) {
  const ConvBnActShape& s = layer.shape;
  Tape<Real> tape;
  Named<Real> results;
  std::map<std::string, std::vector<Var<Real>>> in;
  for (const auto& [name, values] : layer.inputs) in[name] = variables(tape, values);
  Image<Var<Real>> x(s.images, s.in_h, s.in_w, s.in);
  x.values = in.at("x");
  Image<Var<Real>> y = convolution(x, in.at("weight"), s.out, {s.kernel, s.stride, s.top, s.left, s.out_h, s.out_w});
  const auto statistics = batch_norm(y, in.at("gamma"), in.at("beta"), layer.norm.plain(training));
  layer.norm.move(statistics, s.out_pixels(), "norm", results);
  activate(y, s.activation);
  results["out"] = values_of<Real>(y.values);
  if (!s.pointwise()) in.erase("x");  // the layer does not compute this gradient
  add_gradients(tape, y.values, layer.loss, in, results);
  return results;
}

Named<float> run(Resources& resources, const Layer& layer, int threads, const BatchNormMode& mode,
                 std::int64_t first = 0, std::int64_t count = -1) {
  ConvBnActShape s = layer.shape;
  BatchNormValues own = layer.norm;
  if (count >= 0) s.images = count;
  const auto part = [&](const std::vector<float>& values) -> std::vector<float> {
    const std::int64_t each = static_cast<std::int64_t>(values.size()) / layer.shape.images;
    return {values.begin() + first * each, values.begin() + (first + s.images) * each};
  };
  const std::vector<float> x = s.pointwise() ? blocked(part(layer.inputs.at("x")), s.in) : part(layer.inputs.at("x"));
  const std::vector<float> dout = blocked(part(layer.loss), s.out);
  const std::vector<float>& weight = layer.inputs.at("weight");
  std::vector<float> y(static_cast<std::size_t>(s.y_floats()), kNan), out(y.size(), kNan);
  std::vector<float> dx(s.pointwise() ? x.size() : 0, kNan);
  const Loops loops(resources.team, threads, !mode.sum_all);
  const Context context{resources.kernels, loops, resources.workspace};
  BatchNormConstants norm;
  conv_bn_act_forward(context, s, weight.data(), own.parameters(), x.data(), mode, y.data(), norm, out.data());
  Named<float> results;
  for (const char* name : {"weight", "gamma", "beta"}) {
    results["d " + std::string(name)].assign(layer.inputs.at(name).size(), kNan);
  }
  conv_bn_act_backward(context, s, weight.data(), own.gamma.data(), x.data(), mode, y.data(), norm, dout.data(),
                       {.x = s.pointwise() ? dx.data() : nullptr,
                        .weight = results["d weight"].data(),
                        .gamma = results["d gamma"].data(),
                        .beta = results["d beta"].data()});
  if (s.pointwise()) results["d x"] = rows(dx, s.in);
  results["out"] = rows(out, s.out);
  if (mode.training) {
    results["norm mean"] = own.mean;
    results["norm variance"] = own.variance;
  }
  return results;
}

class ConvBnAct : public testing::TestWithParam<Case> {
 protected:
  Resources resources;
  Layer layer{GetParam().shape};
};

TEST_P(ConvBnAct, TrainingMatchesPlainLoops) {
  for (const bool unbiased : {false, true}) {
    layer.norm.unbiased = unbiased;
    expect_close(run(resources, layer, 2, {.training = true}), plain<float>(layer, true), plain<double>(layer, true));
  }
}

TEST_P(ConvBnAct, EvaluationMatchesPlainLoops) {
  expect_close(run(resources, layer, 2, {}), plain<float>(layer, false), plain<double>(layer, false));
}

TEST_P(ConvBnAct, NumberOfThreadsDoesNotChangeBits) {
  const Named<float> one = run(resources, layer, 1, {.training = true});
  for (const int threads : {2, 3, 1}) {
    expect_same_bits(run(resources, layer, threads, {.training = true}), one, std::to_string(threads) + " threads");
  }
}

TEST_P(ConvBnAct, TwoProcessesMatchTheStepOfTheWholeBatch) {
  const std::int64_t images = layer.shape.images, half = images / 2;
  if (images < 2) return;
  ProcessPair pair;
  Named<float> parts[2];
  const auto process = [&](int rank) {
    parts[rank] = run(resources, layer, 2, {.training = true, .sum_all = pair.sum_all(rank)}, rank == 0 ? 0 : half,
                      rank == 0 ? half : images - half);
  };
  std::thread other(process, 1);
  process(0);
  other.join();
  join(parts[0], parts[1]);
  expect_close(parts[0], plain<float>(layer, true), plain<double>(layer, true));
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvBnAct, testing::ValuesIn(kCases), [](const auto& one) { return one.param.label; });

TEST(ConvBnActShapes, InvalidShapesAreRejected) {
  Resources resources;
  const Loops loops(resources.team, 1);
  const Context context{resources.kernels, loops, resources.workspace};
  const auto forward = [&](ConvBnActShape shape) {
    BatchNormConstants norm;
    conv_bn_act_forward(context, shape, nullptr, {}, nullptr, {}, nullptr, norm, nullptr);
  };
  EXPECT_THROW(forward({0, 3, 3, 3, 3, 4, 4, 1, 1, 0, 0, kSilu}), Error);
  EXPECT_THROW(forward({1, 3, 3, 2, 3, 4, 4, 1, 1, 0, 0, kSilu}), Error);
}

}  // namespace
}  // namespace effnet::layers

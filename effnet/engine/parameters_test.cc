#include "effnet/engine/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "effnet/base/error.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/reference.h"
#include "effnet/graph/builder.h"

namespace effnet::engine {
namespace {

using tensor::Dtype;
using testing::ElementsAre;
using testing::HasSubstr;

graph::Graph small_graph() {
  graph::Builder builder("small", {3, 5, 5});
  graph::NodeId x = builder.add("a.conv", graph::Conv{.out_channels = 2, .bias = true}, {0});
  x = builder.add("a.bn", graph::BatchNorm{}, {x});
  x = builder.add("pool", graph::GlobalPool{}, {x});
  builder.graph().logits = builder.add("classifier", graph::Linear{4}, {x});
  return builder.graph();
}

tensor::Weights weights_of(const graph::Graph& graph) {
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()), 0.5F);
    weights.tensors[parameter.name] = tensor::make_tensor(parameter.dims, std::move(values));
  }
  return weights;
}

std::string message_of(const Parameters& parameters, const graph::Graph& graph) {
  try {
    parameters.check(graph);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "";
}

TEST(Parameters, AlignedFloatsAreReadInPlace) {
  tensor::Weights weights;
  weights.tensors["x"] = tensor::make_tensor({2}, {1.5F, -2.0F});
  const Parameters parameters(weights);
  const auto values = parameters.find("x").value();
  EXPECT_EQ(static_cast<const void*>(values.data()), weights.tensors["x"].bytes.data());
  EXPECT_THAT(values, ElementsAre(1.5F, -2.0F));
  EXPECT_FALSE(parameters.find("y").has_value());
}

TEST(Parameters, ValuesOutliveTheWeights) {
  std::optional<Parameters> parameters;
  {
    tensor::Weights weights;
    weights.tensors["x"] = tensor::make_tensor({1}, {3.0F});
    parameters.emplace(weights);
  }
  const Parameters copy = *parameters;
  parameters.reset();
  EXPECT_THAT(copy.find("x").value(), ElementsAre(3.0F));
}

TEST(Parameters, OtherTypesAndUnalignedBytesAreConverted) {
  tensor::Weights weights;
  const auto bytes = std::make_shared<std::vector<std::byte>>(16);
  const float value = 7.25F;
  std::memcpy(bytes->data() + 1, &value, 4);
  weights.tensors["unaligned"] = {Dtype::f32, {1}, std::span(*bytes).subspan(1, 4), bytes};
  const std::uint16_t half = 0x3e00;  // 1.5
  std::memcpy(bytes->data() + 6, &half, 2);
  weights.tensors["half"] = {Dtype::f16, {1}, std::span(*bytes).subspan(6, 2), bytes};
  const Parameters parameters(weights);
  EXPECT_THAT(parameters.find("unaligned").value(), ElementsAre(7.25F));
  EXPECT_THAT(parameters.find("half").value(), ElementsAre(1.5F));
}

TEST(Parameters, BytesMustMatchTheShape) {
  tensor::Weights weights;
  weights.tensors["x"] = tensor::make_tensor({2}, {1, 2});
  weights.tensors["x"].dims = {3};
  try {
    const Parameters parameters(weights);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr("got 8 bytes, expected 3 of float32"));
  }
}

TEST(Parameters, CheckNamesTheParametersThatDoNotFit) {
  const graph::Graph graph = small_graph();
  tensor::Weights weights = weights_of(graph);
  weights.tensors["extra"] = tensor::make_tensor({}, {1});
  EXPECT_EQ(message_of(Parameters(weights), graph), "");

  weights.tensors["a.conv.weight"] = tensor::make_tensor({3, 2, 1, 1}, std::vector<float>(6));
  weights.tensors.erase("a.bn.running_var");
  EXPECT_THAT(
      message_of(Parameters(weights), graph),
      HasSubstr("2 of 8 tensors are missing or have another shape (a.conv.weight: got 3x2x1x1, expected 2x3x1x1; "
                "a.bn.running_var: missing, expected 2)"));

  const std::string none = message_of(Parameters(tensor::Weights{}), graph);
  EXPECT_THAT(none, HasSubstr("8 of 8"));
  EXPECT_THAT(none, HasSubstr("a.bn.weight: missing, expected 2; ...)"));
  EXPECT_THAT(none, testing::Not(HasSubstr("classifier")));
  EXPECT_THROW(Parameters(weights).at(graph::parameters(graph)[0]), Error);
}

// A parameter source in which every parameter is the beginning of one long tensor, as in the supernet of an
// architecture search.
class Slices final : public ParameterSource {
 public:
  explicit Slices(std::int64_t longest) : store_(static_cast<std::size_t>(longest)) {
    for (std::size_t i = 0; i < store_.size(); ++i) store_[i] = static_cast<float>(i % 7) / 8 + 0.125F;
  }
  std::span<const float> at(const graph::Parameter& parameter) const override {
    if (parameter.numel() > static_cast<std::int64_t>(store_.size())) throw input_error("{}: too long", parameter.name);
    return std::span(store_).first(static_cast<std::size_t>(parameter.numel()));
  }

 private:
  std::vector<float> store_;
};

TEST(ParameterSource, MayReturnSlicesOfALargerTensor) {
  const graph::Graph graph = small_graph();
  const Slices source(100);
  tensor::Weights copies;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    const auto values = source.at(parameter);
    copies.tensors[parameter.name] = tensor::make_tensor(parameter.dims, {values.begin(), values.end()});
  }
  ThreadPool pool(1);
  const std::vector<float> image(static_cast<std::size_t>(graph.input().numel()), 0.75F);
  const Parameters same(copies);
  EXPECT_EQ(Reference(graph, source, pool).run(image, 1), Reference(graph, same, pool).run(image, 1));

  EXPECT_THROW(Slices(3).check(graph), Error);  // the classifier's bias needs 4 values
  graph::Graph wrong = graph;
  wrong.nodes[1].out.c = 7;
  EXPECT_THROW(source.check(wrong), Error);
}

}  // namespace
}  // namespace effnet::engine

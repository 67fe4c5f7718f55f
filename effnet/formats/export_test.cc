#include "effnet/formats/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

using testing::HasSubstr;

// Returns a model whose tensors have shapes but no values, because these tests check names only. import_test.cc tests
// the values, including TensorFlow's permuted kernels.
Model shapes_of(std::string_view name, std::string_view imported_names) {
  Model model;
  model.arch = arch::variant(name).spec;
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(model.arch))) {
    model.weights.tensors[parameter.name] = {tensor::Dtype::f32, parameter.dims, {}, nullptr};
  }
  model.provenance.names = imported_names;
  return model;
}

TEST(Export, UsesTheNamesOfTheImportedWeights) {
  EXPECT_EQ(default_names(shapes_of("efficientnet_b0", "torchvision")), "torchvision");
  EXPECT_EQ(default_names(shapes_of("efficientnet_b0", "timm")), "timm");
  EXPECT_EQ(default_names(shapes_of("efficientnet_lite0", "lukemelas")), "lukemelas");
  EXPECT_EQ(default_names(shapes_of("efficientnet_b0", "tf")), "torchvision");
  EXPECT_EQ(default_names(shapes_of("efficientnet_b0", "")), "torchvision");
  EXPECT_EQ(default_names(shapes_of("resnet50", "effnet")), "torchvision");
  EXPECT_EQ(default_names(shapes_of("efficientnet_lite0", "")), "effnet");  // torchvision has no Lite
  EXPECT_EQ(default_names(shapes_of("amoebanet_b", "")), "effnet");
  EXPECT_EQ(default_names(shapes_of("amoebanet_b", "lukemelas")), "effnet");
}

TEST(Export, AddsBatchCountersForPyTorchNames) {
  const Model model = shapes_of("efficientnet_b0", "");
  const auto tensors = named_tensors(model, "torchvision");
  EXPECT_EQ(tensors.size(), 360U);  // docs/reference/checkpoints.md, section 1
  int counters = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!name.ends_with("num_batches_tracked")) continue;
    ++counters;
    EXPECT_EQ(tensor.dtype, tensor::Dtype::i64);
    EXPECT_TRUE(tensor.dims.empty());
    EXPECT_EQ(tensor::to_floats(tensor), std::vector<float>{0});
  }
  EXPECT_EQ(counters, 49);
  EXPECT_EQ(named_tensors(model, "effnet").size(), 311U);
}

TEST(Export, MessageListsTheValidNames) {
  const auto refusal = [](const Model& model, std::string_view names) -> std::string {
    try {
      named_tensors(model, names);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal(shapes_of("efficientnet_lite0", ""), "torchvision"),
              testing::AllOf(HasSubstr("'efficientnet_lite0'"), HasSubstr("expected effnet, timm, lukemelas or tf")));
  EXPECT_THAT(refusal(shapes_of("resnet50", ""), "lukemelas"), HasSubstr("expected effnet, torchvision or timm"));
  EXPECT_THAT(refusal(shapes_of("amoebanet_b", ""), "timm"), HasSubstr("expected effnet"));
  EXPECT_THAT(refusal(shapes_of("resnet50", ""), "keras"), HasSubstr("unknown naming scheme (got 'keras'"));
}

}  // namespace
}  // namespace effnet::formats

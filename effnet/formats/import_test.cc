// Exports models with the names of every source, imports them again and compares the weights. Also tests every error of
// the import. The weights are pseudo-random numbers, because equal values would hide swapped names.
#include "effnet/formats/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/formats/export.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

Model model_of(std::string_view name, std::int64_t classes) {
  Model model;
  model.arch = arch::variant(name).spec;
  model.arch.classes = classes;
  std::uint32_t state = 1;
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(model.arch))) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()));
    for (float& value : values) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 8) * 0x1p-24F;
    }
    model.weights.tensors.emplace(parameter.name, tensor::make_tensor(parameter.dims, std::move(values)));
  }
  return model;
}

tensor::Weights as_weights(const std::vector<std::pair<std::string, tensor::Tensor>>& tensors) {
  tensor::Weights weights;
  for (const auto& [name, tensor] : tensors) weights.tensors.emplace(name, tensor);
  return weights;
}

void expect_same_weights(const Model& got, const Model& expected) {
  ASSERT_EQ(got.weights.tensors.size(), expected.weights.tensors.size());
  for (const auto& [name, tensor] : expected.weights.tensors) {
    const tensor::Tensor* other = got.weights.find(name);
    ASSERT_TRUE(other) << name;
    EXPECT_EQ(other->dtype, tensor::Dtype::f32);
    EXPECT_EQ(other->dims, tensor.dims) << name;
    EXPECT_TRUE(std::equal(other->bytes.begin(), other->bytes.end(), tensor.bytes.begin(), tensor.bytes.end())) << name;
  }
}

struct Refusal {
  ErrorCode code;
  std::string text;
};
Refusal refusal(const fs::path& file, const ImportOptions& options = {}) {
  try {
    import_weights(file, options);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    return {error.code(), error.what()};
  }
  return {ErrorCode::internal, "accepted"};
}

class ImportTest : public testing::Test {
 protected:
  fs::path save(const tensor::Weights& weights, std::string_view name = "w.safetensors") {
    const fs::path path = folder_.path() / name;
    write_safetensors(path, weights);
    return path;
  }
  fs::path save(const Model& model, std::string_view names, std::string_view name = "w.safetensors") {
    return save(as_weights(named_tensors(model, names)), name);
  }
  TemporaryFolder folder_;
};

// ---- the imported model ---------------------------------------------------------------------------------------------

TEST_F(ImportTest, FindsTheNetworkWithNamesOfEverySource) {
  struct Case {
    std::string_view model, names, source;  // source: the expected result
  };
  const Case cases[] = {
      {"efficientnet_b0", "torchvision", "torchvision"},
      {"efficientnet_b0", "lukemelas", "lukemelas"},
      {"efficientnet_b0", "tf", "tf"},
      {"efficientnet_b0", "effnet", "effnet"},
      {"efficientnet_lite0", "lukemelas", "lukemelas"},
      {"efficientnet_lite0", "tf", "tf"},
      {"mobilenet_v1", "timm", "timm"},
      {"mobilenet_v2", "torchvision", "torchvision"},
      {"mobilenet_v2", "timm", "timm"},
      {"mnasnet_a1", "timm", "timm"},
      {"mnasnet_b1", "torchvision", "torchvision"},
      {"resnet18", "torchvision", "torchvision"},
      {"resnet18", "timm", "torchvision"},  // same names, epsilon and padding as torchvision
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(fmt::format("{} {}", c.model, c.names));
    const Model model = model_of(c.model, 7);
    const ImportResult got = import_weights(save(model, c.names));
    EXPECT_EQ(got.model.arch.name, c.model);
    EXPECT_EQ(got.model.arch.classes, 7);
    EXPECT_EQ(got.report.source, c.source);
    EXPECT_EQ(got.report.format, "safetensors");
    EXPECT_EQ(got.report.tensors, static_cast<std::int64_t>(model.weights.tensors.size()));
    EXPECT_TRUE(got.report.unused.empty());
    EXPECT_TRUE(got.report.warnings.empty());
    EXPECT_TRUE(got.model.labels.empty());
    expect_same_weights(got.model, model);
  }
}

TEST_F(ImportTest, StoresNumericsLabelsAndProvenance) {
  const Model model = model_of("efficientnet_b0", 1000);
  write_pth(folder_.path() / "b0.pth", named_tensors(model, "torchvision"));
  const ImportResult got = import_weights(folder_.path() / "b0.pth");
  EXPECT_EQ(got.report.format, "pth");
  EXPECT_EQ(got.report.params, 5288548);  // docs/reference/paper.md, section B
  EXPECT_EQ(got.report.tensors, 311);
  EXPECT_EQ(got.model.arch.bn_epsilon, 1e-5);
  EXPECT_EQ(got.model.arch.padding, arch::Padding::symmetric);
  EXPECT_EQ(got.model.arch.stem.padding, arch::Padding::symmetric);
  EXPECT_EQ(got.model.preprocessing.rule, "torchvision");
  EXPECT_EQ(got.model.preprocessing.resize, (Size{256, 256}));
  ASSERT_EQ(got.model.labels.size(), 1000U);
  EXPECT_EQ(got.model.labels[388], "giant panda");
  EXPECT_EQ(got.model.class_ids[388], "n02510455");
  EXPECT_EQ(got.model.provenance.file, "b0.pth");
  EXPECT_EQ(got.model.provenance.names, "torchvision");
  EXPECT_EQ(got.model.provenance.sha256, sha256(MappedFile(folder_.path() / "b0.pth").bytes()));

  // The model file is imported by its metadata, not by its name "tf_m", and keeps its original provenance.
  write_model(folder_.path() / "tf_m.safetensors", got.model);
  const ImportResult again = import_weights(folder_.path() / "tf_m.safetensors");
  EXPECT_EQ(again.model.arch, got.model.arch);
  EXPECT_EQ(again.model.preprocessing, got.model.preprocessing);
  EXPECT_EQ(again.model.provenance, got.model.provenance);
  EXPECT_EQ(again.report.params, 5288548);
  expect_same_weights(again.model, model);
  ImportOptions overrides;
  overrides.padding = arch::Padding::same;
  overrides.bn_epsilon = 0.5;
  const Model changed = import_weights(folder_.path() / "tf_m.safetensors", overrides).model;
  EXPECT_EQ(changed.arch.padding, arch::Padding::same);
  EXPECT_EQ(changed.arch.stem.padding, arch::Padding::same);
  EXPECT_EQ(changed.arch.bn_epsilon, 0.5);
}

// The provenance describes the bytes that were read, even if another file has replaced them at the path.
TEST_F(ImportTest, ProvenanceDescribesTheBytesThatWereRead) {
  const Model model = model_of("mobilenet_v2", 4);
  for (const char* file : {"m.pth", "m.safetensors"}) {
    const fs::path path = folder_.path() / file;
    const auto tensors = named_tensors(model, "torchvision");
    fs::path(file).extension() == ".pth" ? write_pth(path, tensors) : write_safetensors(path, as_weights(tensors));
    const std::string digest = sha256(MappedFile(path).bytes());
    const WeightsFile opened = open_weights(path);
    write_text(path, "another file");
    const ImportResult got = import_weights(opened);
    EXPECT_EQ(got.model.provenance.sha256, digest) << file;
    EXPECT_EQ(got.model.provenance.file, file);
    expect_same_weights(got.model, model);
  }
}

// The network is not a named model: its spec is given. The weights in half precision become float32.
TEST_F(ImportTest, AcceptsACustomNetwork) {
  ImportOptions options;
  options.spec = arch::variant("efficientnet_b0").spec;
  options.spec->name = "mine";
  options.spec->stages.resize(3);
  Model model;
  model.arch = *options.spec;
  model.arch.classes = 2;
  const std::vector<std::uint16_t> halves(1 << 20, 0x3c00);  // 1.0
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(model.arch))) {
    model.weights.tensors[parameter.name] = {
        tensor::Dtype::f16, parameter.dims,
        std::as_bytes(std::span(halves)).first(2 * static_cast<std::size_t>(parameter.numel())), nullptr};
  }
  const ImportResult got = import_weights(save(model, "torchvision"), options);
  EXPECT_EQ(got.model.arch.name, "mine");
  EXPECT_EQ(got.model.arch.classes, 2);
  EXPECT_EQ(tensor::to_floats(got.model.weights.at("classifier.bias")), (std::vector<float>{1, 1}));
  EXPECT_EQ(got.model.weights.at("stem.conv.weight").dtype, tensor::Dtype::f32);
}

TEST_F(ImportTest, UsesTensorFlowsAveragesAndReportsOtherTensors) {
  const Model model = model_of("efficientnet_lite0", 5);
  tensor::Weights weights;
  for (const auto& [name, tensor] : named_tensors(model, "tf")) {
    weights.tensors[name + "/ExponentialMovingAverage"] = tensor;
    weights.tensors[name] =
        tensor::make_tensor(tensor.dims, std::vector<float>(static_cast<std::size_t>(tensor::numel(tensor.dims))));
  }
  weights.tensors["global_step"] = tensor::make_tensor({}, {350});
  weights.tensors["efficientnet-lite0/stem/conv2d/kernel/RMSProp"] = tensor::make_tensor({1}, {1});
  const ImportResult got = import_weights(save(weights));
  EXPECT_EQ(got.model.arch.name, "efficientnet_lite0");
  expect_same_weights(got.model, model);
  EXPECT_EQ(got.report.unused.size(), static_cast<std::size_t>(got.report.tensors) + 2);
  EXPECT_THAT(got.report.unused, testing::Contains("global_step"));
}

// ---- location in the file -------------------------------------------------------------------------------------------

tensor::Weights under(const tensor::Weights& weights, const std::string& prefix, float factor = 1) {
  tensor::Weights result;
  for (const auto& [name, tensor] : weights.tensors) {
    std::vector<float> values = tensor::to_floats(tensor);
    for (float& value : values) value *= factor;
    result.tensors[prefix + name] =
        tensor.dtype == tensor::Dtype::f32 ? tensor::make_tensor(tensor.dims, std::move(values)) : tensor;
  }
  return result;
}

tensor::Weights both(tensor::Weights a, const tensor::Weights& b) {
  a.tensors.insert(b.tensors.begin(), b.tensors.end());
  return a;
}

TEST_F(ImportTest, RemovesKnownPrefixesInEveryFormat) {
  const Model model = model_of("efficientnet_lite0", 3);
  const Model resnet = model_of("resnet18", 3);
  for (const char* prefix :
       {"module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.", "model.module.", "_orig_mod.module.",
        "module.model.backbone.", "state_dict.module._orig_mod.", "params."}) {
    for (const auto* one : {&model, &resnet}) {
      const tensor::Weights weights =
          under(as_weights(named_tensors(*one, one == &model ? "lukemelas" : "torchvision")), prefix);
      ImportResult got = import_weights(save(weights));
      EXPECT_EQ(got.report.prefix, prefix);
      EXPECT_TRUE(got.report.unused.empty()) << prefix;
      EXPECT_TRUE(got.report.warnings.empty()) << prefix;
      expect_same_weights(got.model, *one);
      write_pth(folder_.path() / "w.pth", {weights.tensors.begin(), weights.tensors.end()});
      got = import_weights(folder_.path() / "w.pth");
      EXPECT_EQ(got.report.prefix, prefix);
      expect_same_weights(got.model, *one);
    }
  }
}

TEST_F(ImportTest, RemovesAnUnknownPrefixIfAllTensorsHaveIt) {
  const Model model = model_of("resnet18", 3);
  const tensor::Weights weights = as_weights(named_tensors(model, "torchvision"));
  const ImportResult got = import_weights(save(under(weights, "my_net.")));
  EXPECT_EQ(got.report.prefix, "my_net.");
  EXPECT_THAT(got.report.warnings,
              testing::ElementsAre("using the weights at 'my_net', the only location with weights"));
  expect_same_weights(got.model, model);
  EXPECT_THAT(refusal(save(both(under(weights, "student_a."), under(weights, "student_b.")))).text,
              HasSubstr("not a known architecture"));
}

TEST_F(ImportTest, ChoosesBetweenTheAverageAndThePlainWeights) {
  const Model plain = model_of("efficientnet_lite0", 3);
  const tensor::Weights weights = as_weights(named_tensors(plain, "lukemelas"));
  tensor::Weights file = both(under(weights, "model."), under(weights, "model_ema.module.", 0.5F));
  const std::int64_t steps = 7;
  file.tensors["model_ema.n_averaged"] = {tensor::Dtype::i64, {}, std::as_bytes(std::span(&steps, 1)), nullptr};
  const fs::path path = save(file);
  const auto first = [](const ImportResult& got) {
    return tensor::to_floats(got.model.weights.at("stem.conv.weight"))[0];
  };
  const float value = tensor::to_floats(plain.weights.at("stem.conv.weight"))[0];

  ImportResult got = import_weights(path);
  EXPECT_EQ(first(got), value / 2);
  EXPECT_TRUE(got.report.averaged);
  EXPECT_EQ(got.report.prefix, "model_ema.module.");
  EXPECT_THAT(
      got.report.warnings[0],
      testing::AllOf(HasSubstr("using the averaged weights at 'model_ema.module'"),
                     HasSubstr("other weights are at 'model'; --weights model uses weights that are not averaged")));
  EXPECT_THAT(got.report.unused, testing::ElementsAre("model_ema.n_averaged"));

  got = import_weights(path, {.averaged = false});
  EXPECT_EQ(first(got), value);
  EXPECT_FALSE(got.report.averaged);
  got = import_weights(path, {.averaged = true});
  EXPECT_EQ(first(got), value / 2);
  EXPECT_THAT(got.report.warnings[0], testing::Not(HasSubstr("--weights")));

  EXPECT_THAT(refusal(save(weights), {.averaged = true}).text,
              HasSubstr("no averaged weights (got weights at the top level)"));
  EXPECT_THAT(refusal(save(under(weights, "ema.")), {.averaged = false}).text,
              HasSubstr("only averaged weights (got weights at 'ema')"));
  // A file with only the module of an SWA model. The counter n_averaged shows that the weights are averaged.
  tensor::Weights swa = under(weights, "module.");
  swa.tensors["n_averaged"] = file.tensors["model_ema.n_averaged"];
  EXPECT_TRUE(import_weights(save(swa), {.averaged = true}).report.averaged);
}

TEST_F(ImportTest, UsesTensorFlowsPlainWeightsOnRequest) {
  const Model model = model_of("efficientnet_lite0", 5);
  tensor::Weights weights;
  for (const auto& [name, tensor] : named_tensors(model, "tf")) {
    weights.tensors[name] = tensor;
    weights.tensors[name + "/ExponentialMovingAverage"] =
        tensor::make_tensor(tensor.dims, std::vector<float>(static_cast<std::size_t>(tensor::numel(tensor.dims))));
  }
  const ImportResult got = import_weights(save(weights), {.averaged = false});
  EXPECT_FALSE(got.report.averaged);
  expect_same_weights(got.model, model);
  EXPECT_TRUE(import_weights(save(weights)).report.averaged);
}

// ---- unused tensors -------------------------------------------------------------------------------------------------

TEST_F(ImportTest, IgnoresTensorsThatAreNotLayerParameters) {
  const Model model = model_of("efficientnet_lite0", 3);
  const tensor::Weights weights = as_weights(named_tensors(model, "lukemelas"));
  const auto with = [&](const std::string& name, tensor::Dims dims = {1}) {
    tensor::Weights changed = weights;
    changed.tensors[name] =
        tensor::make_tensor(dims, std::vector<float>(static_cast<std::size_t>(tensor::numel(dims)), 1));
    return save(changed);
  };
  for (const char* name : {"n_averaged", "total_ops", "_blocks.0._bn1.total_params", "criterion.weight",
                           "loss_fn.class_weights", "train_acc.tp", "_extra_state", "ema_step"}) {
    const ImportResult got = import_weights(with(name));
    EXPECT_THAT(got.report.unused, testing::ElementsAre(name));
    EXPECT_THAT(got.report.warnings,
                testing::ElementsAre(HasSubstr(fmt::format("1 of the file's tensors are not used: '{}'", name))));
    expect_same_weights(got.model, model);
    const Refusal refused = refusal(with(name), {.strict = true});
    EXPECT_EQ(refused.code, ErrorCode::input);
    EXPECT_THAT(refused.text,
                HasSubstr(fmt::format("1 of the file's tensors are not used by efficientnet_lite0: '{}'", name)));
  }
  // These names look like parameters of layers. Such a parameter would change what the network computes, so the file
  // belongs to another network.
  for (const char* name : {"_blocks.0._se_reduce.weight", "_blocks.16._bn0.running_mean", "head.bias", "pos_embed",
                           "_blocks.1.layer_scale", "_attention.in_proj_weight"}) {
    EXPECT_THAT(refusal(with(name)).text, HasSubstr(fmt::format("1 unused: '{}'", name)));
  }
  EXPECT_TRUE(import_weights(save(weights), {.strict = true}).report.unused.empty());
  tensor::Weights missing = weights;
  missing.tensors.erase("_fc.weight");
  EXPECT_THAT(refusal(save(missing)).text, HasSubstr("1 missing: _fc.weight"));
}

TEST_F(ImportTest, UnreadableTensorIsAnErrorOnlyIfNeeded) {
  const Model model = model_of("efficientnet_lite0", 3);
  WeightsFile opened = open_weights(save(model, "lukemelas"));
  opened.weights.unreadable["mask"] = "unsupported dtype (got 'U16')";
  EXPECT_THAT(import_weights(opened).report.unused, testing::ElementsAre("mask"));
  opened.weights.tensors.erase("_fc.weight");
  opened.weights.unreadable["_fc.weight"] = "unsupported dtype (got 'F8_E4M3')";
  try {
    import_weights(opened);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("_fc.weight (unsupported dtype (got 'F8_E4M3'))"));
  }
}

// ---- timm's names, with the epsilon and padding of timm or of TensorFlow --------------------------------------------

TEST_F(ImportTest, RequiresASourceForTimmsEfficientNets) {
  const Model model = model_of("efficientnet_b0", 3);
  const fs::path plain = save(model, "timm", "b0.safetensors");
  const Refusal refused = refusal(plain);
  EXPECT_EQ(refused.code, ErrorCode::usage);
  EXPECT_THAT(refused.text,
              testing::AllOf(HasSubstr("ambiguous source"), HasSubstr("--source timm"), HasSubstr("--source tf")));

  const auto imported = [&](const fs::path& file, const ImportOptions& options) {
    const ImportResult got = import_weights(file, options);
    expect_same_weights(got.model, model);
    return fmt::format("{} {:g} {} {} {}", got.report.source, got.model.arch.bn_epsilon,
                       arch::name(got.model.arch.padding), got.model.preprocessing.rule, got.report.warnings.size());
  };
  ImportOptions options;
  options.source = "timm";
  EXPECT_EQ(imported(plain, options), "timm 1e-05 symmetric timm 0");
  options.source = "tf";
  EXPECT_EQ(imported(plain, options), "tf 0.001 same timm 0");
  options.bn_epsilon = 1e-4;
  EXPECT_EQ(imported(plain, options), "tf 0.0001 same timm 0");

  options = {};
  options.padding = arch::Padding::same;
  EXPECT_EQ(refusal(plain, options).code, ErrorCode::usage);  // the padding without the epsilon does not decide
  options.bn_epsilon = 1e-3;
  EXPECT_EQ(imported(plain, options), "tf 0.001 same timm 0");
  options.bn_epsilon = 1e-5;
  EXPECT_EQ(imported(plain, options), "timm 1e-05 same timm 0");

  const fs::path tf = save(model, "timm", "tf_b0.safetensors");
  EXPECT_EQ(imported(tf, {}), "tf 0.001 same timm 1");
  options = {};
  options.source = "timm";
  EXPECT_EQ(imported(tf, options), "timm 1e-05 symmetric timm 0");
  EXPECT_EQ(
      import_weights(save(model, "timm", "tf_efficientnet_b0_ap-f262efe1.safetensors")).model.preprocessing.mean[0],
      0.5);
}

// ---- errors ---------------------------------------------------------------------------------------------------------

TEST_F(ImportTest, MessageSaysWhatDoesNotFit) {
  const Model model = model_of("efficientnet_lite0", 4);
  tensor::Weights weights = as_weights(named_tensors(model, "lukemelas"));
  const fs::path good = save(weights);
  ImportOptions options;
  options.arch = "efficientnet_b0";
  Refusal refused = refusal(good, options);
  EXPECT_EQ(refused.code, ErrorCode::input);
  EXPECT_THAT(refused.text, testing::AllOf(HasSubstr("do not fit efficientnet_b0"), HasSubstr("64 missing"),
                                           HasSubstr("_blocks.0._se_reduce.weight"), HasSubstr(good.string())));
  options.arch = "efficientnet_lite2";
  EXPECT_THAT(refusal(good, options).text,
              HasSubstr("_blocks.3._depthwise_conv.weight (got 144x1x5x5, expected 144x1x3x3)"));
  options.arch = "resnet50";
  EXPECT_THAT(refusal(good, options).text,
              HasSubstr("the tensors have the names of lukemelas, which has no network such as resnet50"));
  options.arch = "efficientnet_lite0";
  EXPECT_EQ(import_weights(good, options).model.arch.name, "efficientnet_lite0");
  options.arch = "efficientnet_lit0";
  EXPECT_EQ(refusal(good, options).code, ErrorCode::input);

  options = {};
  options.classes = 10;
  EXPECT_THAT(refusal(good, options).text, HasSubstr("got 4, expected 10"));
  options.classes = 4;
  EXPECT_EQ(import_weights(good, options).model.arch.classes, 4);

  options = {};
  options.source = "torchvision";
  EXPECT_THAT(refusal(good, options).text, HasSubstr("names of torchvision (got the names of lukemelas)"));
  options.source = "keras";
  EXPECT_EQ(refusal(good, options).code, ErrorCode::usage);
  options = {};
  options.bn_epsilon = -1;
  EXPECT_EQ(refusal(good, options).code, ErrorCode::usage);

  weights.tensors.erase("_blocks.3._bn1.running_mean");
  weights.tensors["_blocks.3.extra.weight"] = tensor::make_tensor({1}, {1});
  refused = refusal(save(weights, "changed.safetensors"));
  EXPECT_EQ(refused.code, ErrorCode::input);
  EXPECT_THAT(refused.text,
              testing::AllOf(HasSubstr("not a known architecture"), HasSubstr("the best match is efficientnet_lite0"),
                             HasSubstr("_blocks.3._bn1.running_mean"), HasSubstr("_blocks.3.extra.weight")));

  tensor::Weights other;
  other.tensors["encoder.weight"] = tensor::make_tensor({1}, {1});
  EXPECT_THAT(refusal(save(other, "other.safetensors")).text,
              testing::AllOf(HasSubstr("not a known architecture"), HasSubstr("or */stem/conv2d/kernel)")));
  EXPECT_EQ(refusal(folder_.path() / "absent.pth").code, ErrorCode::input);
}

TEST_F(ImportTest, MessageNamesTheTensorThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    tensor::Weights weights = as_weights(named_tensors(model_of("efficientnet_lite0", 2), "lukemelas"));
    weights.tensors["_bn1.running_var"] = tensor::make_tensor({1280}, [&] {
      std::vector<float> values(1280, 1);
      values[77] = bad;
      return values;
    }());
    const Refusal refused = refusal(save(weights));
    EXPECT_EQ(refused.code, ErrorCode::input);
    EXPECT_THAT(refused.text, testing::AllOf(HasSubstr("_bn1.running_var"), HasSubstr("77")));
  }
}

// A classifier with extreme dims is rejected without a large allocation.
TEST_F(ImportTest, LimitsTheNumberOfClasses) {
  tensor::Weights weights = as_weights(named_tensors(model_of("efficientnet_lite0", 2), "lukemelas"));
  for (const tensor::Dims& dims : {tensor::Dims{}, tensor::Dims{0}, tensor::Dims{2, 1}}) {
    weights.tensors["_fc.bias"] =
        tensor::make_tensor(dims, std::vector<float>(static_cast<std::size_t>(tensor::numel(dims))));
    EXPECT_THAT(refusal(save(weights)).text, HasSubstr("_fc.bias"));
  }
}

}  // namespace
}  // namespace effnet::formats

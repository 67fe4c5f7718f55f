#include "effnet/formats/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/lower.h"

namespace effnet::formats {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A network with two blocks and 3 classes. It has parameters of all roles in 3 kB.
arch::ArchSpec tiny_spec() {
  return arch::parse(
      "name = \"tiny\"\nresolution = 32\nclasses = 3\n[stem]\nchannels = 4\n"
      "[[stages]]\nchannels = 4\nse = 0.25\n[[stages]]\nchannels = 6\nexpand = 2\nse = 0.25\n[head]\nchannels = 8\n",
      "tiny.toml");
}

Model tiny_model() {
  Model model;
  model.arch = tiny_spec();
  float value = 0;
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(model.arch))) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()));
    for (float& v : values) v = (value += 0.25F);
    model.weights.tensors.emplace(parameter.name, tensor::make_tensor(parameter.dims, std::move(values)));
  }
  model.preprocessing = preprocessing_rule("torchvision", "imagenet", {32, 40});
  model.labels = {"one", "zw\xc3\xb6lf", "\"three\"\n"};
  model.class_ids = {"n1", "n2", "n3"};
  model.provenance = {.source = "torchvision",
                      .format = "pth",
                      .file = "x.pth",
                      .sha256 = "00",
                      .names = "torchvision",
                      .extra = {{"note", "by hand"}}};
  model.calibration = {.temperature = 1.0 / 3, .min_score = 0.62};
  return model;
}

// Returns what write_model writes for the tiny model, with some metadata replaced. An empty text removes the key.
tensor::Weights file_with(const std::map<std::string, std::string>& changes) {
  const TemporaryFolder folder;
  write_model(folder.path() / "m.safetensors", tiny_model());
  tensor::Weights weights = read_safetensors(folder.path() / "m.safetensors");
  for (const auto& [key, text] : changes) {
    weights.metadata.erase(key);
    if (!text.empty()) weights.metadata[key] = text;
  }
  return weights;
}

std::string refusal(const tensor::Weights& weights) {
  try {
    parse_model(weights);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    return std::string(error.what()) + (error.hint().empty() ? "" : " hint: " + error.hint());
  }
  return "accepted";
}
std::string refusal_with(const std::map<std::string, std::string>& changes) { return refusal(file_with(changes)); }

std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(ModelFile, RoundTrips) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.safetensors";
  const Model model = tiny_model();
  write_model(path, model);
  const Model back = read_model(path);
  EXPECT_EQ(back.arch, model.arch);
  EXPECT_EQ(back.preprocessing, model.preprocessing);
  EXPECT_EQ(back.labels, model.labels);
  EXPECT_EQ(back.class_ids, model.class_ids);
  EXPECT_EQ(back.provenance, model.provenance);
  EXPECT_EQ(back.calibration, model.calibration);
  ASSERT_EQ(back.weights.tensors.size(), model.weights.tensors.size());
  for (const auto& [name, tensor] : model.weights.tensors) {
    EXPECT_EQ(tensor::to_floats(back.weights.at(name)), tensor::to_floats(tensor)) << name;
    EXPECT_EQ(back.weights.at(name).dims, tensor.dims) << name;
  }
  write_model(folder.path() / "again.safetensors", back);
  EXPECT_EQ(read_text(folder.path() / "again.safetensors"), read_text(path));
}

TEST(ModelFile, CalibrationIsOptionalAndChecked) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.safetensors";
  Model model = tiny_model();
  EXPECT_FALSE(parse_model(file_with({{"effnet.calibration", ""}})).calibration);
  for (const Calibration& wrong : {Calibration{0, 0.5}, Calibration{NAN, 0.5}, Calibration{101, 0.5},
                                   Calibration{1, -0.1}, Calibration{1, 1.1}, Calibration{1, NAN}}) {
    model.calibration = wrong;
    EXPECT_THROW(write_model(path, model), Error) << wrong.temperature << " " << wrong.min_score;
  }
}

TEST(ModelFile, RefusesAWrongCalibration) {
  const auto refused = [](const std::string& text) { return refusal_with({{"effnet.calibration", text}}); };
  EXPECT_EQ(refused(R"({"temperature":2,"min_score":1,"later":"x"})"), "accepted");
  EXPECT_THAT(refused("[1, 2]"), HasSubstr("effnet.calibration: wrong type (got array, expected an object)"));
  EXPECT_THAT(refused("{"), HasSubstr("effnet.calibration is not JSON"));
  EXPECT_THAT(refused(R"({"temperature":2})"), HasSubstr("effnet.calibration has no min_score"));
  EXPECT_THAT(refused(R"({"temperature":"2","min_score":1})"), HasSubstr("temperature: wrong type"));
  EXPECT_THAT(refused(R"({"temperature":-1,"min_score":1})"),
              HasSubstr("temperature is out of range (got -1, expected 0.01 to 100)"));
  EXPECT_THAT(refused(R"({"temperature":1,"min_score":2})"), HasSubstr("min_score is out of range (got 2"));
}

TEST(ModelFile, LabelsAndProvenanceAreOptional) {
  const Model back =
      parse_model(file_with({{"effnet.labels", ""}, {"effnet.class_ids", ""}, {"effnet.provenance", ""}}));
  EXPECT_TRUE(back.labels.empty());
  EXPECT_EQ(back.provenance, Provenance{});
}

TEST(ModelFile, ReadsHalfPrecisionAsFloat32AndKeepsReservedTensors) {
  tensor::Weights weights = file_with({});
  const std::vector<std::uint16_t> ones(3, 0x3c00);  // float16 1.0
  weights.tensors["classifier.bias"] = {tensor::Dtype::f16, {3}, std::as_bytes(std::span(ones)), nullptr};
  weights.tensors["effnet.later"] = tensor::make_tensor({1}, {5});
  const Model model = parse_model(weights);
  EXPECT_EQ(model.weights.at("classifier.bias").dtype, tensor::Dtype::f32);
  EXPECT_EQ(tensor::to_floats(model.weights.at("classifier.bias")), (std::vector<float>{1, 1, 1}));
  EXPECT_TRUE(model.weights.find("effnet.later"));
}

// Returns a checkpoint of `model` as training writes it. All plain weights are 1. The parameters in `averaged` also
// have averaged weights, which are all 2. The optimiser's tensors are all 3.
tensor::Weights checkpoint_of(const Model& model, const std::set<std::string>& averaged) {
  tensor::Weights file;
  for (const auto& [key, text] : model_metadata(model)) file.metadata[key] = text;
  file.metadata["effnet.checkpoint"] = "{}";
  for (const auto& [name, tensor] : model.weights.tensors) {
    const auto all = [&dims = tensor.dims](float value) {
      return tensor::make_tensor(dims, std::vector<float>(static_cast<std::size_t>(tensor::numel(dims)), value));
    };
    file.tensors["model/" + name] = all(1);
    if (averaged.contains(name)) file.tensors["ema/" + name] = all(2);
    file.tensors["optimizer/momentum/" + name] = all(3);
  }
  return file;
}

TEST(ModelFile, ReadsAveragedOrPlainWeightsOfACheckpoint) {
  const Model model = tiny_model();
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "best";
  write_safetensors(path, checkpoint_of(model, {"classifier.bias"}));
  const Model read = read_model(path);
  EXPECT_EQ(read.arch, model.arch);
  EXPECT_EQ(read.labels, model.labels);
  EXPECT_EQ(read.preprocessing, model.preprocessing);
  ASSERT_EQ(read.weights.tensors.size(), model.weights.tensors.size());  // no optimiser tensors
  EXPECT_EQ(tensor::to_floats(read.weights.at("classifier.bias")), (std::vector<float>{2, 2, 2}));
  EXPECT_EQ(tensor::to_floats(read.weights.at("head.bn.weight")).front(), 1);  // has no average
  EXPECT_EQ(tensor::to_floats(parse_model(read_safetensors(path), Averaged::never).weights.at("classifier.bias")),
            (std::vector<float>{1, 1, 1}));
  EXPECT_TRUE(is_model_file(read_safetensors(path)));
  write_model(folder.path() / "m.safetensors", read);  // a model file from a checkpoint
  EXPECT_EQ(read_model(folder.path() / "m.safetensors").weights.tensors.size(), read.weights.tensors.size());
}

TEST(ModelFile, RejectsAnOlderCheckpointWithoutNetwork) {
  tensor::Weights old = checkpoint_of(tiny_model(), {});
  old.metadata = {{"effnet.checkpoint", "{}"}, {"effnet.identity", "x"}};
  EXPECT_TRUE(is_model_file(old));
  EXPECT_THAT(refusal(old), testing::AllOf(HasSubstr("a checkpoint of an older effnet"), HasSubstr("hint: use")));
}

TEST(ModelFile, MetadataIsCheckedWithoutWeights) {
  Model model = tiny_model();
  const tensor::Weights whole = file_with({});
  model.weights = {};
  const auto metadata = model_metadata(model);
  EXPECT_EQ(std::map(metadata.begin(), metadata.end()),
            (std::map<std::string, std::string>(whole.metadata.begin(), whole.metadata.end())));

  const auto refused = [](const Model& wrong) {
    try {
      model_metadata(wrong);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  model.labels[1] = "caf\xe9";
  EXPECT_EQ(refused(model), "the label of class 1: not UTF-8 (got 'caf\\xe9')");
  model.labels = {"one"};
  EXPECT_THAT(refused(model), HasSubstr("the labels do not match the number of classes (got 1, expected 3 or none)"));
  model.labels = {};
  model.class_ids[2] = "\xff";
  EXPECT_EQ(refused(model), "the id of class 2: not UTF-8 (got '\\xff')");
}

TEST(ModelFile, HintForForeignWeightsNamesImport) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "w.pth";
  write_pth(path, {{"conv1.weight", tensor::make_tensor({1}, {1})}});
  try {
    read_model(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("weights without a network (got pth"));
    EXPECT_EQ(error.hint(),
              "effnet import " + path.string() + " -o w.safetensors converts published weights to a model file");
  }
}

TEST(ModelFile, RejectsOtherFiles) {
  tensor::Weights plain = file_with({});
  EXPECT_TRUE(is_model_file(plain));
  plain.metadata = {{"format", "pt"}};
  EXPECT_FALSE(is_model_file(plain));
  EXPECT_THAT(refusal(plain), HasSubstr("effnet import"));
  EXPECT_THAT(refusal_with({{"effnet.format", "2"}}),
              testing::AllOf(HasSubstr("newer"), HasSubstr("got 2, expected 1")));
  EXPECT_THAT(refusal_with({{"effnet.format", "one"}}), HasSubstr("unknown model file format"));
  EXPECT_THAT(refusal_with({{"effnet.format", "0"}}), HasSubstr("unknown model file format"));
  EXPECT_THAT(refusal_with({{"effnet.format", "99999999999999999999"}}), HasSubstr("unknown model file format"));
  EXPECT_THAT(refusal_with({{"effnet.format", ""}}), HasSubstr("no effnet.format"));
  EXPECT_THAT(refusal_with({{"effnet.arch", ""}}), HasSubstr("no effnet.arch"));
  EXPECT_THAT(refusal_with({{"effnet.preprocessing", ""}}), HasSubstr("no effnet.preprocessing"));
}

TEST(ModelFile, MessageNamesTheTensorsThatDoNotFit) {
  tensor::Weights weights = file_with({});
  weights.tensors["classifier.bias"] = tensor::make_tensor({4}, {1, 2, 3, 4});
  weights.tensors.erase("head.conv.weight");
  weights.tensors["stem.conv.bias"] = tensor::make_tensor({1}, {1});
  weights.tensors["head.bn.num_batches_tracked"] = tensor::make_tensor({}, {1});
  EXPECT_THAT(refusal(weights),
              testing::AllOf(HasSubstr("4 tensors"), HasSubstr("classifier.bias (got 4, expected 3)"),
                             HasSubstr("1 missing: head.conv.weight"), HasSubstr("'stem.conv.bias'")));
  weights = file_with({});
  const std::vector<std::int8_t> bytes(3);
  weights.tensors["classifier.bias"] = {tensor::Dtype::i8, {3}, std::as_bytes(std::span(bytes)), nullptr};
  EXPECT_THAT(refusal(weights), HasSubstr("got int8, expected a floating type"));
}

TEST(ModelFile, RejectsAHostileArch) {
  const std::string arch = file_with({}).metadata["effnet.arch"];
  EXPECT_THAT(refusal_with({{"effnet.arch", "name = "}}), HasSubstr("effnet.arch:1"));
  EXPECT_THAT(refusal_with({{"effnet.arch", with(arch, "channels = 8", "channels = 9")}}),
              HasSubstr("head.conv.weight"));
  EXPECT_THAT(refusal_with({{"effnet.arch", with(arch, "classes = 3", "classes = 1000000")}}), HasSubstr("labels"));
  // A few bytes of an arch text can request a million nodes. The text is rejected before any node is created.
  EXPECT_THAT(refusal_with({{"effnet.arch", with(arch, "repeats = 1", "repeats = 1000")}}), HasSubstr("1001 blocks"));
  EXPECT_THAT(refusal_with({{"effnet.arch", with(arch, "mbconv", "mbcon")}}), HasSubstr("unknown block kind"));
}

TEST(ModelFile, RejectsHostileMetadata) {
  const std::string good = file_with({}).metadata["effnet.preprocessing"];
  const auto bad = [&](std::string_view from, std::string_view to) {
    return refusal_with({{"effnet.preprocessing", with(good, from, to)}});
  };
  EXPECT_THAT(bad("[32,40]", "[0,40]"), HasSubstr("1 to 65535"));
  EXPECT_THAT(bad("[32,40]", "[32,65536]"), HasSubstr("1 to 65535"));
  EXPECT_THAT(bad("[32,40]", "[32.5,40]"), HasSubstr("crop"));
  EXPECT_THAT(bad("[32,40]", "[1e300,40]"), HasSubstr("crop"));
  EXPECT_THAT(bad("[32,40]", "[40]"), HasSubstr("2 numbers"));
  EXPECT_THAT(bad("[32,40]", "[\"a\",40]"), HasSubstr("a number"));
  EXPECT_THAT(bad("[32,40]", "[32,400]"), HasSubstr("smaller than crop"));
  EXPECT_THAT(bad("0.229", "0"), HasSubstr("std"));
  EXPECT_THAT(bad("0.229", "-1"), HasSubstr("std"));
  EXPECT_THAT(bad("0.485", "1e999"), HasSubstr("not JSON"));  // the JSON reader rejects numbers that no double can hold
  EXPECT_THAT(bad("0.485", "null"), HasSubstr("a number"));
  EXPECT_THAT(bad("bilinear", "cubist"), HasSubstr("unknown filter"));
  EXPECT_THAT(bad("resize_first", "first"), HasSubstr("unknown crop order"));
  EXPECT_THAT(bad("\"mean\"", "\"men\""), HasSubstr("no mean"));
  EXPECT_THAT(refusal_with({{"effnet.preprocessing", "[]"}}), HasSubstr("an object"));
  EXPECT_THAT(refusal_with({{"effnet.preprocessing", std::string(1000000, '[')}}), HasSubstr("nested too deep"));
  EXPECT_THAT(refusal_with({{"effnet.labels", "[\"one\"]"}}), HasSubstr("got 1, expected 3 or none"));
  EXPECT_THAT(refusal_with({{"effnet.labels", "{\"one\": 2}"}}), HasSubstr("list of texts"));
  EXPECT_THAT(refusal_with({{"effnet.class_ids", "[1,2,3]"}}), HasSubstr("a text"));
  EXPECT_THAT(refusal_with({{"effnet.class_ids", "[\"a\","}}), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_with({{"effnet.provenance", "7"}}), HasSubstr("an object"));
  EXPECT_THAT(refusal_with({{"effnet.provenance", "{\"source\":[]}"}}), HasSubstr("a text"));
}

TEST(ModelFile, WriteRejectsWhatReadRejects) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.safetensors";
  Model model = tiny_model();
  model.labels.pop_back();
  EXPECT_THROW(write_model(path, model), Error);
  model = tiny_model();
  model.labels[0] = "\xff";
  EXPECT_THROW(write_model(path, model), Error);
  model = tiny_model();
  model.weights.tensors.erase("classifier.bias");
  EXPECT_THROW(write_model(path, model), Error);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ModelFile, MessagesNameTheFile) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "plain.safetensors";
  tensor::Weights plain;
  plain.tensors["a"] = tensor::make_tensor({1}, {1});
  write_safetensors(path, plain);
  try {
    read_model(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    EXPECT_THAT(error.hint(), HasSubstr("effnet import"));
  }
}

// The table in model_file.h specifies the file format. It must have a row for every key that write_model writes.
TEST(ModelFile, HeaderCommentHasARowForEveryKey) {
  const std::string header = read_text(fs::path(EFFNET_SOURCE_DIR) / "effnet" / "formats" / "model_file.h");
  std::set<std::string> rows, inner;
  std::string line;
  for (std::istringstream lines(header); std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, std::regex("//   (effnet\\.\\w+) {2,}\\S.*"))) rows.insert(match[1]);
    if (!std::regex_match(line, match, std::regex("//     (\\w+(?:, \\w+)*) {2,}\\S.*"))) continue;
    const std::string names = match[1];
    const std::regex word("\\w+");
    inner.insert(std::sregex_token_iterator(names.begin(), names.end(), word), std::sregex_token_iterator());
  }
  const tensor::Weights weights = file_with({});
  std::set<std::string> written;
  for (const auto& [key, text] : weights.metadata) written.insert(key);
  EXPECT_EQ(rows, written);
  for (const char* key : {"effnet.preprocessing", "effnet.provenance", "effnet.calibration"}) {
    const std::regex member("\"(\\w+)\":");
    const std::string& text = weights.metadata.at(key);
    for (std::sregex_iterator found(text.begin(), text.end(), member); found != std::sregex_iterator(); ++found) {
      if ((*found)[1] == "note") continue;
      EXPECT_TRUE(inner.contains((*found)[1])) << key << " " << (*found)[1];
    }
  }
}

// A spec may come from a program instead of the parser. It is checked before its values are used.
TEST(ModelFile, RejectsNumbersOutOfRange) {
  const TemporaryFolder folder;
  for (const std::int64_t repeats : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    Model model = tiny_model();
    for (arch::StageSpec& stage : model.arch.stages) stage.repeats = repeats;
    try {
      write_model(folder.path() / "m.safetensors", model);
      FAIL() << repeats;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr("stages[0].repeats: out of range"));
    }
  }
}

}  // namespace
}  // namespace effnet::formats

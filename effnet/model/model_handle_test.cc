#include "effnet/model/model_handle.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "effnet/base/error.h"
#include "effnet/model/model_testing.h"

namespace effnet::model {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testkit::kSide;
using testkit::tiny_model;

class Handle : public testkit::WithHome {
 protected:
  // A handle whose messages are collected in notes_.
  ModelHandle open(const std::string& model, bool random = false) {
    notes_.clear();
    const Note note = [this](std::string_view text) { notes_.emplace_back(text); };
    return {model, {.random = random, .seed = 5, .note = note}, pool_};
  }
  std::vector<std::byte> packed_bytes(const std::string& model) {
    const auto packed = open(model).packed(kernels::Isa::portable);
    return {packed->bytes().begin(), packed->bytes().end()};
  }
  fs::path cached_file() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(at("home/packed"))) {
      if (entry.path().extension() == ".packed") files.push_back(entry.path());
    }
    EXPECT_EQ(files.size(), 1U);
    return files.at(0);
  }
  std::string arch_file() const {
    write_text(at("net.toml"), arch::print(tiny_model().arch));
    return at("net.toml");
  }

  std::vector<std::string> notes_;
};

TEST_F(Handle, OpensAFileARunFolderOrAnArchFile) {
  const formats::Model model = tiny_model();
  for (const std::string& what : {write_file(model, "tiny.safetensors"),
                                  fs::path(write_file(model, "run/model.safetensors")).parent_path().string()}) {
    const ModelHandle handle = open(what);
    EXPECT_EQ(handle.arch(), model.arch) << what;
    EXPECT_EQ(handle.preprocessing(), model.preprocessing);
    EXPECT_EQ(handle.weights_from(), "file");
    EXPECT_EQ(handle.family_name(), "");
    EXPECT_EQ(handle.warning(), "");
  }
  const ModelHandle handle = open(arch_file());
  EXPECT_EQ(handle.arch(), model.arch);
  EXPECT_EQ(handle.weights_from(), "random");
  EXPECT_EQ(handle.warning(), "mbconv has random weights (seed 5): its predictions are meaningless");
  EXPECT_THROW(open(at("missing.safetensors")), Error);
}

TEST_F(Handle, ANameHasRandomWeightsUntilItIsPulled) {
  EXPECT_EQ(open("efficientnet_b0").weights_from(), "random");
  EXPECT_EQ(open("efficientnet_b0").family_name(), "efficientnet_b0");
  EXPECT_TRUE(open("efficientnet_b0").info().weights.tensors.empty()) << "weights are loaded on demand";
  EXPECT_EQ(open("efficientnet_b0").label(1), "goldfish");
  write_file(tiny_model(), "home/models/efficientnet_b0.safetensors");
  EXPECT_EQ(open("efficientnet_b0").weights_from(), "pulled");
  EXPECT_EQ(open("efficientnet_b0", true).weights_from(), "random");
}

TEST_F(Handle, LabelsHaveADefault) {
  formats::Model model = tiny_model();
  EXPECT_EQ(ModelHandle(model, pool_).label(7), "class 7");
  for (std::int64_t i = 0; i < model.arch.classes; ++i) model.labels.push_back(fmt::format("label {}", i));
  const ModelHandle labelled(model, pool_);
  EXPECT_EQ(labelled.label(7), "label 7");
  EXPECT_EQ(labelled.label(37), "class 37");
}

TEST_F(Handle, ReleasedWeightsAreLoadedAgain) {
  for (const std::string& what : {write_file(tiny_model(), "tiny.safetensors"), arch_file()}) {
    ModelHandle handle = open(what);
    const std::vector<float> first = tensor::to_floats(handle.load_weights().weights.at("classifier.weight"));
    handle.release_weights();
    EXPECT_TRUE(handle.info().weights.tensors.empty());
    EXPECT_EQ(tensor::to_floats(handle.load_weights().weights.at("classifier.weight")), first);
  }
  ModelHandle in_memory(tiny_model(), pool_);
  in_memory.release_weights();
  EXPECT_FALSE(in_memory.info().weights.tensors.empty());
}

TEST_F(Handle, AChangedFileIsRefused) {
  const std::string file = write_file(tiny_model(), "tiny.safetensors");
  ModelHandle handle = open(file);
  handle.load_weights();
  handle.release_weights();
  formats::Model other = tiny_model();
  other.labels = std::vector<std::string>(37, "x");
  write_file(other, "tiny.safetensors");
  EXPECT_THROW(handle.load_weights(), Error);
}

TEST_F(Handle, TheSecondHandleUsesTheCache) {
  for (const std::string& what : {write_file(tiny_model(), "tiny.safetensors"), arch_file()}) {
    fs::remove_all(at("home"));
    const std::vector<std::byte> first = packed_bytes(what);
    EXPECT_THAT(notes_, ElementsAre("packing the weights of mbconv"));
    EXPECT_EQ(packed_bytes(what), first);
    EXPECT_THAT(notes_, ElementsAre()) << "it packed again";
  }
  ModelHandle handle = open(arch_file());
  handle.packed(kernels::Isa::portable);
  EXPECT_TRUE(handle.info().weights.tensors.empty()) << "packed weights from the cache need no weights";
}

TEST_F(Handle, ACorruptCacheFileIsReplaced) {
  const std::string file = write_file(tiny_model(), "tiny.safetensors");
  const std::vector<std::byte> first = packed_bytes(file);
  const fs::path cached = cached_file();
  {
    std::fstream stream(cached, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(cached) / 2);
    stream.seekg(middle);
    const int byte = stream.get();
    stream.seekp(middle);
    stream.put(static_cast<char>(byte ^ 1));
  }
  EXPECT_EQ(packed_bytes(file), first);
  EXPECT_THAT(notes_, ElementsAre("packing the weights of mbconv"));
  EXPECT_EQ(packed_bytes(file), first);
  EXPECT_THAT(notes_, ElementsAre()) << "the corrupt file was not replaced";
}

TEST_F(Handle, OtherWeightsHaveAnotherCacheFile) {
  const std::vector<std::byte> first = packed_bytes(arch_file());
  ModelHandle other(arch_file(), {.seed = 6}, pool_);
  const auto packed = other.packed(kernels::Isa::portable);
  EXPECT_FALSE(std::ranges::equal(packed->bytes(), first));
}

TEST_F(Handle, AnUnusableCacheIsReportedAndNotFatal) {
  write_text(at("home"), "a file where the folder should be");
  packed_bytes(arch_file());
  EXPECT_THAT(notes_, ElementsAre("packing the weights of mbconv", HasSubstr("the packed weights were not cached: ")));

  ModelHandle in_memory(tiny_model(), pool_);
  EXPECT_EQ(in_memory.identity(), "") << "weights in memory have no identity";
  EXPECT_GT(in_memory.packed(kernels::Isa::portable)->bytes().size(), 0U);
}

TEST_F(Handle, TheGraphIsLoweredOncePerSize) {
  ModelHandle handle(tiny_model(), pool_);
  const auto nominal = handle.graph();
  EXPECT_EQ(nominal->input(), (Chw{3, kSide, kSide}));
  EXPECT_EQ(handle.graph(Size{kSide, kSide}), nominal);
  const auto wide = handle.graph(Size{33, 57});
  EXPECT_EQ(wide->input(), (Chw{3, 33, 57}));
  EXPECT_EQ(handle.graph(Size{33, 57}), wide);
  EXPECT_EQ(nominal->input(), (Chw{3, kSide, kSide})) << "existing graphs stay valid";
}

}  // namespace
}  // namespace effnet::model

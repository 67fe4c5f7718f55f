#include "effnet/formats/find_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::formats {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FindModel : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("EFFNET_HOME", (root() / "home").c_str(), 1);
    fs::create_directories(root() / "home" / "models");
  }
  void TearDown() override { ::unsetenv("EFFNET_HOME"); }

  fs::path root() const { return folder_.path(); }
  std::string touch(const std::string& file) const {
    fs::create_directories((root() / file).parent_path());
    write_text(root() / file, "x");
    return (root() / file).string();
  }
  std::string at(const std::string& file) const { return (root() / file).string(); }

 private:
  TemporaryFolder folder_;
};

// Returns exit code, message and hint.
std::string refusal(const std::string& model, Pulled pulled = Pulled::find) {
  try {
    find_model(model, pulled);
  } catch (const Error& error) {
    return fmt::format("{}: {} hint: {}", static_cast<int>(error.code()), error.what(), error.hint());
  }
  return "accepted";
}

TEST_F(FindModel, NameHasRandomWeightsUntilItIsPulled) {
  FoundModel found = find_model("efficientnet_b0");
  EXPECT_EQ(found.name, "efficientnet_b0");
  EXPECT_EQ(found.file, "");
  EXPECT_EQ(found.weights, WeightsFrom::random);

  touch("home/models/efficientnet_b0.safetensors");
  found = find_model("efficientnet_b0");
  EXPECT_EQ(found.file, pulled_path("efficientnet_b0"));
  EXPECT_EQ(found.weights, WeightsFrom::pulled);
  EXPECT_EQ(name(found.weights), "pulled");
  EXPECT_EQ(find_model("efficientnet_b0", Pulled::ignore).weights, WeightsFrom::random);
}

TEST_F(FindModel, FindsFilesRunsCheckpointsAndArchFiles) {
  const std::string file = touch("anything");
  EXPECT_EQ(find_model(file).file, file);
  EXPECT_EQ(find_model(file).weights, WeightsFrom::file);
  EXPECT_EQ(find_model(file).name, "");

  const std::string model = touch("run/model.safetensors");
  EXPECT_EQ(find_model(at("run")).file, model);
  EXPECT_EQ(find_model(at("run")).weights, WeightsFrom::file);
  const std::string best = touch("run/checkpoints/best");
  EXPECT_EQ(find_model(best).file, best);

  const std::string arch = touch("net.toml");
  EXPECT_EQ(find_model(arch).arch_file, arch);
  EXPECT_EQ(find_model(arch).weights, WeightsFrom::random);
  touch("run.toml/model.safetensors");  // a run folder may have any name, even one that ends in .toml
  EXPECT_EQ(find_model(at("run.toml")).file, at("run.toml/model.safetensors"));
}

TEST_F(FindModel, UnreachablePulledModelIsAnError) {
  const fs::path model = pulled_path("efficientnet_b0");
  fs::create_symlink(root() / "gone.safetensors", model);
  EXPECT_THAT(refusal("efficientnet_b0"),
              testing::AllOf(testing::StartsWith("3: "), HasSubstr("got a link to"), HasSubstr("gone.safetensors"),
                             HasSubstr("effnet pull efficientnet_b0")));
  EXPECT_EQ(refusal("efficientnet_b0", Pulled::ignore), "accepted");
  EXPECT_EQ(refusal("efficientnet_b1"), "accepted");

  fs::remove(model);
  fs::create_directory(model);
  EXPECT_THAT(refusal("efficientnet_b0"), testing::AllOf(testing::StartsWith("3: "), HasSubstr("got a folder")));

  fs::remove_all(root() / "home" / "models");
  fs::create_symlink("/nowhere/disk", root() / "home" / "models");  // the disk with the models is not mounted
  EXPECT_THAT(refusal("efficientnet_b0"), HasSubstr("got a link to '/nowhere/disk'"));

  fs::remove(root() / "home" / "models");
  fs::create_symlink("models", root() / "home" / "models");  // a link to itself cannot be resolved, even by root
  EXPECT_THAT(refusal("efficientnet_b0"),
              testing::AllOf(testing::StartsWith("4: "), HasSubstr("symbolic links"), HasSubstr("EFFNET_HOME")));

  fs::remove(root() / "home" / "models");
  touch("home/models");
  EXPECT_THAT(refusal("efficientnet_b0"), HasSubstr("got a file, expected a folder"));
}

TEST_F(FindModel, WithoutAHomeFolderNoModelIsPulled) {
  ::setenv("EFFNET_HOME", at("not/there/yet").c_str(), 1);
  EXPECT_EQ(find_model("efficientnet_b0").weights, WeightsFrom::random);
}

TEST_F(FindModel, MessageSaysWhatAFolderLacks) {
  fs::create_directories(root() / "images");
  EXPECT_THAT(refusal(at("images")), testing::AllOf(testing::StartsWith("3: "), HasSubstr("not a MODEL"),
                                                    HasSubstr("a folder without model.safetensors")));
  touch("run/config.toml");
  EXPECT_THAT(refusal(at("run")), testing::AllOf(HasSubstr("the run has no model"), HasSubstr("--resume")));
  const std::string last = touch("run/checkpoints/last");
  EXPECT_THAT(refusal(at("run")), HasSubstr("a checkpoint can be used as MODEL: " + last));
  EXPECT_THAT(refusal(at("run/checkpoints")), HasSubstr("a checkpoint can be used as MODEL: " + last));
}

TEST_F(FindModel, MessageNamesTheTrialOfAnUnfinishedFineTuning) {
  touch("run/finetune.json");
  EXPECT_THAT(refusal(at("run")), testing::AllOf(HasSubstr("fine-tuning has not finished"), HasSubstr("--resume")));
  touch("run/trial/model.safetensors");
  EXPECT_THAT(refusal(at("run")), HasSubstr("its trial can be used as MODEL: " + at("run/trial")));
}

TEST_F(FindModel, MessageNamesTheMissingPath) {
  EXPECT_THAT(refusal("efficientnet-b0"), HasSubstr("did you mean efficientnet_b0?"));
  EXPECT_THAT(refusal(at("x.safetensors")), HasSubstr("cannot read (No such file or directory)"));
  EXPECT_THAT(refusal("no_such.toml"), HasSubstr("no_such.toml: cannot read (No such file or directory)"));
  fs::create_symlink("v3.safetensors", root() / "latest");
  EXPECT_THAT(refusal(at("latest")), HasSubstr("got a link to 'v3.safetensors', which does not exist"));
}

TEST_F(FindModel, DescribesANetworkWithoutWeights) {
  const ModelDescription lite = describe(find_model("efficientnet_lite0"));
  EXPECT_EQ(lite.arch, arch::variant("efficientnet_lite0").spec);
  EXPECT_EQ(lite.preprocessing.crop.h, 224);
  write_text(at("b3.toml"), arch::print(arch::variant("efficientnet_b3").spec));
  EXPECT_EQ(describe(find_model(at("b3.toml"))).arch, arch::variant("efficientnet_b3").spec);
}

}  // namespace
}  // namespace effnet::formats

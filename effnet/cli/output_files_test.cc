// What the options of output files refuse.
#include "effnet/cli/output_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
#include "effnet/base/folder.h"
#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

class OutputFiles : public testing::Test {
 protected:
  void SetUp() override { ::setenv("EFFNET_HOME", at("home").c_str(), 1); }
  void TearDown() override { ::unsetenv("EFFNET_HOME"); }

  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string file(const std::string& name, const std::string& text = "text") const {
    make_folders(std::filesystem::path(at(name)).parent_path());
    write_text(at(name), text);
    return at(name);
  }
  static std::string answer(const std::string& output) {
    return refusal([&] { check_not_kept("-o", output); });
  }
  // What the output would replace, by the message.
  std::string replaced(const std::string& output) const {
    const std::string text = answer(output), begin = "2 -o: the output would replace ";
    EXPECT_EQ(text.substr(0, begin.size()), begin);
    return text.substr(begin.size(), text.find(" (got ") - begin.size());
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(OutputFiles, NewAndOtherFilesMayBeWritten) {
  EXPECT_EQ(answer(at("new.toml")), "");
  EXPECT_EQ(answer("-"), "");
  EXPECT_EQ(answer(file("old.toml")), "");
  EXPECT_EQ(answer(at(".")), "") << "a folder";
  EXPECT_EQ(answer(file("empty", "")), "");
  file("project/config.toml");
  EXPECT_EQ(answer(file("project/out.csv")), "") << "config.toml alone is no run";
}

TEST_F(OutputFiles, DatabasesAreKept) {
  const std::string study = file("a.study", "SQLite format 3" + std::string(20, '\0'));
  EXPECT_EQ(replaced(study), "a study or another database");
  for (const char* end : {"-wal", "-shm", "-journal"}) {
    EXPECT_EQ(replaced(file(std::string("a.study") + end)), "the log of a study");
    EXPECT_EQ(answer(file(std::string("none") + end)), "") << "beside no database";
  }
  std::filesystem::create_symlink(study, at("link"));
  EXPECT_EQ(replaced(at("link")), "a study or another database");
}

TEST_F(OutputFiles, PulledWeightsAreKept) {
  EXPECT_EQ(replaced(file("home/models/efficientnet_lite0.safetensors")), "pulled weights");
  EXPECT_EQ(answer(file("home/other.safetensors")), "");
}

TEST_F(OutputFiles, FilesOfARunAreKept) {
  file("run/finetune.json");
  file("run/trial/config.toml");
  file("run/trial/metrics.csv");
  file("trained/config.toml");
  make_folders(at("trained/checkpoints"));
  for (const char* name : {"run/finetune.json", "run/split.csv", "run/start/trial.safetensors", "run/trial/metrics.csv",
                           "trained/config.toml", "trained/model.safetensors", "trained/checkpoints/best/state"})
    EXPECT_EQ(replaced(file(name)).substr(0, 18), "a file of the run ") << name;
  for (const char* name : {"run/report.html", "run/trial/curves.svg", "trained/features.npy", "trained/cat_cam.png"})
    EXPECT_EQ(answer(file(name)), "") << name;
}

TEST_F(OutputFiles, AnOptionRefusesThemWhileItIsParsed) {
  CLI::App app;
  std::string out;
  add_output(app, "-o,--out", out, "help");
  app.parse("--out " + at("new.toml"));
  EXPECT_EQ(out, at("new.toml"));
  const std::string study = file("b.study", "SQLite format 3");
  EXPECT_EQ(refusal([&] { app.parse("--out " + study); }).substr(0, 30), "2 -o: the output would replace");
}

TEST(OutputChecks, StandardOutput) {
  EXPECT_TRUE(is_stdout("-o", "-", {}));
  EXPECT_FALSE(is_stdout("-o", "./-", {}));
  EXPECT_FALSE(is_stdout("-o", "", {true, false, {}}));
  EXPECT_EQ(refusal([] {
              is_stdout("-o", "-", {true, false, {}});
            }),
            "2 -o - cannot be combined with --json: both write to stdout (got both, expected one of them)");
  check_no_stdout("--pth", "./-");
  EXPECT_EQ(refusal([] { check_no_stdout("--pth", "-"); }),
            "2 --pth: this format cannot be written to stdout (got -, expected a file)");

  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string input = (folder.path() / "a").string();
  check_not_input("-o", input, input);  // the file does not exist yet
  std::ofstream(input) << "x";
  std::filesystem::create_hard_link(input, folder.path() / "b");
  check_not_input("-o", (folder.path() / "c").string(), input);
  for (const char* name : {"a", "b", "../"}) {
    const std::string file = (folder.path() / name).string();
    const bool same = file.ends_with("a") || file.ends_with("b");
    EXPECT_EQ(
        refusal([&] { check_not_input("-o", file, input); }),
        same ? fmt::format("2 -o: the output file is the input file (got '{}', expected another file)", file) : "");
  }
}

TEST(OutputChecks, AnOutputReplacesNothingThatIsReadInAFolder) {
  const TemporaryFolder folder;
  const auto at = [&](const std::string& name) { return (folder.path() / name).string(); };
  for (const char* name : {"run", "images/class"}) std::filesystem::create_directories(at(name));
  for (const char* name :
       {"run/config.toml", "run/metrics.csv", "run/model.safetensors", "run/split.csv", "run/lock", "run/report.html",
        "run/map.png", "images/class/a.png", "images/labels.csv", "images/page.html", "other.png"})
    std::ofstream(at(name)) << "x";
  std::filesystem::create_symlink(at("run"), at("link"));
  const auto refused = [&](const std::string& file, const std::string& input) {
    return !refusal([&] { check_not_input("-o", at(file), at(input)); }).empty();
  };
  for (const char* name : {"config.toml", "model.safetensors", "split.csv", "lock"}) {
    EXPECT_TRUE(refused(std::string("run/") + name, "run")) << name;
    EXPECT_TRUE(refused(std::string("link/") + name, "run")) << name;
    EXPECT_TRUE(refused(std::string("run/") + name, "link/")) << name;
  }
  EXPECT_TRUE(refused("images/class/a.png", "images"));
  EXPECT_TRUE(refused("images/labels.csv", "images"));
  for (const char* name : {"run/report.html", "run/map.png", "run/new.safetensors", "other.png", "images/class/a.png"})
    EXPECT_FALSE(refused(name, "run")) << name;
  EXPECT_FALSE(refused("images/page.html", "images"));
  EXPECT_FALSE(refused("other.png", "none"));
}

TEST(OutputChecks, TwoOutputsAreTwoFiles) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "a.toml").string();
  const std::string same = (folder.path() / "." / "a.toml").string();
  EXPECT_EQ(refusal([&] { check_two_files("-o", file, "--weights", same); }),
            fmt::format("2 -o and --weights are the same file (got '{}', expected two files)", file));
  check_two_files("-o", file, "--weights", file + "x");
  check_two_files("-o", "", "--weights", "");
}

TEST(OutputChecks, Extensions) {
  for (const char* good : {"", "-", "a.toml", "/dev/stdout", "./b.c.toml"}) check_extension("-o", good, ".toml");
  for (const char* wrong : {"best", "a.tom", "a.toml/b", ".toml"}) {
    EXPECT_EQ(refusal([&] { check_extension("-o", wrong, ".toml"); }),
              fmt::format("2 -o: unknown kind of file (got '{}', expected FILE.toml)", wrong));
  }
}

TEST(OutputChecks, AnArchFileReplacesOnlyArchFiles) {
  const TemporaryFolder folder;
  const auto refused = [&](const char* name, std::string_view text) {
    const std::string file = (folder.path() / name).string();
    write_text(file, text);
    return refusal([&] { check_arch_output("-o", file); });
  };
  check_arch_output("-o", (folder.path() / "new.toml").string());
  check_arch_output("-o", "-");
  EXPECT_EQ(refused("arch.toml", arch::print(arch::variant("efficientnet_b0").spec)), "");
  EXPECT_EQ(refused("empty.toml", ""), "") << "mktemp makes one";
  const char* const space = "base = \"mobilenet_v2\"\nname = \"mine\"\n[choices]\nkernel = [3, 5]\n";
  for (const char* text : {space, "[train]\nepochs = 3\n", "no TOML"}) {
    EXPECT_THAT(refused("other.toml", text),
                testing::StartsWith("2 -o: the file that is there is no arch file (got '"));
  }
  EXPECT_THAT(refused("arch.txt", ""), testing::StartsWith("2 -o: unknown kind of file"));
}

}  // namespace
}  // namespace effnet::cli

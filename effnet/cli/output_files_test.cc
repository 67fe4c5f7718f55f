// Output files that no command may replace.
#include "effnet/cli/output_files.h"

#include <gtest/gtest.h>

#include <cstdlib>

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

}  // namespace
}  // namespace effnet::cli

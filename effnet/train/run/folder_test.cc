#include "effnet/train/run/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Metrics : public testing::Test {
 protected:
  // Writes the lines of three epochs and stores the length of the file after each.
  Metrics() {
    lengths_.push_back(folder_.begin_metrics(0, log_));
    for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
      report::EpochMetrics row;
      row.epoch = epoch;
      row.step = 10 * epoch;
      row.train_loss = 1.0 / static_cast<double>(epoch);
      lengths_.push_back(folder_.append_metrics(row));
    }
    written_ = read_text(file_);
  }
  std::vector<std::int64_t> epochs() const {
    std::vector<std::int64_t> found;
    for (const report::EpochMetrics& row : folder_.metrics()) found.push_back(row.epoch);
    return found;
  }

  const TemporaryFolder temporary_;
  const fs::path file_ = temporary_.path() / "metrics.csv";
  RunFolder folder_{temporary_.path()};
  std::vector<std::string> logged_;
  const Log log_ = [this](const std::string& line) { logged_.push_back(line); };
  std::vector<std::uint64_t> lengths_;  // of the file, after the header and after each line
  std::string written_;
};

TEST_F(Metrics, AreTruncatedToTheLengthInTheCheckpoint) {
  EXPECT_EQ(lengths_[3], written_.size());
  EXPECT_EQ(folder_.begin_metrics(lengths_[2], log_), lengths_[2]);
  EXPECT_THAT(epochs(), ElementsAre(1, 2));
  EXPECT_EQ(read_text(file_), written_.substr(0, lengths_[2]));
  EXPECT_THAT(logged_, ElementsAre());
}

// An editor on Windows may save the file with CR LF line ends and a byte order mark.
TEST_F(Metrics, AcceptCrLfAndAByteOrderMark) {
  std::string text = "\xef\xbb\xbf";
  for (const char c : written_) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  write_text(file_, text);
  EXPECT_EQ(folder_.begin_metrics(lengths_[3], log_), lengths_[3]);
  EXPECT_THAT(epochs(), ElementsAre(1, 2, 3));
  EXPECT_EQ(read_text(file_), written_);
  EXPECT_THAT(logged_, ElementsAre());

  write_text(file_, text);
  EXPECT_EQ(folder_.begin_metrics(lengths_[1], log_), lengths_[1]);
  EXPECT_THAT(epochs(), ElementsAre(1));
}

TEST_F(Metrics, ContinueWithTheRemainingLinesOfADamagedFile) {
  write_text(file_, written_.substr(0, lengths_[2] + 5));  // within the third line
  EXPECT_EQ(folder_.begin_metrics(lengths_[3], log_), lengths_[2]);
  EXPECT_THAT(epochs(), ElementsAre(1, 2));
  EXPECT_THAT(logged_, ElementsAre(HasSubstr("lines of finished epochs are missing")));

  write_text(file_, written_.substr(0, lengths_[0]) + "no,number\n");
  EXPECT_EQ(folder_.begin_metrics(lengths_[3], log_), lengths_[0]);
  EXPECT_THAT(logged_, ElementsAre(testing::_, HasSubstr("continuing with the remaining 0 lines")));

  fs::remove(file_);
  EXPECT_EQ(folder_.begin_metrics(lengths_[3], log_), lengths_[0]);
  EXPECT_EQ(read_text(file_), report::metrics_header());
  EXPECT_EQ(logged_.size(), 3U);
}

TEST(RunFolder, IsLockedByOneProcess) {
  const TemporaryFolder temporary;
  const RunFolder first(temporary.path());
  try {
    const RunFolder second(temporary.path());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_THAT(error.what(), HasSubstr("another process is training in this folder"));
  }
}

TEST(RunFolder, IsRemovedIfNoRunWasStarted) {
  const TemporaryFolder temporary;
  const fs::path run = temporary.path() / "run";
  {
    const RunFolder folder(run);
    EXPECT_FALSE(folder.contains_run());
  }
  EXPECT_FALSE(fs::exists(run));
  {
    RunFolder folder(run);
    folder.write_config("seed = 1\n");
    EXPECT_TRUE(folder.contains_run());
    folder.remove_traces();
    EXPECT_FALSE(folder.contains_run());
    folder.write_config("seed = 1\n");
  }
  EXPECT_TRUE(fs::exists(run / "config.toml"));
}

}  // namespace
}  // namespace effnet::train

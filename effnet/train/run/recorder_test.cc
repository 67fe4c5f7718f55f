#include "effnet/train/run/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/file.h"
#include "effnet/train/step/testing.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RecorderTest : public testing::Test {
 protected:
  std::unique_ptr<Recorder> recorder(Position& position) {
    return std::make_unique<Recorder>(folder_, recipe_, "identity\n", ModelMetadata{}, position,
                                      [](const std::string& line) { ADD_FAILURE() << line; });
  }
  // Finishes the next epoch. `top1`: its validation accuracy in percent.
  void close_epoch(Recorder& recorder, Position& position, double top1, const CorruptList& corrupt = {}) {
    position.begin_next_epoch();
    report::EpochMetrics row;
    row.epoch = static_cast<std::int64_t>(position.epoch);
    row.val_top1 = top1;
    if (top1 > position.best_top1) {
      position.best_top1 = top1;
      position.best_epoch = row.epoch;
    }
    recorder.add_epoch(row, corrupt, trainer_, position);
  }
  bool exists(const char* checkpoint) const { return fs::exists(folder_.path() / "checkpoints" / checkpoint); }
  std::string events() const {
    std::string text;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) {
      if (entry.path().filename().string().starts_with("events.out.tfevents.")) text += read_text(entry.path());
    }
    return text;
  }

  const TemporaryFolder temporary_;
  RunFolder folder_{temporary_.path()};
  const Recipe recipe_ = parse_recipe("", "defaults", {{"checkpoint.keep", "2"}});
  const graph::Graph graph_ = tiny_graph();
  const std::unique_ptr<Group> group_ = single_process();
  Trainer trainer_{graph_, nn::ParameterStore::initialised(graph_, 1), recipe_, torch::kCPU, *group_};
};

TEST_F(RecorderTest, AddEpochWritesMetricsCorruptImagesAndCheckpoints) {
  Position position;
  const auto writes = recorder(position);
  EXPECT_EQ(read_text(folder_.path() / "config.toml"), print(recipe_));
  close_epoch(*writes, position, 40, {{"a.jpg", "truncated"}});
  close_epoch(*writes, position, 60);
  close_epoch(*writes, position, 50);
  EXPECT_EQ(report::read_metrics(folder_.path() / "metrics.csv").size(), 3U);
  EXPECT_EQ(read_text(folder_.path() / "broken.csv"), "path,why\na.jpg,truncated\n");
  const CheckpointFolder checkpoints(folder_.path());
  const Position last = open_checkpoint(folder_.path() / "checkpoints/last").position;
  EXPECT_EQ(last.epoch, 3U);
  EXPECT_EQ(last.metrics_bytes, fs::file_size(folder_.path() / "metrics.csv"));
  EXPECT_EQ(open_checkpoint(checkpoints.best()).position.epoch, 2U);
  EXPECT_FALSE(exists("epoch-1"));
  EXPECT_TRUE(exists("epoch-2"));
  EXPECT_TRUE(exists("epoch-3"));
  EXPECT_THAT(events(), HasSubstr("epoch/val_top1"));
}

TEST_F(RecorderTest, WritesAnEventForEveryTenthStep) {
  Position position;
  const auto writes = recorder(position);
  for (std::int64_t step = 1; step < 10; ++step) writes->add_step(step, 1, 0.1);
  writes->flush();
  EXPECT_THAT(events(), testing::Not(HasSubstr("train/loss")));
  writes->add_step(10, 1, 0.1);
  writes->flush();
  EXPECT_THAT(events(), HasSubstr("train/loss"));
}

// The process was killed after it wrote the checkpoint and before it named the best one.
TEST_F(RecorderTest, RestoresTheNamesOfTheBestCheckpointOnResume) {
  Position position;
  {
    const auto writes = recorder(position);
    close_epoch(*writes, position, 40);
    for (const char* name : {"best", "epoch-1"}) fs::remove(folder_.path() / "checkpoints" / name);
  }
  const auto again = recorder(position);
  const fs::path last = folder_.path() / "checkpoints/last";
  again->resume_from(folder_.path() / "checkpoints/previous", position, 1);
  EXPECT_FALSE(exists("best"));
  again->resume_from(last, position, 1);
  EXPECT_TRUE(exists("best"));
  EXPECT_TRUE(exists("epoch-1"));
}

}  // namespace
}  // namespace effnet::train

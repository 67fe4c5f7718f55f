#include "effnet/train/run/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/graph/lower.h"
#include "effnet/train/run/checkpoint_folder.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kArch = R"(
name = "tiny"
resolution = 8
classes = 3
[stem]
channels = 4
[[stages]]
channels = 8
expand = 2
se = 0.25
[head]
channels = 8
)";

// A trainer that has done `steps` steps. `seed` determines its initial weights and its images.
class Tiny {
 public:
  explicit Tiny(std::uint64_t seed, int steps = 2) : group_(single_process()) {
    const graph::Graph graph = graph::lower(arch::parse(kArch, "tiny"));
    recipe_.train.batch = 4;
    trainer_ = std::make_unique<Trainer>(graph, nn::ParameterStore::initialised(graph, seed), recipe_,
                                         torch::Device(torch::kCPU), *group_);
    for (int i = 0; i < steps; ++i) step(seed + static_cast<std::uint64_t>(i));
  }
  double step(std::uint64_t seed) {
    data::Batch batch;
    batch.epoch = seed;
    Draws draws({seed, 0, 0}, "images");
    for (std::int64_t i = 0; i < 4; ++i) {
      batch.indices.push_back(i);
      batch.labels.push_back(i % 3);
    }
    for (int i = 0; i < 4 * 8 * 8 * 3; ++i) batch.images.push_back(static_cast<float>(draws.normal()));
    return trainer_->step(batch, 0.01).loss;
  }
  std::vector<torch::Tensor> tensors() const {
    std::vector<torch::Tensor> copies;
    for (const auto& [name, tensor] : trainer_->state()) copies.push_back(tensor.detach().clone());
    return copies;
  }
  Trainer& trainer() { return *trainer_; }

 private:
  std::unique_ptr<Group> group_;
  Recipe recipe_ = parse_recipe("", "defaults");
  std::unique_ptr<Trainer> trainer_;
};

bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const torch::Tensor& x, const torch::Tensor& y) { return torch::equal(x, y); });
}

Position read_checkpoint(const fs::path& file, Trainer& trainer, const std::string& identity) {
  const CheckpointFile checkpoint = open_checkpoint(file);
  restore(checkpoint, file, trainer, identity);
  return checkpoint.position;
}

std::string why(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Checkpoint, RestoresEverythingThatAStepDependsOn) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "last";
  Tiny first(1), second(7);
  const Position position{.epoch = 3,
                          .batch = 5,
                          .loss_sum = 0.1,
                          .right = 7,
                          .images = 20,
                          .best_top1 = 1.0 / 3,
                          .best_epoch = 2,
                          .seconds = 1e9 / 7,
                          .metrics_bytes = 1234567890123,
                          .epochs = 12.25};
  write_checkpoint(file, first.trainer(), position, "this\n");
  ASSERT_FALSE(equal(first.tensors(), second.tensors()));
  const Position read = read_checkpoint(file, second.trainer(), "this\n");
  EXPECT_EQ(read.epoch, position.epoch);
  EXPECT_EQ(read.batch, position.batch);
  EXPECT_EQ(read.loss_sum, position.loss_sum);
  EXPECT_EQ(read.right, position.right);
  EXPECT_EQ(read.images, position.images);
  EXPECT_EQ(read.best_top1, position.best_top1);
  EXPECT_EQ(read.best_epoch, position.best_epoch);
  EXPECT_EQ(read.seconds, position.seconds);
  EXPECT_EQ(read.metrics_bytes, position.metrics_bytes);
  EXPECT_EQ(read.epochs, position.epochs);
  EXPECT_TRUE(equal(first.tensors(), second.tensors()));
  EXPECT_EQ(first.step(40), second.step(40));
  EXPECT_TRUE(equal(first.tensors(), second.tensors()));

  // The same state gives the same bytes.
  write_checkpoint(folder.path() / "a", first.trainer(), position, "this\n");
  write_checkpoint(folder.path() / "b", second.trainer(), position, "this\n");
  EXPECT_EQ(read_text(folder.path() / "a"), read_text(folder.path() / "b"));
}

TEST(Checkpoint, DamageAnywhereIsDetectedAndTheTrainerIsUnchanged) {
  const TemporaryFolder folder;
  const fs::path good = folder.path() / "good", bad = folder.path() / "bad";
  Tiny first(1), second(7);
  write_checkpoint(good, first.trainer(), {.epoch = 3}, "this\n");
  const std::string bytes = read_text(good);
  const std::vector<torch::Tensor> before = second.tensors();
  for (std::size_t i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    const std::size_t at = i * (bytes.size() - 1) / 199;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (i % 8)));
    write_text(bad, damaged);
    EXPECT_NE(why([&] { read_checkpoint(bad, second.trainer(), "this\n"); }), "no error") << "byte " << at;
    write_text(bad, bytes.substr(0, at));
    EXPECT_NE(why([&] { read_checkpoint(bad, second.trainer(), "this\n"); }), "no error") << "cut at " << at;
  }
  EXPECT_NE(why([&] { read_checkpoint(folder.path() / "none", second.trainer(), "this\n"); }), "no error");
  EXPECT_TRUE(equal(second.tensors(), before));
}

TEST(Checkpoint, NamesTheDifferenceToAnotherRun) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "last";
  Tiny first(1), second(7);
  write_checkpoint(file, first.trainer(), {}, "lr = 1\nseed = 3\nsame = 1\n");
  const std::vector<torch::Tensor> before = second.tensors();
  const std::string text = why([&] { read_checkpoint(file, second.trainer(), "lr = 2\nseed = 3\nsame = 1\n"); });
  EXPECT_THAT(text, HasSubstr("got lr = 2, expected lr = 1"));
  EXPECT_TRUE(equal(second.tensors(), before));
}

TEST(CheckpointFolder, FallsBackToThePreviousCheckpoint) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  Tiny tiny(1);
  std::vector<std::string> lines;
  const auto log = [&](const std::string& message) { lines.push_back(message); };
  EXPECT_TRUE(checkpoints.empty());
  for (const std::uint64_t epoch : {1, 2}) checkpoints.write(tiny.trainer(), {.epoch = epoch}, "this\n");
  const fs::path last = folder.path() / "checkpoints/last", previous = folder.path() / "checkpoints/previous";
  EXPECT_EQ(checkpoints.newest_intact(log), last);
  EXPECT_EQ(open_checkpoint(last).position.epoch, 2U);
  EXPECT_EQ(open_checkpoint(previous).position.epoch, 1U);
  EXPECT_TRUE(lines.empty());

  fs::resize_file(last, fs::file_size(last) / 2);
  EXPECT_EQ(checkpoints.newest_intact(log), previous);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("last"));
  // The next write must not replace the good checkpoint by the damaged one.
  checkpoints.write(tiny.trainer(), {.epoch = 3}, "this\n");
  EXPECT_EQ(open_checkpoint(previous).position.epoch, 1U);
  EXPECT_EQ(open_checkpoint(last).position.epoch, 3U);

  for (const fs::path& file : {last, previous}) fs::resize_file(file, 10);
  EXPECT_THAT(why([&] { checkpoints.newest_intact(log); }), HasSubstr("no intact checkpoint"));
  EXPECT_EQ(lines.size(), 1U);  // no line promises to resume
}

TEST(CheckpointFolder, KeepsTheBestCheckpoints) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  Tiny tiny(1);
  const auto names = [&] {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder.path() / "checkpoints"))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  };
  const auto close = [&](std::uint64_t epoch, std::int64_t best, const std::vector<std::int64_t>& ranked) {
    checkpoints.write(tiny.trainer(), {.epoch = epoch}, "this\n");
    for (int again = 0; again < 2; ++again) checkpoints.keep_best(static_cast<std::int64_t>(epoch), best, ranked, 2);
  };
  close(1, 1, {1});
  EXPECT_THAT(names(), ElementsAre("best", "epoch-1", "last"));
  close(2, 1, {1, 2});
  EXPECT_THAT(names(), ElementsAre("best", "epoch-1", "epoch-2", "last", "previous"));
  EXPECT_EQ(open_checkpoint(checkpoints.best()).position.epoch, 1U);
  close(3, 3, {3, 1, 2});
  EXPECT_THAT(names(), ElementsAre("best", "epoch-1", "epoch-3", "last", "previous"));
  EXPECT_EQ(open_checkpoint(checkpoints.best()).position.epoch, 3U);
  close(4, 3, {3, 1, 2, 4});
  EXPECT_THAT(names(), ElementsAre("best", "epoch-1", "epoch-3", "last", "previous"));
  // metrics.csv was lost after the fourth epoch.
  close(5, 3, {5});
  close(6, 3, {5, 6});
  close(7, 3, {5, 7, 6});
  EXPECT_THAT(names(), ElementsAre("best", "epoch-1", "epoch-3", "epoch-5", "epoch-7", "last", "previous"));
}

}  // namespace
}  // namespace effnet::train

#include "effnet/train/run/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/train/run/checks.h"
#include "effnet/train/run/resume.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Images : public data::Dataset {
 public:
  Images(std::vector<std::string> names, std::vector<std::int64_t> labels)
      : names_(std::move(names)), labels_(std::move(labels)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(names_.size()); }
  std::int64_t label(std::int64_t index) const override { return labels_[static_cast<std::size_t>(index)]; }
  std::string name(std::int64_t index) const override { return names_[static_cast<std::size_t>(index)]; }
  data::ImageData read(std::int64_t) const override { return {}; }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<data::SkippedFile>& skipped() const override { return skipped_; }

 private:
  std::vector<std::string> names_, classes_{"a", "b"};
  std::vector<std::int64_t> labels_;
  std::vector<data::SkippedFile> skipped_;
};

std::string identity(const Recipe& recipe, const std::vector<std::string>& names,
                     const std::vector<std::int64_t>& labels, const arch::ArchSpec& arch = {}, bool validation = true) {
  RunModel model;
  model.arch = arch;
  RunData data;
  data.train = std::make_shared<Images>(names, labels);
  if (validation)
    data.validation = std::make_shared<Images>(std::vector<std::string>{"v"}, std::vector<std::int64_t>{1});
  return to_text(identity_of(recipe, model, data));
}

Recipe recipe(const std::vector<Override>& overrides = {}) { return parse_recipe("", "defaults", overrides); }

std::string why(ErrorCode code, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return std::string(error.what()) + " | " + error.hint();
  }
  return "no error";
}

TEST(Identity, IncludesNamesAndLabelsOfTheImages) {
  const std::string own = identity(recipe(), {"x", "yz"}, {0, 1});
  EXPECT_EQ(own, identity(recipe(), {"x", "yz"}, {0, 1}));
  const auto refused = [&](const std::string& other) {
    EXPECT_THAT(why(ErrorCode::input, [&] { changes_on_resume(other, own); }),
                HasSubstr("another model, recipe or data"));
  };
  refused(identity(recipe(), {"x", "yz"}, {1, 0}));  // labels
  refused(identity(recipe(), {"x", "yw"}, {0, 1}));  // a name
  refused(identity(recipe(), {"yz", "x"}, {0, 1}));  // the order
  refused(identity(recipe(), {"xy", "z"}, {0, 1}));  // other names with the same concatenation
  refused(identity(recipe(), {"x", "yz", "w"}, {0, 1, 1}));
  refused(identity(recipe(), {"x", "yz"}, {0, 1}, {}, false));  // another validation set
}

// "got" is the value of this run, "expected" that of the checkpoint.
TEST(Identity, ErrorsNameTheValueOfTheRunAndOfTheCheckpoint) {
  const std::string then = identity(recipe({{"seed", "3"}}), {"x"}, {0}),
                    now = identity(recipe({{"seed", "4"}}), {"x"}, {0});
  EXPECT_THAT(why(ErrorCode::input, [&] { changes_on_resume(now, then); }),
              HasSubstr("(got seed = 4, expected seed = 3)"));
  const std::string more = identity(recipe({{"seed", "3"}}), {"x", "y"}, {0, 1});
  EXPECT_THAT(why(ErrorCode::input, [&] { changes_on_resume(more, then); }),
              HasSubstr("got pictures = 2 (names and labels "));
  // Two architectures with the same stages in different order differ.
  arch::ArchSpec arch, reversed;
  arch.stages = {{.channels = 8}, {.channels = 16}};
  reversed.stages = {{.channels = 16}, {.channels = 8}};
  EXPECT_THAT(
      why(ErrorCode::input,
          [&] { changes_on_resume(identity(recipe(), {"x"}, {0}, reversed), identity(recipe(), {"x"}, {0}, arch)); }),
      HasSubstr("another model"));
}

TEST(Identity, AdjustableSettingsMayChange) {
  const std::string then = identity(recipe({{"optimizer.lr", "0.5"}, {"train.epochs", "4"}}), {"x"}, {0});
  const auto changes = changes_on_resume(
      identity(recipe({{"optimizer.lr", "0.1"}, {"train.epochs", "6"}, {"train.fused", "false"}}), {"x"}, {0}), then);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_THAT(describe_changes(changes, 2, 0.05),
              ElementsAre("optimizer.lr changes from 0.5 to 0.1", "train.epochs changes from 4.0 to 6.0",
                          "the next step's learning rate is 0.05"));
  EXPECT_TRUE(describe_changes({}, 2, 0.05).empty());
  EXPECT_THAT(why(ErrorCode::usage,
                  [&] {
                    describe_changes({{"train.epochs", "1.0", "4.0"}}, 2, 0.1);
                  }),
              HasSubstr("got 1.0, expected at least 2"));
  EXPECT_THAT(why(ErrorCode::usage,
                  [&] {
                    describe_changes({{"train.epochs", "6.0", "2.5"}}, 3, 0.1);
                  }),
              HasSubstr("within an epoch"));
  EXPECT_EQ(describe_changes({{"train.epochs", "6.0", "2.5"}}, 3, 0.1, /*fitted=*/true).size(), 2U);
}

// A run of 10 steps per epoch that was fitted to 8 epochs and stopped in the fourth one.
TEST(DropFittedLength, WithoutATimeBudgetTheEpochsOfTheRecipeCount) {
  const auto length_of = [](const Recipe& changed, Position position) {
    const Timeline timeline(changed, 10, position);
    const std::string line = drop_fitted_length(changed, timeline, position);
    EXPECT_EQ(line.empty(), position.epochs > 0) << line;
    return timeline.epochs();
  };
  const Position stopped{.epoch = 3, .batch = 5, .epochs = 8};
  EXPECT_EQ(length_of(recipe({{"train.epochs", "50"}}), stopped), 50);
  EXPECT_EQ(length_of(recipe({{"train.epochs", "50"}, {"train.time_budget", "1h"}}), stopped), 8);
  // It has ended, because of its budget or of train.patience.
  EXPECT_EQ(length_of(recipe({{"train.epochs", "50"}}), {.epoch = 8, .epochs = 8}), 8);
  EXPECT_EQ(length_of(recipe({{"train.epochs", "50"}}), {.epoch = 8, .epochs = 7.5}), 7.5);
  EXPECT_THAT(why(ErrorCode::usage,
                  [&] {
                    length_of(recipe({{"train.epochs", "3"}}), stopped);
                  }),
              HasSubstr("got 3, expected at least 3.5"));
}

TEST(RequireValidatedEnd, RefusesAnEpochWithoutValidation) {
  const TemporaryFolder temporary;
  RunFolder folder(temporary.path());
  require_validated_end(folder, 1);  // no metrics.csv: nothing is known about the epoch
  folder.begin_metrics(0, [](const std::string& line) { ADD_FAILURE() << line; });
  for (std::int64_t epoch = 1; epoch <= 2; ++epoch) {
    report::EpochMetrics row;
    row.epoch = epoch;
    if (epoch == 1) row.val_top1 = 50;
    folder.append_metrics(row);
  }
  require_validated_end(folder, 1);
  EXPECT_THAT(why(ErrorCode::usage, [&] { require_validated_end(folder, 2); }), HasSubstr("got 2, expected more"));
}

class Finished : public testing::Test {
 protected:
  Finished() {
    folder_.write_config(print(recipe({{"train.epochs", "4"}})));
    Summary summary;
    summary.best_top1 = 50;
    summary.best_epoch = 2;
    summary.saved_top1 = 40;
    summary.saved_epoch = 4;
    summary.epochs = 4;
    folder_.write_summary(summary);
    write_text(temporary_.path() / "report.html", "page");
  }
  // The stored summary if the run needs no further work with this recipe, else null.
  std::optional<Summary> finished(const Recipe& recipe) {
    const std::optional<Summary> summary = folder_.finished();
    return summary && stays_finished(*summary, folder_, recipe, message_) ? summary : std::nullopt;
  }
  TemporaryFolder temporary_;
  RunFolder folder_{temporary_.path()};
  std::string message_;
};

TEST_F(Finished, ReturnsTheStoredSummary) {
  const auto summary = finished(recipe({{"train.epochs", "4"}, {"data.workers", "3"}}));
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->saved_top1, 40);
  EXPECT_EQ(summary->saved_epoch, 4);
  EXPECT_THAT(message_, HasSubstr("already finished; data.workers has no effect"));
}

TEST_F(Finished, ResumesWithMoreEpochsAndRefusesOtherChanges) {
  EXPECT_FALSE(finished(recipe({{"train.epochs", "6"}})));
  EXPECT_FALSE(finished(recipe({{"train.epochs", "6"}, {"optimizer.lr", "0.1"}})));
  EXPECT_FALSE(finished(recipe({{"train.epochs", "4"}, {"checkpoint.result", "last"}})));
  for (const std::vector<Override>& asked :
       std::vector<std::vector<Override>>{{{"train.epochs", "3"}},
                                          {{"train.epochs", "4"}, {"optimizer.lr", "0.1"}},
                                          {{"train.epochs", "4"}, {"seed", "9"}}}) {
    EXPECT_THAT(why(ErrorCode::usage, [&] { finished(recipe(asked)); }),
                testing::AllOf(HasSubstr("finished after 4 epochs"), HasSubstr("train.epochs above 4")));
  }
  folder_.mark_unfinished();
  EXPECT_FALSE(finished(recipe({{"seed", "9"}})));
}

TEST(RunChecks, ComputesAndRequiresDiskSpace) {
  const std::uint64_t mib = 1 << 20;
  // A checkpoint has 10 MiB, the model 3 MiB, all small files 1 MiB. The numbers of checkpoints are 3 + 1, 3 + 5, 1
  // (for one epoch) and 3 + 1.
  EXPECT_EQ(disk_bytes_needed(recipe({{"train.epochs", "300"}}), 10 * mib, 3 * mib), (4 * 10 + 3 + 1) * mib);
  EXPECT_EQ(disk_bytes_needed(recipe({{"train.epochs", "300"}, {"checkpoint.keep", "5"}}), 10 * mib, 3 * mib),
            (8 * 10 + 3 + 1) * mib);
  EXPECT_EQ(disk_bytes_needed(recipe({{"train.epochs", "1"}}), 10 * mib, 3 * mib), (10 + 3 + 1) * mib);
  EXPECT_EQ(disk_bytes_needed(recipe({{"train.epochs", "1"}, {"checkpoint.every_steps", "10"}}), 10 * mib, 3 * mib),
            (4 * 10 + 3 + 1) * mib);
  const TemporaryFolder folder;
  require_disk_space(folder.path(), 1, 0);
  require_disk_space(folder.path(), std::uint64_t{1} << 62,
                     std::uint64_t{1} << 62);  // existing files will be replaced, so nothing more is needed
  EXPECT_THAT(
      why(ErrorCode::environment, [&] { require_disk_space(folder.path(), (std::uint64_t{1} << 60) + mib, mib); }),
      testing::AllOf(HasSubstr(" MiB free"), HasSubstr("expected 1099511627776.0 MiB")));
}

}  // namespace
}  // namespace effnet::train

#include "effnet/lab/train_supernet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "effnet/lab/lab_testing.h"
#include "effnet/lab/supernet.h"
#include "effnet/lab/supernet_file.h"

namespace effnet::lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testkit::failure;
using testkit::ImageFolder;
using testkit::tiny_space;

SupernetOptions options_of(const ImageFolder& images, const fs::path& file, double epochs = 2) {
  return {.recipe = testkit::recipe(images, epochs), .file = file, .device = "cpu"};
}

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

// Trains, but ends like a killed process after the given number of steps of this process, before their checkpoint.
void train_and_kill(const search::Space& space, SupernetOptions options, int steps) {
  options.progress = [steps, done = 0](const train::Progress& progress) mutable {
    if (progress.message.empty() && ++done == steps) throw Killed();
  };
  EXPECT_THROW(train_supernet(space, options), Killed);
}

TEST(TrainSupernet, WritesAFileThatReadsBack) {
  const ImageFolder images;
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "net.safetensors";
  const search::Space space = tiny_space();
  const SupernetSummary summary = train_supernet(space, options_of(images, file));
  EXPECT_EQ(summary.steps, 6);  // 24 images, 8 per step, 2 epochs
  EXPECT_EQ(summary.epochs, 2);
  EXPECT_GT(summary.params, 0);
  const Supernet read = read_supernet(file, space);
  EXPECT_EQ(read.classes, 3);
  EXPECT_EQ(train::print(read.recipe), train::print(testkit::recipe(images)));
  std::int64_t params = 0;
  for (const nn::ParameterStore::Entry& entry : read.store->entries())
    params += entry.statistic ? 0 : entry.tensor.numel();
  EXPECT_EQ(params, summary.params);
  EXPECT_FALSE(fs::exists(file.string() + ".checkpoint"));
  EXPECT_FALSE(fs::exists(file.string() + ".lock"));
  EXPECT_THAT(failure([&] { train_supernet(space, options_of(images, file)); }), HasSubstr("2 "));
  EXPECT_THAT(failure([&] { train_supernet(space, options_of(images, file)); }), HasSubstr("the file exists"));
}

TEST(TrainSupernet, TrainingImprovesTheLoss) {
  const ImageFolder images;
  const TemporaryFolder folder;
  const auto loss = [&](double epochs, bool sandwich) {
    SupernetOptions options = options_of(images, folder.path() / fmt::format("{}-{}", epochs, sandwich), epochs);
    options.sandwich = sandwich;
    return train_supernet(tiny_space(), options).loss;
  };
  // The classes differ by colour. A loss of ln 3 = 1.1 is that of a guess.
  for (const bool sandwich : {false, true}) EXPECT_LT(loss(20, sandwich), 0.7 * loss(1, sandwich)) << sandwich;
}

TEST(TrainSupernet, AKilledTrainingEndsWithTheSameFile) {
  const ImageFolder images;
  const TemporaryFolder folder;
  const search::Space space = tiny_space();
  for (const bool sandwich : {false, true}) {
    SCOPED_TRACE(sandwich);
    SupernetOptions whole = options_of(images, folder.path() / fmt::format("whole-{}", sandwich), 3);
    whole.sandwich = sandwich;
    const SupernetSummary expected = train_supernet(space, whole);
    SupernetOptions killed = whole;
    killed.file = folder.path() / fmt::format("killed-{}", sandwich);
    // 9 steps in all, with checkpoints after steps 2, 3, 4, 6 and 8: every second one, and each epoch of 3. The killed
    // processes begin after steps 0, 0 and 3, the last process after step 4.
    for (const int steps : {2, 4, 3}) train_and_kill(space, killed, steps);
    EXPECT_TRUE(fs::exists(killed.file.string() + ".checkpoint"));
    const SupernetSummary got = train_supernet(space, killed);
    EXPECT_EQ(read_text(killed.file), read_text(whole.file));
    EXPECT_EQ(got.loss, expected.loss);
    EXPECT_EQ(got.top1, expected.top1);
    EXPECT_EQ(got.steps, 9);
  }
}

// The process may be killed after it has written the file and before it has removed the checkpoint.
TEST(TrainSupernet, AFileBesideItsCheckpointIsWrittenAgain) {
  const ImageFolder images;
  const TemporaryFolder folder;
  const SupernetOptions options = options_of(images, folder.path() / "net");
  train_and_kill(tiny_space(), options, 4);
  write_text(options.file, "the file of the process that was killed");
  train_supernet(tiny_space(), options);
  EXPECT_EQ(read_supernet(options.file, tiny_space()).classes, 3);
}

TEST(TrainSupernet, AnotherTrainingIsNotContinued) {
  const ImageFolder images;
  const TemporaryFolder folder;
  const SupernetOptions options = options_of(images, folder.path() / "net");
  train_and_kill(tiny_space(), options, 4);
  search::Space other = tiny_space();
  other.choices.front().options = {"3", "7"};
  EXPECT_THAT(failure([&] { train_supernet(other, options); }), HasSubstr("another model, recipe or dataset"));
  SupernetOptions sandwich = options;
  sandwich.sandwich = true;
  EXPECT_THAT(failure([&] { train_supernet(tiny_space(), sandwich); }), HasSubstr("sandwich = false"));
  const FileLock lock(options.file.string() + ".lock");
  EXPECT_THAT(failure([&] { train_supernet(tiny_space(), options); }), HasSubstr("another process"));
}

TEST(TrainSupernet, RefusesWhatItDoesNotSupport) {
  const ImageFolder images;
  const TemporaryFolder folder;
  SupernetOptions options = options_of(images, folder.path() / "net");
  options.recipe.train.time_budget = "20m";
  EXPECT_THAT(failure([&] { train_supernet(tiny_space(), options); }), HasSubstr("2 --set train.time_budget"));
  options = options_of(images, folder.path() / "net");
  options.recipe.model.freeze = "stem";
  EXPECT_THAT(failure([&] { train_supernet(tiny_space(), options); }), HasSubstr("2 --set model.freeze"));
  options = options_of(images, folder.path() / "net");
  options.recipe.data.folder = (folder.path() / "none").string();
  EXPECT_THAT(failure([&] { train_supernet(tiny_space(), options); }), HasSubstr("3 "));
  EXPECT_FALSE(fs::exists(options.file.string() + ".lock"));
}

TEST(SupernetFile, RefusesAnotherSpaceAndOtherFiles) {
  const TemporaryFolder folder;
  const ImageFolder images;
  const fs::path file = folder.path() / "net";
  const search::Space space = tiny_space();
  const auto weights = [&] { return nn::ParameterStore::initialised(supernet_graph(space), 1)->weights(); };
  write_supernet(file, space, testkit::recipe(images), weights());
  EXPECT_EQ(read_supernet(file, space).classes, 3);
  search::Space other = space;
  other.choices.front().options = {"3", "7"};
  EXPECT_THAT(failure([&] { read_supernet(file, other); }), HasSubstr("a supernet of another space"));
  other.name = "other";
  EXPECT_THAT(failure([&] { read_supernet(file, other); }), HasSubstr("(got 'tiny', expected 'other')"));
  tensor::Weights less = weights();
  less.tensors.erase("stem.conv.weight");
  write_supernet(file, space, testkit::recipe(images), less);
  EXPECT_THAT(failure([&] { read_supernet(file, space); }), HasSubstr("stem.conv.weight"));
  write_text(file, "no safetensors");
  EXPECT_THAT(failure([&] { read_supernet(file, space); }), HasSubstr("3 "));
  EXPECT_THAT(failure([&] { read_supernet(folder.path() / "missing", space); }), HasSubstr("3 "));
}

}  // namespace
}  // namespace effnet::lab

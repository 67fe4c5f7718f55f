#include "effnet/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <thread>

#include "effnet/base/asleep_testing.h"
#include "effnet/base/error.h"
#include "effnet/data/corrupt.h"
#include "effnet/data/testing_sets.h"
#include "effnet/vision/preprocess.h"

namespace effnet::data {
namespace {

using testing::HasSubstr;

// Random images, some of them corrupt. Reading image `fault` throws an internal error.
class FakeSet final : public Dataset {
 public:
  explicit FakeSet(
      std::int64_t size, std::vector<std::int64_t> corrupt = {}, std::int64_t fault = -1,
      std::function<void()> before_read = [] {})
      : size_(size), corrupt_(std::move(corrupt)), fault_(fault), before_read_(std::move(before_read)) {}
  std::int64_t size() const override { return size_; }
  std::int64_t label(std::int64_t index) const override { return index % 3; }
  std::string name(std::int64_t index) const override { return fmt::format("image {:03}", index); }
  ImageData read(std::int64_t index) const override {
    before_read_();
    if (index == fault_) throw internal_error("a fault");
    if (std::ranges::count(corrupt_, index) != 0) throw input_error("cut");
    return testing_sets::noise(static_cast<std::uint64_t>(index));
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  std::int64_t size_;
  std::vector<std::int64_t> corrupt_;
  std::int64_t fault_;
  std::function<void()> before_read_;
  std::vector<std::string> classes_{"a", "b", "c"};
  std::vector<SkippedFile> skipped_;
};

vision::TrainingView view() {
  vision::TrainingView view;
  view.evaluation = Preprocessing{}.at({8, 6});
  view.evaluation.filter = Filter::bilinear;
  view.augment = vision::Augment::autoaugment;
  view.erasing = 0.5;
  return view;
}

LoaderOptions options(std::int64_t batch, int workers, std::int64_t ahead = 3) {
  LoaderOptions options;
  options.batch = batch;
  options.seed = 42;
  options.workers = workers;
  options.ahead = ahead;
  options.broken_limit = 0.2;
  return options;
}

std::vector<Batch> take(TrainingLoader& loader, int count) {
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) batches.push_back(loader.next());
  return batches;
}

bool same(const Batch& a, const Batch& b) {
  return a.epoch == b.epoch && a.number == b.number && a.indices == b.indices && a.images == b.images &&
         a.labels == b.labels && a.labels_b == b.labels_b && a.lambda == b.lambda;
}

TEST(EpochOrder, IsAPermutationThatFollowsFromSeedAndEpoch) {
  for (const std::int64_t n : {1, 2, 3, 10, 1000}) {
    std::vector<std::int64_t> order = epoch_order(n, 1, 5, true);
    EXPECT_EQ(order, epoch_order(n, 1, 5, true));
    if (n >= 10) {
      EXPECT_NE(order, epoch_order(n, 1, 6, true));
      EXPECT_NE(order, epoch_order(n, 2, 5, true));
    }
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, epoch_order(n, 1, 5, false));
  }
}

// Chi-square statistic over the 120 permutations of 5 images: its mean is 119, its standard deviation sqrt(2 * 119) =
// 15.4. The test allows 5 standard deviations.
TEST(EpochOrder, IsUniform) {
  constexpr int kEpochs = 24000;
  std::map<std::vector<std::int64_t>, int> times;
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch) ++times[epoch_order(5, 9, epoch, true)];
  ASSERT_EQ(times.size(), 120U);
  double chi = 0;
  for (const auto& [order, count] : times) {
    const double expected = kEpochs / 120.0;
    chi += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi, 119 + 5 * 15.4);
  EXPECT_GT(chi, 119 - 5 * 15.4);
}

class TrainingLoaderTest : public testing::TestWithParam<bool> {  // parameter: whether images are mixed
 protected:
  static LoaderOptions with(LoaderOptions options) {
    if (GetParam()) options.mixup = options.cutmix = 0.8;
    return options;
  }
  std::shared_ptr<const Dataset> set_ = std::make_shared<FakeSet>(53, std::vector<std::int64_t>{7, 8, 30});
};
INSTANTIATE_TEST_SUITE_P(Mixing, TrainingLoaderTest, testing::Bool());

TEST_P(TrainingLoaderTest, BatchesDoNotDependOnWorkersOrAhead) {
  TrainingLoader plain(set_, view(), with(options(10, 0)));
  EXPECT_EQ(plain.batches_per_epoch(), 5);
  const std::vector<Batch> expected = take(plain, 12);
  for (const int workers : {1, 2, 5}) {
    for (const std::int64_t ahead : {1, 2, 9}) {
      TrainingLoader loader(set_, view(), with(options(10, workers, ahead)));
      for (const Batch& batch : expected) ASSERT_TRUE(same(loader.next(), batch)) << workers << " " << ahead;
    }
  }
  EXPECT_EQ(expected[11].epoch, 2U);
  EXPECT_EQ(expected[11].number, 1);
  EXPECT_FALSE(same(expected[0], expected[5]));
}

TEST_P(TrainingLoaderTest, SeekContinuesFromAnyBatch) {
  TrainingLoader plain(set_, view(), with(options(10, 0)));
  const std::vector<Batch> expected = take(plain, 15);
  for (const int workers : {0, 2}) {
    TrainingLoader loader(set_, view(), with(options(10, workers)));
    for (const int batch : {13, 2, 5, 4, 0, 9}) {
      loader.seek(static_cast<std::uint64_t>(batch / 5), batch % 5);
      for (int i = batch; i < std::min(batch + 3, 15); ++i)
        ASSERT_TRUE(same(loader.next(), expected[static_cast<std::size_t>(i)])) << workers << " " << batch << " " << i;
    }
  }
  plain.seek(0, 5);  // after the last batch of an epoch comes the first batch of the next epoch
  EXPECT_TRUE(same(plain.next(), expected[5]));
}

TEST_P(TrainingLoaderTest, BatchesOfAllRanksAreTheGlobalBatch) {
  TrainingLoader plain(set_, view(), with(options(11, 0)));
  const std::vector<Batch> expected = take(plain, 6);
  for (const std::int64_t world : {1, 2, 3, 4, 11}) {
    std::vector<std::unique_ptr<TrainingLoader>> ranks;
    for (std::int64_t rank = 0; rank < world; ++rank) {
      LoaderOptions o = with(options(11, static_cast<int>(rank % 3)));
      o.rank = rank;
      o.world = world;
      ranks.push_back(std::make_unique<TrainingLoader>(set_, view(), o));
    }
    for (const Batch& whole : expected) {
      Batch joined;
      const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
      for (std::int64_t rank = 0; rank < world; ++rank) {
        const Batch part = ranks[static_cast<std::size_t>(rank)]->next();
        EXPECT_EQ(part.n(), (rank + 1) * 11 / world - rank * 11 / world);
        joined.epoch = part.epoch;
        joined.number = part.number;
        append(joined.indices, part.indices);
        append(joined.images, part.images);
        append(joined.labels, part.labels);
        append(joined.labels_b, part.labels_b);
        append(joined.lambda, part.lambda);
      }
      ASSERT_TRUE(same(joined, whole)) << world;
    }
  }
}

TEST_P(TrainingLoaderTest, CorruptImagesAreReplacedAndRecorded) {
  LoaderOptions o = with(options(53, 2));
  o.shuffle = false;
  TrainingLoader loader(set_, view(), o);
  EXPECT_TRUE(loader.broken().empty());
  for (int epoch = 0; epoch < 2; ++epoch) {
    const Batch batch = loader.next();
    std::vector<std::int64_t> expected(53);
    std::iota(expected.begin(), expected.end(), std::int64_t{0});
    expected[7] = expected[8] = 9;
    expected[30] = 31;
    EXPECT_EQ(batch.indices, expected);
    for (std::size_t i = 0; i < 53; ++i) EXPECT_EQ(batch.labels[i], expected[i] % 3);
    const std::vector<CorruptImage> broken = loader.broken();
    ASSERT_EQ(broken.size(), 3U);
    EXPECT_EQ(broken[0].name, "image 007");
    EXPECT_EQ(broken[0].why, "cut");
    EXPECT_EQ(broken[2].name, "image 030");
  }
}

TEST(TrainingLoader, MixingReturnsBothLabelsAndLambda) {
  const auto set = std::make_shared<FakeSet>(9);
  vision::TrainingView plain_view = view();
  TrainingLoader plain(set, plain_view, options(9, 0));
  LoaderOptions o = options(9, 1);
  o.mixup = 0.4;
  TrainingLoader mixed(set, plain_view, o);
  const Batch a = plain.next(), b = mixed.next();
  EXPECT_TRUE(a.lambda.empty());
  ASSERT_EQ(b.lambda.size(), 9U);
  EXPECT_EQ(b.labels, a.labels);
  const std::size_t floats = a.images.size() / 9;
  for (std::size_t i = 0; i < 9; ++i) {
    const std::size_t partner = i == 8 ? 8 : i ^ 1;
    const float own = b.lambda[i];
    EXPECT_EQ(own == 1, i == 8);
    EXPECT_EQ(b.labels_b[i], a.labels[partner]);
    for (std::size_t k = 0; k < floats; ++k) {
      const float expected = i == 8 ? a.images[i * floats + k]
                                    : own * a.images[i * floats + k] + (1 - own) * a.images[partner * floats + k];
      ASSERT_EQ(b.images[i * floats + k], expected);
    }
  }
}

TEST(TrainingLoader, DatasetSmallerThanABatchIsOneBatch) {
  TrainingLoader loader(std::make_shared<FakeSet>(5), view(), options(32, 1));
  EXPECT_EQ(loader.batches_per_epoch(), 1);
  EXPECT_EQ(loader.next().n(), 5);
  EXPECT_EQ(loader.next().epoch, 1U);
}

template <class Loader>
std::string failure(Loader& loader) {
  try {
    for (int i = 0; i < 100; ++i) loader.next();
  } catch (const Error& error) {
    return fmt::format("{} {}", static_cast<int>(error.code()), error.what());
  }
  return "none";
}

// In a small dataset, the allowed fraction may be less than one image. Three corrupt images are always allowed, unless
// the limit is 0.
TEST(TrainingLoader, SmallDatasetsMayHaveAFewCorruptImages) {
  EXPECT_EQ(allowed_corrupt(0.01, 99), 3);
  EXPECT_EQ(allowed_corrupt(0.01, 1000), 10);
  EXPECT_EQ(allowed_corrupt(0, 99), 0);
  const auto with = [](std::vector<std::int64_t> corrupt, double limit) {
    LoaderOptions o = options(4, 1);
    o.broken_limit = limit;
    TrainingLoader training(std::make_shared<FakeSet>(12, corrupt), view(), o);
    for (int i = 0; i < 6; ++i) training.next();
    EvaluationLoader evaluation(std::make_shared<FakeSet>(12, corrupt), view().evaluation, o);
    std::int64_t seen = 0;
    while (const auto batch = evaluation.next()) seen += batch->n();
    EXPECT_EQ(evaluation.broken().size(), corrupt.size());
    EXPECT_EQ(training.broken().size(), corrupt.size());
    return seen;
  };
  EXPECT_EQ(with({5}, 0.01), 11);
  EXPECT_EQ(with({0, 1, 2}, 0.01), 9);  // consecutive images
  EXPECT_THROW(with({0, 1, 2, 7}, 0.01), Error);
  EXPECT_THROW(with({5}, 0), Error);
}

TEST(TrainingLoader, TooManyCorruptImagesAreAnError) {
  const auto set = std::make_shared<FakeSet>(40, std::vector<std::int64_t>{3, 9, 20, 33});
  std::string first;
  for (const int workers : {0, 3}) {
    LoaderOptions o = options(4, workers, 8);
    o.broken_limit = 0.08;  // 3.2 of 40 images
    TrainingLoader loader(set, view(), o);
    const std::string text = failure(loader);
    EXPECT_THAT(text, HasSubstr("3 too many corrupt images (got 4 of 40, expected at most 3); image 003: cut; "
                                "image 009: cut; image 020: cut; ..."));
    EXPECT_EQ(failure(loader), text) << "the next call throws the same error";
    if (first.empty()) first = text;
    EXPECT_EQ(text, first);
  }
  // All images are corrupt: the search for a replacement must end.
  std::vector<std::int64_t> all(10);
  std::iota(all.begin(), all.end(), std::int64_t{0});
  for (const double limit : {0.0, 0.5, 1.0}) {
    LoaderOptions o = options(4, 1);
    o.broken_limit = limit;
    TrainingLoader loader(std::make_shared<FakeSet>(10, all), view(), o);
    EXPECT_THAT(failure(loader), HasSubstr("too many corrupt images"));
  }
}

TEST(TrainingLoader, ErrorOfAWorkerIsThrownByNext) {
  for (const int workers : {0, 2}) {
    TrainingLoader loader(std::make_shared<FakeSet>(30, std::vector<std::int64_t>{}, 17), view(), options(5, workers));
    EXPECT_EQ(failure(loader), "1 image 017: a fault");
    EvaluationLoader evaluation(std::make_shared<FakeSet>(30, std::vector<std::int64_t>{}, 17), view().evaluation,
                                options(5, workers));
    EXPECT_EQ(failure(evaluation), "1 image 017: a fault");
  }
}

TEST(TrainingLoader, RejectsOptionsOutOfRange) {
  const auto set = std::make_shared<FakeSet>(10);
  const auto wrong = [&](auto change) {
    LoaderOptions o = options(4, 1);
    change(o);
    EXPECT_THROW(TrainingLoader(set, view(), o), Error);
  };
  wrong([](LoaderOptions& o) { o.world = 5; });
  wrong([](LoaderOptions& o) { o.batch = 0; });
  wrong([](LoaderOptions& o) { o.rank = 1; });
  wrong([](LoaderOptions& o) { o.rank = -1; });
  wrong([](LoaderOptions& o) { o.workers = -1; });
  wrong([](LoaderOptions& o) { o.mixup = -1; });
  wrong([](LoaderOptions& o) { o.cutmix = std::nan(""); });
  wrong([](LoaderOptions& o) { o.broken_limit = 2; });
}

// Reading an image blocks until this thread sleeps, which means that the destructor waits for the workers. A batch has
// 256 images. The destructor may wait only for the images of the two running tasks, at most 16 per task.
TEST(TrainingLoader, DestructorWaitsForRunningTasksOnly) {
  std::atomic<int> reads = 0;
  std::atomic<bool> leaving = false;
  const auto until_destructor_waits = [&, owner = testing_support::thread_id()] {
    ++reads;
    while (!leaving || !testing_support::is_asleep(owner)) std::this_thread::yield();
  };
  {
    TrainingLoader loader(std::make_shared<FakeSet>(512, std::vector<std::int64_t>{}, -1, until_destructor_waits),
                          view(), options(256, 2));
    while (reads < 2) std::this_thread::yield();
    leaving = true;
  }
  EXPECT_LE(reads, 2 * 16);
}

TEST(EvaluationLoader, EveryImageIsInOneBatchOfOneRank) {
  const auto set = std::make_shared<FakeSet>(23, std::vector<std::int64_t>{4, 12, 13});
  const Preprocessing rule = view().evaluation;
  for (const std::int64_t world : {1, 2, 4, 23}) {
    for (const int workers : {0, 1, 3}) {
      std::map<std::int64_t, int> seen;
      std::size_t corrupt = 0;
      for (std::int64_t rank = 0; rank < world; ++rank) {
        LoaderOptions o = options(6, workers);
        o.rank = rank;
        o.world = world;
        EvaluationLoader loader(set, rule, o);
        std::int64_t last = -1;
        while (const std::optional<Batch> batch = loader.next()) {
          ASSERT_GT(batch->n(), 0);
          ASSERT_LE(batch->n(), std::max<std::int64_t>(6 / world, 1));
          const std::size_t floats = 3 * 8 * 6;
          ASSERT_EQ(batch->images.size(), static_cast<std::size_t>(batch->n()) * floats);
          for (std::size_t i = 0; i < batch->indices.size(); ++i) {
            const std::int64_t index = batch->indices[i];
            EXPECT_GT(index, last);
            last = index;
            EXPECT_EQ(index % world, rank);
            EXPECT_EQ(batch->labels[i], index % 3);
            ++seen[index];
            const std::vector<float> planes =
                vision::prepare(testing_sets::noise(static_cast<std::uint64_t>(index)), rule).input;
            for (std::size_t k = 0; k < floats; ++k)
              ASSERT_EQ(batch->images[i * floats + k], planes[k % 3 * (floats / 3) + k / 3]);
          }
        }
        EXPECT_FALSE(loader.next().has_value());
        corrupt += loader.broken().size();
      }
      EXPECT_EQ(seen.size(), 20U);
      for (const auto& [index, times] : seen) EXPECT_EQ(times, 1) << index;
      EXPECT_EQ(corrupt, 3U);
    }
  }
}

TEST(EvaluationLoader, TooManyCorruptImagesAreAnError) {
  LoaderOptions o = options(4, 2);
  o.broken_limit = 0.05;
  EvaluationLoader loader(std::make_shared<FakeSet>(20, std::vector<std::int64_t>{0, 1, 7, 19}), view().evaluation, o);
  EXPECT_THAT(failure(loader), HasSubstr("got 4 of 20, expected at most 3"));
}

// A dataset of image files on disk; the other tests use a dataset of pixels in memory.
TEST(TrainingLoader, ReadsFiles) {
  const testing_sets::Folder folder;
  folder.classes("train", {"cat", "dog"}, 6, 0);
  folder.write("train/dog/zz.png", testing_sets::png(77).substr(0, 200));
  const std::shared_ptr<const Dataset> set = open_dataset(folder.root(), "train");
  TrainingLoader a(set, view(), options(13, 0)), b(set, view(), options(13, 2));
  EXPECT_TRUE(same(a.next(), b.next()));
  ASSERT_EQ(b.broken().size(), 1U);
  EXPECT_EQ(b.broken()[0].name, "train/dog/zz.png");
}

}  // namespace
}  // namespace effnet::data

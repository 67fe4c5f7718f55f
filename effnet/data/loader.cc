#include "effnet/data/loader.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/data/corrupt.h"
#include "effnet/data/mix.h"
#include "effnet/data/pipeline.h"

namespace effnet::data {
namespace {

using CorruptImages = std::map<std::int64_t, std::string>;  // index -> why

void check_options(const Dataset& set, const LoaderOptions& options, Size size) {
  if (options.world < 1 || options.rank < 0 || options.rank >= options.world)
    throw usage_error("loader: rank out of range (got rank {} of {} processes, expected 0 to {})", options.rank,
                      options.world, options.world - 1);
  if (options.batch < 1) throw usage_error("loader: batch out of range (got {}, expected at least 1)", options.batch);
  if (options.workers < 0 || options.workers > 1024)
    throw usage_error("loader: number of workers out of range (got {}, expected 0 to 1024)", options.workers);
  if (!(options.broken_limit >= 0 && options.broken_limit <= 1))
    throw usage_error("loader: limit of corrupt images out of range (got {}, expected a fraction from 0 to 1)",
                      options.broken_limit);
  for (const double alpha : {options.mixup, options.cutmix}) {
    if (!(alpha >= 0 && alpha <= 1000))
      throw usage_error("loader: alpha of mixup or CutMix out of range (got {}, expected 0 to 1000)", alpha);
  }
  if (size.h < 1 || size.w < 1)
    throw usage_error("loader: input size out of range (got {}x{}, expected at least 1x1)", size.h, size.w);
  if (set.size() < 1) throw input_error("loader: no images (got an empty dataset)");
}

// Returns the number of rows per task: 1 for images of 224 px, up to 16 for small images. A task of one small image
// would be too short compared with the time that a thread needs to take a task.
std::int64_t task_rows(std::int64_t rows, Size size, int workers) {
  constexpr std::int64_t kPixels = 1 << 14;
  return std::clamp<std::int64_t>(
      std::min(rows / (std::int64_t{4} * std::max(workers, 1)), kPixels / (std::int64_t{size.h} * size.w)), 1, 16);
}

// Reads image `index` and calls make(content), which writes a row of the batch. If the image is corrupt, returns false
// and adds the image to `found`.
template <class Make>
bool make_row(const Dataset& set, std::int64_t index, CorruptCache& cache, std::mutex& mutex, CorruptImages& found,
              const Make& make) {
  std::optional<std::string> why = cache.why(index);
  if (!why) {
    try {
      const ImageData content = set.read(index);
      std::visit(make, content);
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw error.in(set.name(index));
      why = error.what();
      cache.add(index, *why);
    }
  }
  const std::lock_guard lock(mutex);
  found.emplace(index, std::move(*why));
  return false;
}

// The data of a loader that its threads share.
struct Shared {
  std::shared_ptr<const Dataset> set;
  LoaderOptions options;
  Size size;
  CorruptCache corrupt;
  std::size_t row_floats() const { return static_cast<std::size_t>(3 * size.h * size.w); }
};

class BatchJob : public Job {
 public:
  BatchJob(Shared& shared, std::int64_t rows)
      : shared_(shared), rows_(rows), task_rows_(task_rows(rows, shared.size, shared.options.workers)) {
    batch.indices.resize(static_cast<std::size_t>(rows));
    batch.labels.resize(static_cast<std::size_t>(rows));
  }

  Batch batch;
  CorruptImages found;  // the corrupt images of this batch

  std::int64_t tasks() const override { return (rows_ + task_rows_ - 1) / task_rows_; }
  void make(std::int64_t task) override {
    // The constructor does not allocate, because the pipeline holds its lock during begin(), and clearing this memory
    // takes long: it is 77 MB for 128 images of 224 px.
    std::call_once(allocated_, [this] { batch.images.resize(batch.labels.size() * shared_.row_floats()); });
    for (std::int64_t row = task * task_rows_; row < std::min((task + 1) * task_rows_, rows_); ++row) make_one(row);
  }

 protected:
  virtual void make_one(std::int64_t row) = 0;
  std::span<float> image(std::int64_t row) {
    return std::span(batch.images).subspan(static_cast<std::size_t>(row) * shared_.row_floats(), shared_.row_floats());
  }
  Shared& shared_;
  std::int64_t rows_;
  std::mutex mutex_;

 private:
  std::int64_t task_rows_;
  std::once_flag allocated_;
};

// Rows of the global batch. A rank makes its own rows, and a neighbouring row of another rank if it is mixed with one
// of them.
struct Rows {
  std::int64_t begin = 0, end = 0;            // rows that are made
  std::int64_t rank_begin = 0, rank_end = 0;  // rows that are returned
};

class TrainingJob final : public BatchJob {
 public:
  TrainingJob(Shared& shared, const vision::TrainingView& view, const Rows& rows, std::span<const std::int64_t> order,
              std::uint64_t epoch, std::int64_t number)
      : BatchJob(shared, rows.end - rows.begin), view_(view), rows_of_batch_(rows) {
    batch.epoch = epoch;
    batch.number = number;
    std::copy_n(order.begin() + rows.begin, rows_, batch.indices.begin());
  }

  void finish() override {
    const LoaderOptions& options = shared_.options;
    const RandomKey key{options.seed, batch.epoch, static_cast<std::uint64_t>(batch.number)};
    const Mix mix = draw_mix(options.mixup, options.cutmix, shared_.size, key);
    if (mix.kind != Mix::Kind::none) mix_neighbours(mix);
    drop_partners();
  }

 private:
  void make_one(std::int64_t row) override {
    const auto at = static_cast<std::size_t>(row);
    const std::int64_t n = shared_.set->size();
    CorruptImages tried;
    for (std::int64_t index = batch.indices[at];; index = (index + 1) % n) {
      const RandomKey key{shared_.options.seed, batch.epoch, static_cast<std::uint64_t>(index)};
      const bool good = make_row(*shared_.set, index, shared_.corrupt, mutex_, tried, [&](const auto& content) {
        vision::make_training_input(content, view_, key, image(row));
      });
      if (good) {
        batch.indices[at] = index;
        batch.labels[at] = shared_.set->label(index);
        break;
      }
      // More consecutive images are corrupt than the whole dataset may have. A longer search could read the whole
      // dataset.
      if (static_cast<std::int64_t>(tried.size()) > allowed_corrupt(shared_.options.broken_limit, n) ||
          static_cast<std::int64_t>(tried.size()) == n) {
        throw too_many_corrupt(*shared_.set, tried, shared_.options.broken_limit);
      }
    }
    const std::lock_guard lock(mutex_);
    found.merge(tried);
  }

  void mix_neighbours(const Mix& mix) {
    batch.labels_b = batch.labels;
    batch.lambda.assign(batch.labels.size(), 1);
    for (std::int64_t global = rows_of_batch_.begin; global + 1 < rows_of_batch_.end; global += 2) {
      const std::int64_t row = global - rows_of_batch_.begin;
      const auto a = static_cast<std::size_t>(row), b = a + 1;
      mix_pair(mix, shared_.size, image(row), image(row + 1));
      batch.labels_b[a] = batch.labels[b];
      batch.labels_b[b] = batch.labels[a];
      batch.lambda[a] = batch.lambda[b] = mix.lambda;
    }
  }

  void drop_partners() {
    const std::int64_t before = rows_of_batch_.rank_begin - rows_of_batch_.begin;
    const std::int64_t n = rows_of_batch_.rank_end - rows_of_batch_.rank_begin;
    if (n == rows_) return;
    const auto keep = [&](auto& values, std::int64_t each) {
      if (values.empty()) return;
      values.erase(values.begin() + (before + n) * each, values.end());
      values.erase(values.begin(), values.begin() + before * each);
    };
    keep(batch.indices, 1);
    keep(batch.labels, 1);
    keep(batch.labels_b, 1);
    keep(batch.lambda, 1);
    keep(batch.images, static_cast<std::int64_t>(shared_.row_floats()));
  }

  const vision::TrainingView& view_;
  Rows rows_of_batch_;
};

class EvaluationJob final : public BatchJob {
 public:
  EvaluationJob(Shared& shared, const Preprocessing& rule, std::int64_t first, std::int64_t rows, std::int64_t number)
      : BatchJob(shared, rows), rule_(rule), good_(static_cast<std::size_t>(rows)) {
    batch.number = number;
    for (std::int64_t i = 0; i < rows; ++i)
      batch.indices[static_cast<std::size_t>(i)] = shared.options.rank + (first + i) * shared.options.world;
  }

  // Removes the rows of corrupt images from the batch.
  void finish() override {
    std::int64_t kept = 0;
    for (std::int64_t row = 0; row < rows_; ++row) {
      const auto from = static_cast<std::size_t>(row), to = static_cast<std::size_t>(kept);
      if (good_[from] == 0) continue;
      if (kept++ == row) continue;
      batch.indices[to] = batch.indices[from];
      batch.labels[to] = batch.labels[from];
      std::ranges::copy(image(row), image(kept - 1).begin());
    }
    batch.indices.resize(static_cast<std::size_t>(kept));
    batch.labels.resize(static_cast<std::size_t>(kept));
    batch.images.resize(static_cast<std::size_t>(kept) * shared_.row_floats());
  }

 private:
  void make_one(std::int64_t row) override {
    const auto at = static_cast<std::size_t>(row);
    const std::int64_t index = batch.indices[at];
    batch.labels[at] = shared_.set->label(index);
    good_[at] = make_row(*shared_.set, index, shared_.corrupt, mutex_, found,
                         [&](const auto& content) { vision::make_evaluation_input(content, rule_, image(row)); });
  }

  const Preprocessing& rule_;
  std::vector<char> good_;  // not vector<bool>: threads write neighbouring elements at the same time
};

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint64_t epoch, bool shuffle) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (!shuffle) return order;
  for (std::int64_t i = n - 1; i > 0; --i) {  // Fisher-Yates shuffle; each swap has its own random key
    const std::int64_t j = Draws({seed, epoch, static_cast<std::uint64_t>(i)}, "epoch order").below(i + 1);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

struct TrainingLoader::Impl {
  Shared shared;
  vision::TrainingView view;
  std::int64_t global = 0, batches = 0;
  Rows rows;
  std::uint64_t order_epoch = 0;
  std::vector<std::int64_t> order;  // the order of the images in epoch order_epoch; used only by begin()
  CorruptLog log;
  std::exception_ptr failure;
  std::unique_ptr<Pipeline> pipeline;  // the last member, so that it is destroyed first: its threads use the others

  Impl(std::shared_ptr<const Dataset> set, const vision::TrainingView& the_view, LoaderOptions options)
      : shared{std::move(set), options, the_view.evaluation.crop, {}},
        view(the_view),
        log(*shared.set, options.broken_limit) {
    check_options(*shared.set, options, shared.size);
    const std::int64_t n = shared.set->size();
    global = std::min(options.batch, n);
    if (global < options.world) {
      throw usage_error(
          "loader: the batch is smaller than the number of processes (got a batch of {} from {} images, expected at "
          "least {} of both)",
          options.batch, n, options.world);
    }
    batches = n / global;
    rows.rank_begin = options.rank * global / options.world;
    rows.rank_end = (options.rank + 1) * global / options.world;
    rows.begin = rows.rank_begin;
    rows.end = rows.rank_end;
    if (options.mixup > 0 || options.cutmix > 0) {
      rows.begin -= rows.begin % 2;
      rows.end = std::min(rows.end + rows.end % 2, global);
    }
    pipeline = std::make_unique<Pipeline>(options.workers, options.ahead,
                                          [this](std::uint64_t number) { return begin(number); });
  }

  std::unique_ptr<Job> begin(std::uint64_t number) {
    const auto per_epoch = static_cast<std::uint64_t>(batches);
    const std::uint64_t epoch = number / per_epoch;
    const auto batch = static_cast<std::int64_t>(number % per_epoch);
    if (order.empty() || epoch != order_epoch) {
      order = epoch_order(shared.set->size(), shared.options.seed, epoch, shared.options.shuffle);
      order_epoch = epoch;
    }
    const auto of_batch = std::span<const std::int64_t>(order).subspan(static_cast<std::size_t>(batch * global),
                                                                       static_cast<std::size_t>(global));
    return std::make_unique<TrainingJob>(shared, view, rows, of_batch, epoch, batch);
  }
};

TrainingLoader::TrainingLoader(std::shared_ptr<const Dataset> set, const vision::TrainingView& view,
                               LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(set), view, options)) {}
TrainingLoader::~TrainingLoader() = default;

std::int64_t TrainingLoader::batches_per_epoch() const { return impl_->batches; }

void TrainingLoader::seek(std::uint64_t epoch, std::int64_t batch) {
  EFFNET_CHECK(batch >= 0 && batch <= impl_->batches);
  impl_->failure = nullptr;
  impl_->pipeline->seek(epoch * static_cast<std::uint64_t>(impl_->batches) + static_cast<std::uint64_t>(batch));
}

Batch TrainingLoader::next() {
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  const std::unique_ptr<Job> job = impl_->pipeline->next();
  auto& made = static_cast<TrainingJob&>(*job);
  try {
    impl_->log.add(made.found);
  } catch (...) {
    impl_->failure = std::current_exception();
    throw;
  }
  return std::move(made.batch);
}

std::vector<CorruptImage> TrainingLoader::broken() const { return impl_->log.list(); }

struct EvaluationLoader::Impl {
  Shared shared;
  Preprocessing rule;
  std::int64_t images = 0, rows = 0;  // images of this rank; rows per batch
  CorruptLog log;
  std::exception_ptr failure;
  std::unique_ptr<Pipeline> pipeline;

  Impl(std::shared_ptr<const Dataset> set, Preprocessing the_rule, LoaderOptions options)
      : shared{std::move(set), options, the_rule.crop, {}},
        rule(std::move(the_rule)),
        log(*shared.set, options.broken_limit) {
    check_options(*shared.set, options, shared.size);
    images = (shared.set->size() - options.rank + options.world - 1) / options.world;
    rows = std::max<std::int64_t>(options.batch / options.world, 1);
    pipeline = std::make_unique<Pipeline>(options.workers, options.ahead, [this](std::uint64_t number) {
      const std::int64_t first = static_cast<std::int64_t>(number) * rows;
      const std::int64_t count = std::min(rows, images - first);
      return count <= 0
                 ? std::unique_ptr<Job>{}
                 : std::make_unique<EvaluationJob>(shared, rule, first, count, static_cast<std::int64_t>(number));
    });
  }
};

EvaluationLoader::EvaluationLoader(std::shared_ptr<const Dataset> set, Preprocessing rule, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(set), std::move(rule), options)) {}
EvaluationLoader::~EvaluationLoader() = default;

std::optional<Batch> EvaluationLoader::next() {
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  while (const std::unique_ptr<Job> job = impl_->pipeline->next()) {
    auto& made = static_cast<EvaluationJob&>(*job);
    try {
      impl_->log.add(made.found);
    } catch (...) {
      impl_->failure = std::current_exception();
      throw;
    }
    if (made.batch.n() > 0) return std::move(made.batch);
  }
  return {};
}

std::vector<CorruptImage> EvaluationLoader::broken() const { return impl_->log.list(); }

}  // namespace effnet::data

#include "effnet/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {
namespace {

constexpr int kMostThreads = 1024;
// Pieces per thread: a thread that the system delays by up to a quarter of its share does not hold up the others.
constexpr std::int64_t kPiecesPerThread = 4;

thread_local bool inside_body = false;

// One parallel_for; it lives on the caller's stack.
struct Job {
  const ThreadPool::Body& body;
  std::int64_t n;
  std::int64_t piece;
  std::atomic<std::int64_t> next{0};  // at most n + threads * piece: no overflow while n <= 2^62
  std::mutex error_mutex = {};
  std::exception_ptr error = {};

  void work() noexcept {
    inside_body = true;
    for (;;) {
      const std::int64_t begin = next.fetch_add(piece, std::memory_order_relaxed);
      if (begin >= n) break;
      try {
        body(begin, std::min(n, begin + piece));
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next.store(n, std::memory_order_relaxed);
      }
    }
    inside_body = false;
  }
};

}  // namespace

struct ThreadPool::Impl {
  std::mutex call;  // held by the one parallel_for that runs
  std::mutex mutex;
  std::condition_variable wake;  // workers wait for a job
  std::condition_variable done;  // the caller waits for the workers that joined its job
  Job* job = nullptr;
  std::uint64_t generation = 0;  // so that a worker joins a job once
  int active = 0;
  bool stop = false;
  std::vector<std::thread> workers;

  void serve() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stop || (job != nullptr && generation != seen); });
      if (stop) return;
      seen = generation;
      Job* const mine = job;
      ++active;
      lock.unlock();
      mine->work();
      lock.lock();
      if (--active == 0) done.notify_one();
    }
  }

  void join_all() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads < 1 || threads > kMostThreads) {
    throw usage_error("number of threads out of range (got {}, expected 1 to {})", threads, kMostThreads);
  }
  impl_->workers.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) impl_->workers.emplace_back([impl = impl_.get()] { impl->serve(); });
  } catch (const std::system_error& error) {
    impl_->join_all();
    throw environment_error("cannot start {} threads ({})", threads, error.code().message());
  } catch (...) {  // out of memory: a thread that is not joined would end the process
    impl_->join_all();
    throw;
  }
}

ThreadPool::~ThreadPool() { impl_->join_all(); }

int ThreadPool::threads() const noexcept { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::parallel_for(std::int64_t n, const Body& body, std::int64_t grain) {
  if (n <= 0) return;
  EFFNET_CHECK(n <= (std::int64_t{1} << 62));
  grain = std::max<std::int64_t>(grain, 1);
  if (inside_body || impl_->workers.empty() || n <= grain) {
    body(0, n);
    return;
  }

  const std::int64_t pieces = threads() * kPiecesPerThread;
  const std::lock_guard call(impl_->call);
  Job job{.body = body, .n = n, .piece = std::max(grain, (n - 1) / pieces + 1)};
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->job = &job;
    ++impl_->generation;
  }
  impl_->wake.notify_all();
  job.work();
  {
    // Workers that have not woken by now find no job and sleep on; only those inside are waited for.
    std::unique_lock lock(impl_->mutex);
    impl_->job = nullptr;
    impl_->done.wait(lock, [&] { return impl_->active == 0; });
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace effnet

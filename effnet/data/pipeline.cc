#include "effnet/data/pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::data {
namespace {

// A begun job. Threads hold it by shared_ptr, so that seek() can drop it while they run one of its tasks.
struct Slot {
  std::unique_ptr<Job> job;  // null: there is no further job, or begin() threw
  std::int64_t claimed = 0;  // tasks that threads have taken
  std::int64_t left = 0;     // tasks that are not finished
  bool done = false;
  bool dropped = false;
  std::exception_ptr failure;
};

}  // namespace

struct Pipeline::Impl {
  Begin begin;
  std::size_t ahead;
  std::mutex mutex;
  std::condition_variable work_available, job_done;
  std::deque<std::shared_ptr<Slot>> slots;  // begun and not yet returned, in order
  std::uint64_t number = 0;                 // number of the next job to begin
  bool ended = false;                       // the last job was begun, or begin() threw
  bool stopping = false;
  std::vector<std::thread> threads;

  Impl(Begin function, std::int64_t jobs_ahead)
      : begin(std::move(function)), ahead(static_cast<std::size_t>(std::max<std::int64_t>(jobs_ahead, 1))) {}

  // The caller must hold the mutex.
  void begin_job() {
    auto slot = std::make_shared<Slot>();
    try {
      slot->job = begin(number++);
      if (slot->job != nullptr) slot->left = slot->job->tasks();
    } catch (...) {
      slot->failure = std::current_exception();
    }
    if (slot->job == nullptr) {
      slot->done = true;
      ended = true;
      job_done.notify_all();
    }
    slots.push_back(std::move(slot));
  }

  // Returns the earliest job that has a task to take. If there is none and fewer than `ahead` jobs are begun, begins a
  // new job. Returns null if there is nothing to do. The caller must hold the mutex.
  std::shared_ptr<Slot> claimable() {
    for (const std::shared_ptr<Slot>& slot : slots) {
      if (slot->job != nullptr && !slot->failure && slot->claimed < slot->job->tasks()) return slot;
    }
    if (ended || slots.size() >= ahead) return nullptr;
    begin_job();
    return slots.back()->job != nullptr ? slots.back() : nullptr;
  }

  // Runs one task. `lock` is released while the task runs.
  void work(const std::shared_ptr<Slot>& slot, std::unique_lock<std::mutex>& lock) {
    const std::int64_t task = slot->claimed++;
    std::exception_ptr failure;
    lock.unlock();
    try {
      slot->job->make(task);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !slot->failure) slot->failure = failure;
    if (--slot->left == 0 && !slot->failure && !slot->dropped) {
      lock.unlock();
      try {
        slot->job->finish();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) slot->failure = failure;
    }
    // A failed job is done at once: threads do not take its remaining tasks.
    if (slot->failure || slot->left == 0) {
      slot->done = true;
      job_done.notify_all();
    }
  }

  void thread_body() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (const std::shared_ptr<Slot> slot = claimable()) {
        work(slot, lock);
      } else {
        work_available.wait(lock);
      }
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work_available.notify_all();
    for (std::thread& thread : threads) thread.join();
  }
};

Pipeline::Pipeline(int workers, std::int64_t ahead, Begin begin)
    : impl_(std::make_unique<Impl>(std::move(begin), ahead)) {
  try {
    for (int i = 0; i < workers; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->thread_body(); });
  } catch (const std::system_error& error) {
    impl_->stop();
    throw environment_error("cannot start a loader thread (got {} threads, expected {}: {})", impl_->threads.size(),
                            workers, error.what());
  }
}

Pipeline::~Pipeline() { impl_->stop(); }

void Pipeline::seek(std::uint64_t number) {
  {
    const std::lock_guard lock(impl_->mutex);
    for (const std::shared_ptr<Slot>& slot : impl_->slots) slot->dropped = true;
    impl_->slots.clear();
    impl_->number = number;
    impl_->ended = false;
  }
  impl_->work_available.notify_all();
}

std::unique_ptr<Job> Pipeline::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->threads.empty()) {
    if (impl_->slots.empty()) impl_->begin_job();
    const std::shared_ptr<Slot> slot = impl_->slots.front();
    while (!slot->done) impl_->work(slot, lock);
  }
  impl_->job_done.wait(lock, [&] { return !impl_->slots.empty() && impl_->slots.front()->done; });
  const std::shared_ptr<Slot> slot = impl_->slots.front();
  if (slot->failure) std::rethrow_exception(slot->failure);
  if (slot->job == nullptr) return nullptr;
  impl_->slots.pop_front();
  lock.unlock();
  impl_->work_available.notify_all();
  return std::move(slot->job);
}

}  // namespace effnet::data

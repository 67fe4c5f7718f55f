// How a step runs. The caller stores the task function, stores the number of tasks of each range in the range's
// `unclaimed`, and increments `generation`, on which the members wait. Then every member, the caller included, claims
// tasks by decrementing `unclaimed`: first of its own range, then of the common range, then of other members' ranges.
// A member whose decrement returns r > 0 owns task `end - r`. The caller returns from step() when `pending`, the number
// of unfinished tasks, is 0.
//
// A member may be late by any time, because the system may suspend it after it saw the new generation. This is safe: a
// member reads the data of a step only after it has claimed a task, and a step with a claimed task has not ended. So a
// late member either claims a task of the current step or finds no unclaimed task, no matter which generation it saw.
// And no step waits for members that have claimed nothing.
#include "effnet/base/thread_team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#include "effnet/base/error.h"

namespace effnet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxMembers = 1024;
// Two cache lines: the prefetcher of some CPUs fetches lines in pairs.
constexpr std::size_t kLine = 128;
// Number of other members' ranges in which a member looks for tasks at the end. The caller looks in all.
constexpr int kHelpedRanges = 8;
// How long a thread spins before it sleeps. Waking a sleeping thread takes about as long. So, in the worst case,
// spinning doubles the lost time.
constexpr auto kSpinTime = std::chrono::microseconds(50);

#if defined(__x86_64__) || defined(__i386__)
constexpr unsigned kFlushDenormals = 0x8040;  // FTZ (results) and DAZ (operands) of MXCSR

unsigned flush_denormals() noexcept {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kFlushDenormals);
  return before;
}
void restore(unsigned state) noexcept { _mm_setcsr(state); }
void pause() noexcept { _mm_pause(); }
#elif defined(__aarch64__)
constexpr unsigned kFlushDenormals = 1U << 24;  // FZ (results and operands) of FPCR, whose upper half is reserved

void restore(unsigned state) noexcept { asm volatile("msr fpcr, %0" : : "r"(std::uint64_t{state})); }
unsigned flush_denormals() noexcept {
  std::uint64_t before = 0;
  asm volatile("mrs %0, fpcr" : "=r"(before));
  restore(static_cast<unsigned>(before) | kFlushDenormals);
  return static_cast<unsigned>(before);
}
// `yield` does nothing on most cores. `isb` takes about as long as the pause instruction of x86.
void pause() noexcept { asm volatile("isb" : : : "memory"); }
#else
unsigned flush_denormals() noexcept { return 0; }
void restore(unsigned) noexcept {}
void pause() noexcept { std::this_thread::yield(); }
#endif

// Spins until `ready()` is true, at most for kSpinTime. Returns whether it became true.
template <class Ready>
bool spin_until(const Ready& ready) noexcept {
  const auto poll = [&] {
    for (int i = 0; i < 32; ++i) {  // about 0.3 to 1 us, so that reading the clock takes a small part of the time
      if (ready()) return true;
      pause();
    }
    return false;
  };
  if (poll()) return true;
  const Clock::time_point end = Clock::now() + kSpinTime;
  while (Clock::now() < end) {
    if (poll()) return true;
  }
  return false;
}

}  // namespace

struct ThreadTeam::Impl {
  // Written by the caller only: incremented at each run, at each step that more than one member works on, and at the
  // team's end.
  alignas(kLine) std::atomic<std::uint32_t> generation{0};
  std::atomic<bool> stop{false};

  // The tasks [end - unclaimed, end). `unclaimed` may become slightly negative: several members may try to claim the
  // last task at the same time.
  struct alignas(kLine) Range {
    std::atomic<std::int64_t> unclaimed{0};
    std::int64_t end = 0;
  };

  Impl(int count, Denormals kind) : members(count), denormals(kind), ranges(static_cast<std::size_t>(count) + 1) {}
  const int members;
  const Denormals denormals;
  std::vector<Range> ranges;  // one per member, then the common range

  // The current step.
  alignas(kLine) Run::Task task = nullptr;
  void* context = nullptr;

  alignas(kLine) std::atomic<std::int64_t> pending{0};
  std::atomic<std::uint32_t> caller_sleeps{0};

  // Number of members that sleep or are about to. While it is 0, all members spin, and a step needs no system call.
  alignas(kLine) std::atomic<std::uint32_t> sleepers{0};

  alignas(kLine) std::vector<std::thread> workers;

  // A member increments `sleepers` and then reads `generation` again; this function increments `generation` and then
  // reads `sleepers`. All four operations are seq_cst, so they have one order: either the member sees the new
  // generation, or this function sees the member and wakes it. If the generation changes between the member's read and
  // its sleep, wait() returns at once, because the kernel compares the value again.
  void increment_generation() noexcept {
    generation.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) != 0) generation.notify_all();
  }

  std::uint32_t next_generation(std::uint32_t seen) noexcept {
    const auto changed = [&] { return generation.load(std::memory_order_acquire) != seen; };
    if (!spin_until(changed)) {
      sleepers.fetch_add(1, std::memory_order_seq_cst);
      generation.wait(seen, std::memory_order_seq_cst);
      sleepers.fetch_sub(1, std::memory_order_relaxed);
    }
    return generation.load(std::memory_order_acquire);
  }

  void work(int member) noexcept {
    // All tasks counted in `finished` belong to one step: the step cannot end before they are subtracted from `pending`
    // below. Data of the step is read only after a task has been claimed.
    std::int64_t finished = 0;
    const auto run_tasks_of = [&](int range_index) {
      Range& range = ranges[static_cast<std::size_t>(range_index)];
      while (range.unclaimed.load(std::memory_order_relaxed) > 0) {
        const std::int64_t left = range.unclaimed.fetch_sub(1, std::memory_order_acquire);
        if (left <= 0) break;
        task(context, range.end - left, member);
        ++finished;
      }
    };
    run_tasks_of(member);
    run_tasks_of(members);  // the common range
    const int others = member == 0 ? members - 1 : std::min(members - 1, kHelpedRanges);
    for (int i = 1; i <= others; ++i) run_tasks_of((member + i) % members);
    if (finished == 0) return;
    // The same protocol as for the generation: the caller sets `caller_sleeps` before it reads `pending` again. If a
    // late member wakes the caller in a later step, nothing goes wrong, because the caller checks `pending` again.
    if (pending.fetch_sub(finished, std::memory_order_seq_cst) != finished) return;
    if (caller_sleeps.load(std::memory_order_seq_cst) == 0) return;
    caller_sleeps.store(0, std::memory_order_seq_cst);
    caller_sleeps.notify_one();
  }

  void wait_for_members() noexcept {
    const auto finished = [&] { return pending.load(std::memory_order_acquire) == 0; };
    if (spin_until(finished)) return;
    while (pending.load(std::memory_order_seq_cst) != 0) {
      caller_sleeps.store(1, std::memory_order_seq_cst);
      if (pending.load(std::memory_order_seq_cst) != 0) caller_sleeps.wait(1, std::memory_order_seq_cst);
      caller_sleeps.store(0, std::memory_order_relaxed);
    }
  }

  void serve(int member) noexcept {
    if (denormals == Denormals::flush) flush_denormals();
    std::uint32_t seen = 0;
    for (;;) {
      seen = next_generation(seen);
      if (stop.load(std::memory_order_relaxed)) return;
      work(member);
    }
  }

  void join_all() noexcept {
    stop.store(true, std::memory_order_relaxed);
    increment_generation();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadTeam::ThreadTeam(int members, Denormals denormals) {
  if (members < 1 || members > kMaxMembers) {
    throw usage_error("number of threads out of range (got {}, expected 1 to {})", members, kMaxMembers);
  }
  impl_ = std::make_unique<Impl>(members, denormals);
  impl_->workers.reserve(static_cast<std::size_t>(members - 1));
  try {
    for (int i = 1; i < members; ++i) impl_->workers.emplace_back([impl = impl_.get(), i] { impl->serve(i); });
  } catch (const std::system_error& error) {
    impl_->join_all();
    throw environment_error("cannot start {} threads ({})", members, error.code().message());
  } catch (...) {  // out of memory. Join first: destroying a std::thread that is not joined ends the process.
    impl_->join_all();
    throw;
  }
}

ThreadTeam::~ThreadTeam() { impl_->join_all(); }

int ThreadTeam::members() const noexcept { return impl_->members; }

ThreadTeam::Run::Run(ThreadTeam& team) noexcept : team_(team) {
  if (team_.impl_->denormals == Denormals::flush) saved_state_ = flush_denormals();
  if (!team_.impl_->workers.empty()) team_.impl_->increment_generation();
}

ThreadTeam::Run::~Run() {
  if (team_.impl_->denormals == Denormals::flush) restore(saved_state_);
}

void ThreadTeam::Run::step(std::int64_t tasks, std::int64_t common, Task task, void* context) noexcept {
  Impl& impl = *team_.impl_;
  if (tasks <= 1 || impl.workers.empty()) {
    for (std::int64_t i = 0; i < tasks; ++i) task(context, i, 0);
    return;
  }
  impl.task = task;
  impl.context = context;
  impl.pending.store(tasks, std::memory_order_relaxed);
  const std::int64_t assigned = tasks - common;
  std::int64_t begin = 0;
  for (int i = 0; i <= impl.members; ++i) {
    Impl::Range& range = impl.ranges[static_cast<std::size_t>(i)];
    range.end = i < impl.members ? team_.range_begin(assigned, i + 1) : tasks;
    range.unclaimed.store(range.end - begin, std::memory_order_release);
    begin = range.end;
  }
  impl.increment_generation();
  impl.work(0);
  impl.wait_for_members();
}

}  // namespace effnet

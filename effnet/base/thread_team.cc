// How a step runs. The caller writes what to do, the number of tasks of each share to its `unclaimed`, and raises
// `generation`, which the members watch. Everyone then takes tasks by counting `unclaimed` down, of the own share, the
// common one, the others': whoever gets r > 0 owns task `end - r`. The caller leaves step() when `pending`, the tasks
// not yet finished, is 0.
//
// A member may come late by any time: the system took its core after it saw the generation. It cannot do harm, because
// what a step is about is read only by the owner of a task, and a step with an owned task has not ended. So a late
// member either gets a task of the step that runs now or finds the counts used up, whatever generation it came for; and
// no step waits for members that own nothing.
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

constexpr int kMostMembers = 1024;
// Two cache lines: the prefetcher of some CPUs fetches them in pairs.
constexpr std::size_t kLine = 128;
// Others' shares that a member looks at in the end; the caller looks at all.
constexpr int kHelped = 8;
// Waking a sleeping thread costs about this much, so watching longer can at most double what is lost.
constexpr auto kWatch = std::chrono::microseconds(50);

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
// `yield` does nothing on most cores; `isb` takes about as long as x86's pause.
void pause() noexcept { asm volatile("isb" : : : "memory"); }
#else
unsigned flush_denormals() noexcept { return 0; }
void restore(unsigned) noexcept {}
void pause() noexcept { std::this_thread::yield(); }
#endif

// Waits for `ready()` without giving up the core, for kWatch at most; returns whether it came.
template <class Ready>
bool watch(const Ready& ready) noexcept {
  const auto look = [&] {
    for (int i = 0; i < 32; ++i) {  // some 0.3 to 1 us, so that reading the clock is a small part
      if (ready()) return true;
      pause();
    }
    return false;
  };
  if (look()) return true;
  const Clock::time_point end = Clock::now() + kWatch;
  while (Clock::now() < end) {
    if (look()) return true;
  }
  return false;
}

}  // namespace

struct ThreadTeam::Impl {
  // Written by the caller only. Raised by every shared step, every run and the end.
  alignas(kLine) std::atomic<std::uint32_t> generation{0};
  std::atomic<bool> stop{false};

  // Tasks before `end`. `unclaimed` goes below 0 by a few: each member tries once too often now and then.
  struct alignas(kLine) Share {
    std::atomic<std::int64_t> unclaimed{0};
    std::int64_t end = 0;
  };

  Impl(int count, Denormals kind) : members(count), denormals(kind), shares(static_cast<std::size_t>(count) + 1) {}
  const int members;
  const Denormals denormals;
  std::vector<Share> shares;  // by member; the last is the common one

  // The step.
  alignas(kLine) Run::Task task = nullptr;
  void* context = nullptr;

  alignas(kLine) std::atomic<std::int64_t> pending{0};
  std::atomic<std::uint32_t> caller_sleeps{0};

  // Members that sleep or are about to, so that a step costs no system call while all of them watch.
  alignas(kLine) std::atomic<std::uint32_t> sleepers{0};

  alignas(kLine) std::vector<std::thread> workers;

  // A member announces its sleep and then looks at the generation once more; here the generation is raised before
  // the announcements are read. All four in one order (seq_cst), so either the member sees the new generation or this
  // sees the member; and between its last look and its sleep the system compares again.
  void raise_generation() noexcept {
    generation.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) != 0) generation.notify_all();
  }

  std::uint32_t next_generation(std::uint32_t seen) noexcept {
    const auto raised = [&] { return generation.load(std::memory_order_acquire) != seen; };
    if (!watch(raised)) {
      sleepers.fetch_add(1, std::memory_order_seq_cst);
      generation.wait(seen, std::memory_order_seq_cst);
      sleepers.fetch_sub(1, std::memory_order_relaxed);
    }
    return generation.load(std::memory_order_acquire);
  }

  void work(int member) noexcept {
    // All tasks taken until they are reported below are of one step, since it cannot end before. Nothing of a step is
    // read before one of its tasks is owned.
    std::int64_t finished = 0;
    const auto take = [&](int place) {
      Share& share = shares[static_cast<std::size_t>(place)];
      while (share.unclaimed.load(std::memory_order_relaxed) > 0) {
        const std::int64_t left = share.unclaimed.fetch_sub(1, std::memory_order_acquire);
        if (left <= 0) break;
        task(context, share.end - left, member);
        ++finished;
      }
    };
    take(member);
    take(members);
    const int others = member == 0 ? members - 1 : std::min(members - 1, kHelped);
    for (int i = 1; i <= others; ++i) take((member + i) % members);
    if (finished == 0) return;
    // As with the generation: the caller announces its sleep before it looks at `pending` again. A member that wakes
    // it late, in a later step, does no harm: the caller looks again.
    if (pending.fetch_sub(finished, std::memory_order_seq_cst) != finished) return;
    if (caller_sleeps.load(std::memory_order_seq_cst) == 0) return;
    caller_sleeps.store(0, std::memory_order_seq_cst);
    caller_sleeps.notify_one();
  }

  void wait_for_members() noexcept {
    const auto finished = [&] { return pending.load(std::memory_order_acquire) == 0; };
    if (watch(finished)) return;
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
    raise_generation();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadTeam::ThreadTeam(int members, Denormals denormals) {
  if (members < 1 || members > kMostMembers) {
    throw usage_error("number of threads out of range (got {}, expected 1 to {})", members, kMostMembers);
  }
  impl_ = std::make_unique<Impl>(members, denormals);
  impl_->workers.reserve(static_cast<std::size_t>(members - 1));
  try {
    for (int i = 1; i < members; ++i) impl_->workers.emplace_back([impl = impl_.get(), i] { impl->serve(i); });
  } catch (const std::system_error& error) {
    impl_->join_all();
    throw environment_error("cannot start {} threads ({})", members, error.code().message());
  } catch (...) {  // out of memory: std::thread ends the process if it is destroyed unjoined
    impl_->join_all();
    throw;
  }
}

ThreadTeam::~ThreadTeam() { impl_->join_all(); }

int ThreadTeam::members() const noexcept { return impl_->members; }

ThreadTeam::Run::Run(ThreadTeam& team) noexcept : team_(team) {
  if (team_.impl_->denormals == Denormals::flush) saved_state_ = flush_denormals();
  if (!team_.impl_->workers.empty()) team_.impl_->raise_generation();
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
  const std::int64_t shared_out = tasks - common;
  std::int64_t begin = 0;
  for (int place = 0; place <= impl.members; ++place) {
    Impl::Share& share = impl.shares[static_cast<std::size_t>(place)];
    share.end = place < impl.members ? team_.share(shared_out, place + 1) : tasks;
    share.unclaimed.store(share.end - begin, std::memory_order_release);
    begin = share.end;
  }
  impl.raise_generation();
  impl.work(0);
  impl.wait_for_members();
}

}  // namespace effnet

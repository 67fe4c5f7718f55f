// A team of threads for a sequence of short parallel steps. Starting a step costs about one cache line transfer.
//
// Waking a sleeping thread costs tens of microseconds, and a network has about a hundred steps of tens of microseconds.
// So a team is woken once per run; between steps its members spin on a counter, for 50 microseconds at most, and then
// sleep. Results must not depend on which member executes which task. ThreadPool (thread_pool.h) uses a team for loops
// over ranges.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>

namespace effnet {

// flush: all members, and the caller during a run, compute with denormals flushed to zero (x86: FTZ and DAZ, 64-bit
// ARM: FZ). The caller's floating-point state is restored when the run ends.
enum class Denormals { flush, keep };

class ThreadTeam {
 public:
  // `members` includes the calling thread: 1 starts no thread. Throws Error(usage) outside 1..1024 and
  // Error(environment) if the system cannot start a thread.
  explicit ThreadTeam(int members, Denormals denormals = Denormals::flush);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int members() const noexcept;
  // The first index of the member's range when `tasks` indices are divided among all members. The range ends where the
  // next member's range begins.
  std::int64_t range_begin(std::int64_t tasks, int member) const noexcept { return tasks * member / members(); }

  // The constructor wakes the team; after the destructor the team sleeps. In between, step() is cheap. Only one Run of
  // a team may exist at a time.
  class Run {
   public:
    explicit Run(ThreadTeam& team) noexcept;
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Calls task(context, index, member) exactly once for each index in [0, tasks), on any member (0 is the caller).
    // Returns when all tasks have finished; everything that they wrote is then visible.
    //
    // Each member has a range of consecutive tasks. If tasks with the same index access the same memory in successive
    // steps, a member finds this memory in its own cache. Reading from another core's cache takes three times as long;
    // if the two cores share no cache, it takes longer by another factor of three. The last `common` tasks belong to no
    // range: a member that has finished its range claims them in order. After them, members take tasks from each
    // other's ranges. (A member that looks for tasks while the caller starts a step may begin with a task of another
    // member's range.)
    //
    // Tasks must not throw. step() does not allocate. With one member or one task it is a plain loop.
    using Task = void (*)(void* context, std::int64_t index, int member) noexcept;
    void step(std::int64_t tasks, std::int64_t common, Task task, void* context) noexcept;
    // The same for a callable void(std::int64_t index, int member), which must not throw.
    template <class Body>
    void step(std::int64_t tasks, Body&& body, std::int64_t common = 0) noexcept {
      using Plain = std::remove_reference_t<Body>;
      step(
          tasks, common,
          [](void* context, std::int64_t index, int member) noexcept {
            (*static_cast<Plain*>(context))(index, member);
          },
          const_cast<void*>(static_cast<const void*>(&body)));
    }

    // The same for a body that may throw: the first exception is rethrown here; tasks that have not begun are skipped.
    template <class Body>
    void throwing_step(std::int64_t tasks, Body&& body, std::int64_t common = 0) {
      std::exception_ptr failure;
      std::atomic<bool> failed = false;
      step(
          tasks,
          [&](std::int64_t index, int member) noexcept {
            if (failed.load(std::memory_order_relaxed)) return;
            try {
              body(index, member);
            } catch (...) {
              if (!failed.exchange(true)) failure = std::current_exception();
            }
          },
          common);
      if (failure) std::rethrow_exception(failure);
    }

   private:
    ThreadTeam& team_;
    unsigned saved_state_ = 0;  // the caller's floating-point state
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet

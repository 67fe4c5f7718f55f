// The threads of effnet: short parallel steps, one after the other, at the price of a cache line each.
//
// Waking a sleeping thread costs some ten microseconds; a network has a hundred steps of some ten. A team is woken once
// a run and its members wait for the next step by watching a counter, for some microseconds at most, then sleep.
// Results must not depend on which member does which task. ThreadPool (thread_pool.h) is a team for loops over ranges.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>

namespace effnet {

// flush: every member, the caller during a run included, computes with denormals flushed to zero (x86: FTZ and DAZ,
// 64-bit ARM: FZ); the caller's state is restored when the run ends.
enum class Denormals { flush, keep };

class ThreadTeam {
 public:
  // `members` counts the calling thread, so 1 starts none. Throws Error(usage) outside 1..1024 and Error(environment)
  // if the system refuses a thread.
  explicit ThreadTeam(int members, Denormals denormals = Denormals::flush);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int members() const noexcept;
  // Where a member's share of `tasks` begins; its end is the next one's begin.
  std::int64_t share(std::int64_t tasks, int member) const noexcept { return tasks * member / members(); }

  // Wakes the team for a run and lets it sleep when destroyed. Between, step() is cheap. One at a time.
  class Run {
   public:
    explicit Run(ThreadTeam& team) noexcept;
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // Calls task(context, index, member) for every index in [0, tasks), each once, on any member (0 is the caller);
    // returns when all are done, and everything they wrote is visible.
    //
    // Each member has a share, n tasks that follow each other: where neighbours touch the same memory in successive
    // steps, they find it in its caches and not in those of another core, which cost three times as much to reach, and
    // another three where cores have no cache in common. The last `common` tasks belong to nobody and are handed out in
    // order, once a member's share is done; then members help each other. (A member that looks around just while a step
    // is handed out may begin with another's tasks.)
    //
    // Tasks must not throw. No allocation. With one member or one task it is a plain loop.
    using Task = void (*)(void* context, std::int64_t index, int member) noexcept;
    void step(std::int64_t tasks, std::int64_t common, Task task, void* context) noexcept;
    // The same for a callable (std::int64_t index, int member) -> void, noexcept.
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

    // The same for a body that may throw: the first exception is rethrown here, and tasks that had not begun are left
    // out.
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
    unsigned saved_state_ = 0;  // of the caller
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet

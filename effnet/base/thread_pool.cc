#include "effnet/base/thread_pool.h"

#include <algorithm>
#include <mutex>

#include "effnet/base/error.h"
#include "effnet/base/thread_team.h"

namespace effnet {
namespace {

// Ranges per thread. With 4, a thread that the system delays by a quarter of its work does not delay the whole loop.
constexpr std::int64_t kRangesPerThread = 4;

thread_local bool inside_body = false;

class InsideBody {
 public:
  InsideBody() { inside_body = true; }
  ~InsideBody() { inside_body = false; }
  InsideBody(const InsideBody&) = delete;
  InsideBody& operator=(const InsideBody&) = delete;
};

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(int threads) : team(threads, Denormals::keep) {}
  std::mutex call;  // held by the parallel_for that runs
  ThreadTeam team;
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>(threads)) {}
ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const noexcept { return impl_->team.members(); }

void ThreadPool::parallel_for(std::int64_t n, const Body& body, std::int64_t grain) {
  if (n <= 0) return;
  EFFNET_CHECK(n <= (std::int64_t{1} << 62));
  grain = std::max<std::int64_t>(grain, 1);
  if (inside_body || threads() == 1 || n <= grain) {
    body(0, n);
    return;
  }
  const std::int64_t length = std::max(grain, (n - 1) / (threads() * kRangesPerThread) + 1);
  const std::int64_t ranges = (n - 1) / length + 1;
  const std::lock_guard call(impl_->call);
  ThreadTeam::Run run(impl_->team);
  run.throwing_step(
      ranges,
      [&](std::int64_t range, int) {
        const InsideBody inside;
        body(range * length, std::min(n, (range + 1) * length));
      },
      /*common=*/ranges);
}

}  // namespace effnet

#include "effnet/base/thread_pool.h"

#include <algorithm>
#include <mutex>

#include "effnet/base/error.h"
#include "effnet/base/thread_team.h"

namespace effnet {
namespace {

// Pieces per thread: a thread that the system delays by up to a quarter of its share does not hold up the others.
constexpr std::int64_t kPiecesPerThread = 4;

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
  std::mutex call;  // held by the one parallel_for that runs
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
  const std::int64_t length = std::max(grain, (n - 1) / (threads() * kPiecesPerThread) + 1);
  const std::int64_t pieces = (n - 1) / length + 1;
  const std::lock_guard call(impl_->call);
  ThreadTeam::Run run(impl_->team);
  run.throwing_step(
      pieces,
      [&](std::int64_t piece, int) {
        const InsideBody inside;
        body(piece * length, std::min(n, (piece + 1) * length));
      },
      /*common=*/pieces);
}

}  // namespace effnet

#include "effnet/nn/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "effnet/base/thread_team.h"

namespace effnet::nn {
namespace {

constexpr std::int64_t kPiecesAThread = 8;  // so that a thread that is held up leaves its rest to others

// One team of the process. Its members last as long as torch's number of threads stays the same.
struct Team {
  std::mutex busy;
  std::unique_ptr<ThreadTeam> team;
};
Team& shared_team() {
  static Team* const team = new Team;  // never destroyed: threads may outlive static objects
  return *team;
}

thread_local ThreadTeam::Run* current = nullptr;
thread_local bool inside = false;  // of a range
struct Inside {
  Inside() { inside = true; }
  ~Inside() { inside = false; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

}  // namespace

struct ParallelScope::Impl {
  std::unique_lock<std::mutex> lock{shared_team().busy};
  std::optional<ThreadTeam::Run> run;
};

ParallelScope::ParallelScope(bool keep) {
  if (!keep || current != nullptr || inside) return;
  impl_ = std::make_unique<Impl>();
  std::unique_ptr<ThreadTeam>& team = shared_team().team;
  const int threads = std::clamp(at::get_num_threads(), 1, 1024);
  if (!team || team->members() != threads) {
    team.reset();
    team = std::make_unique<ThreadTeam>(threads);
  }
  current = &impl_->run.emplace(*team);
}

ParallelScope::~ParallelScope() {
  if (impl_) current = nullptr;
}

void parallel(std::int64_t count, Way way, const Range& range) {
  if (count <= 0) return;
  if (inside) {
    range(0, count);
    return;
  }
  const ParallelScope scope;
  const ThreadTeam& team = *shared_team().team;
  const std::int64_t pieces = std::min<std::int64_t>(count, team.members() * kPiecesAThread);
  // Of a share from its end.
  const auto turned = [&](std::int64_t piece) {
    int member = 0;
    while (team.share(pieces, member + 1) <= piece) ++member;
    return on_way(Way::from_last, team.share(pieces, member), team.share(pieces, member + 1),
                  piece - team.share(pieces, member));
  };
  current->throwing_step(pieces, [&](std::int64_t piece, int) {
    const Inside guard;
    if (way == Way::from_last) piece = turned(piece);
    range(piece * count / pieces, (piece + 1) * count / pieces);
  });
}

float* scratch(std::int64_t floats) {
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local std::int64_t size = 0;
  if (floats > size) {
    memory.reset();
    size = 0;
    memory.reset(
        static_cast<float*>(::operator new (static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
    size = floats;
  }
  return memory.get();
}

}  // namespace effnet::nn

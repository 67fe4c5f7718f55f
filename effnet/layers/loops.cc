#include "effnet/layers/loops.h"

#include <algorithm>
#include <new>

namespace effnet::layers {
namespace {

constexpr std::int64_t kRangesPerThread = 8;  // so that other threads can take over ranges of a delayed thread

}  // namespace

float* Scratch::floats(std::int64_t count) {
  if (count > size_) {
    memory_.reset();
    size_ = 0;
    memory_ = tensor::try_allocate(static_cast<std::size_t>(count) * sizeof(float));
    if (memory_ == nullptr) throw std::bad_alloc();
    size_ = count;
  }
  return tensor::floats(memory_);
}

struct Loops::Hold {
  Hold(Team& team, int threads) : lock(team.busy_), run(of(team, threads)) {}

  static ThreadTeam& of(Team& team, int threads) {
    if (!team.threads_ || team.threads_->members() != threads) {
      team.threads_.reset();
      team.threads_ = std::make_unique<ThreadTeam>(threads);
      team.scratch_.resize(static_cast<std::size_t>(threads));
    }
    return *team.threads_;
  }

  std::unique_lock<std::mutex> lock;
  ThreadTeam::Run run;
};

Loops::Loops(Team& team, int threads, bool hold) : team_(team), threads_(threads) {
  if (hold) hold_ = std::make_unique<Hold>(team, threads);
}

Loops::~Loops() = default;

void Loops::run(std::int64_t count, LoopOrder order, const Range& range) const {
  if (count <= 0) return;
  const std::unique_ptr<Hold> temporary = hold_ ? nullptr : std::make_unique<Hold>(team_, threads_);
  const ThreadTeam& team = *team_.threads_;
  const std::int64_t ranges = std::min<std::int64_t>(count, team.members() * kRangesPerThread);
  // Returns the mirrored index within the range of the same member of the team, so that members keep their indices.
  const auto reverse_within_member = [&](std::int64_t index) {
    int member = 0;
    while (team.range_begin(ranges, member + 1) <= index) ++member;
    return ordered_index(LoopOrder::reverse, team.range_begin(ranges, member), team.range_begin(ranges, member + 1),
                         index - team.range_begin(ranges, member));
  };
  (temporary ? temporary : hold_)->run.throwing_step(ranges, [&](std::int64_t index, int member) {
    if (order == LoopOrder::reverse) index = reverse_within_member(index);
    range(index * count / ranges, (index + 1) * count / ranges, team_.scratch_[static_cast<std::size_t>(member)]);
  });
}

}  // namespace effnet::layers

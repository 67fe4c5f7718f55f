#include "effnet/train/distributed/heartbeat.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/process.h"

namespace effnet::train {
namespace {

// leave() subtracts this from the rank's counter. A negative counter means that the rank has left.
constexpr std::int64_t kLeft = std::int64_t{1} << 40;

std::string beat_key(int rank) { return "beat/" + std::to_string(rank); }
std::string host_key(int rank) { return "host/" + std::to_string(rank); }

std::vector<std::uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }
std::string text(const std::vector<std::uint8_t>& value) { return {value.begin(), value.end()}; }

// The text that a rank publishes under "gone": "3 left node07" or "3 lost node07".
std::string lost_text(int rank, bool left, const std::string& host) {
  return std::to_string(rank) + (left ? " left " : " lost ") + host;
}

using Clock = std::chrono::steady_clock;

// The newest known counter of a rank, and when it last changed.
struct LastBeat {
  std::int64_t beats = 0;
  Clock::time_point since = Clock::now();
};

struct LostRank {
  int rank = 0;
  bool left = false;  // true: it left the group; false: its heartbeats stopped
  std::string host;
  Clock::time_point noticed = Clock::now();
};

}  // namespace

struct Heartbeat::State {
  c10::intrusive_ptr<c10d::Store> store;
  int rank, world;
  bool rank0_has_store;
  HeartbeatTiming timing;
  std::map<int, LastBeat> watched;  // used by the thread, and by leave() after the thread has ended

  std::mutex mutex;  // protects the members below
  std::condition_variable changed;
  bool stop = false, stopped = false, suspicion = false, store_lost = false;
  std::optional<LostRank> lost;
  Clock::time_point last_round = Clock::now();
  int stale_checks = 0;

  void run();
  void round();
  std::optional<LostRank> find_lost(int other, Clock::duration limit);
  [[noreturn]] void throw_lost(std::string_view why) const;
};

void Heartbeat::State::run() {
  while (true) {
    bool failed = false;
    try {
      store->add(beat_key(rank), 1);
      round();
    } catch (const std::exception&) {
      failed = true;
    }
    std::unique_lock lock(mutex);
    last_round = Clock::now();
    if (failed) {
      store_lost = true;
      if (!lost) lost = LostRank{};
    }
    if (!failed && !stop) changed.wait_for(lock, timing.interval, [this] { return stop; });
    if (!failed && !stop) continue;
    stopped = true;
    changed.notify_all();
    return;
  }
}

// Returns `other` if it has left, or if its counter has not changed for `limit`. Else null.
std::optional<LostRank> Heartbeat::State::find_lost(int other, Clock::duration limit) {
  const std::int64_t beats = store->add(beat_key(other), 0);
  LastBeat& last = watched.at(other);
  const auto now = Clock::now();
  if (beats != last.beats) last = {beats, now};
  const bool left = beats < 0;
  if (!left && now - last.since < limit) return std::nullopt;
  return LostRank{other, left, store->check({host_key(other)}) ? text(store->get(host_key(other))) : "", now};
}

// One round: publishes a suspicion, reads the published lost rank, and checks the watched ranks.
void Heartbeat::State::round() {
  bool suspected = false;
  {
    const std::lock_guard lock(mutex);
    suspected = suspicion;
    if (lost) return;
  }
  if (suspected) {
    store->add("suspicion", 1);
  } else {
    suspected = store->check({"suspicion"});
  }
  std::optional<LostRank> found;
  if (store->check({"gone"})) {
    std::istringstream published(text(store->get("gone")));
    found.emplace();
    std::string how;
    published >> found->rank >> how >> found->host;
    found->left = how == "left";
  } else {
    for (const auto& entry : watched) {
      found = find_lost(entry.first, suspected ? timing.suspected_timeout : timing.timeout);
      if (found) break;
    }
    if (found) store->set("gone", bytes(lost_text(found->rank, found->left, found->host)));
  }
  if (!found) return;
  const std::lock_guard lock(mutex);
  lost = found;
  changed.notify_all();
}

void Heartbeat::State::throw_lost(std::string_view why) const {
  const std::string reason = why.empty() ? "" : fmt::format(": {}", why);
  if (store_lost && !rank0_has_store)
    throw environment_error(
        "torchrun's store was lost (got no answer{}, expected torchrun to run as long as the ranks)", reason);
  if (lost->rank == rank)
    throw environment_error("rank {} of {} was declared lost by the other ranks (got no heartbeat of this process{})",
                            rank, world, reason);
  throw environment_error("rank {} of {}{} {} (got no answer{}, expected all {} processes to run until the end)",
                          lost->rank, world, lost->host.empty() ? "" : " on " + lost->host,
                          lost->left ? "exited before the others" : "was lost", reason, world)
      .with_hint("the messages of that rank may show the reason; --resume continues from the last checkpoint");
}

Heartbeat::Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank, int world, bool rank0_has_store,
                     HeartbeatTiming timing)
    : state_(std::make_shared<State>()) {
  state_->store = std::move(store);
  state_->rank = rank;
  state_->world = world;
  state_->rank0_has_store = rank0_has_store;
  state_->timing = timing;
  state_->store->set(host_key(rank), bytes(host_name()));
  for (int other = 0; other < (rank == 0 ? world : 1); ++other)
    if (other != rank) state_->watched[other] = {};
  thread_ = std::thread([state = state_] { state->run(); });
}

Heartbeat::~Heartbeat() { leave(); }

void Heartbeat::check() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const auto now = Clock::now();
  if (state.lost && (!state.lost->left || now - state.lost->noticed >= state.timing.exit_grace)) state.throw_lost("");
  // If the thread did no round for `timeout`, it is blocked in the store, because the store's machine vanished. Ten
  // stale checks in a row are required: a process that was itself stopped for a while also finds an old time at first.
  state.stale_checks = now - state.last_round > state.timing.timeout ? state.stale_checks + 1 : 0;
  if (state.stale_checks >= 10) {
    state.store_lost = true;
    state.lost = LostRank{};
    state.throw_lost("");
  }
}

void Heartbeat::report_failure(std::string_view why) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.suspicion = true;
  state.changed.wait_for(lock, state.timing.suspected_timeout + state.timing.exit_grace + 4 * state.timing.interval,
                         [&] { return state.lost.has_value(); });
  if (state.lost) state.throw_lost(why);
  throw environment_error("a connection to another rank failed (rank {} of {} got: {})", state.rank, state.world, why)
      .with_hint("--resume continues from the last checkpoint");
}

void Heartbeat::leave() {
  if (!thread_.joinable()) return;
  State& state = *state_;
  {
    std::unique_lock lock(state.mutex);
    state.stop = true;
    state.changed.notify_all();
    if (!state.changed.wait_for(lock, std::chrono::seconds(2), [&] { return state.stopped; })) {
      thread_.detach();  // the thread is blocked in the store; it shares the ownership of the state
      return;
    }
  }
  thread_.join();
  if (state.store_lost) return;
  try {
    state.store->add(beat_key(state.rank), -kLeft);
    if (state.rank != 0 || !state.rank0_has_store) return;
    const auto end = Clock::now() + std::chrono::seconds(10);
    for (const auto& entry : state.watched) {
      while (Clock::now() < end && !state.find_lost(entry.first, state.timing.suspected_timeout))
        std::this_thread::sleep_for(state.timing.interval / 10);
    }
  } catch (const std::exception&) {  // the store has ended, so nothing can be announced
  }
}

}  // namespace effnet::train

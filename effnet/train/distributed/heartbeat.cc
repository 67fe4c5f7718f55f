#include "effnet/train/distributed/heartbeat.h"

#include <unistd.h>

#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

constexpr std::int64_t kGoodbye = std::int64_t{1} << 40;  // taken from the count of beats, which makes it negative

std::string beat_key(int rank) { return "beat/" + std::to_string(rank); }
std::string host_key(int rank) { return "host/" + std::to_string(rank); }

std::vector<std::uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }
std::string text(const std::vector<std::uint8_t>& value) { return {value.begin(), value.end()}; }

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "?";
  return name.data();
}

// "3 left node07", as it stands in the store.
std::string written(int rank, bool by_itself, const std::string& host) {
  return std::to_string(rank) + (by_itself ? " left " : " lost ") + host;
}

using Clock = std::chrono::steady_clock;

struct Seen {
  std::int64_t beats = 0;
  Clock::time_point since = Clock::now();
};

struct Gone {
  int rank = 0;
  bool by_itself = false;  // it left; else it was lost
  std::string host;
  Clock::time_point noticed = Clock::now();
};

}  // namespace

struct Heartbeat::State {
  c10::intrusive_ptr<c10d::Store> store;
  int rank, world;
  bool rank0_has_store;
  HeartbeatTiming timing;
  std::map<int, Seen> seen;  // by the thread, and after its end by leave()

  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  bool stop = false, stopped = false, suspicion = false, store_lost = false;
  std::optional<Gone> gone;
  Clock::time_point last_round = Clock::now();
  int stale_checks = 0;

  void run();
  void look();
  std::optional<Gone> judge(int other, Clock::duration limit);
  [[noreturn]] void say_gone(std::string_view why) const;
};

void Heartbeat::State::run() {
  while (true) {
    bool lost = false;
    try {
      store->add(beat_key(rank), 1);
      look();
    } catch (const std::exception&) {
      lost = true;
    }
    std::unique_lock lock(mutex);
    last_round = Clock::now();
    if (lost) {
      store_lost = true;
      if (!gone) gone = Gone{};
    }
    if (!lost && !stop) changed.wait_for(lock, timing.beat, [this] { return stop; });
    if (!lost && !stop) continue;
    stopped = true;
    changed.notify_all();
    return;
  }
}

std::optional<Gone> Heartbeat::State::judge(int other, Clock::duration limit) {
  const std::int64_t beats = store->add(beat_key(other), 0);
  Seen& last = seen.at(other);
  const auto now = Clock::now();
  if (beats != last.beats) last = {beats, now};
  const bool left = beats < 0;
  if (!left && now - last.since < limit) return std::nullopt;
  return Gone{other, left, store->check({host_key(other)}) ? text(store->get(host_key(other))) : "", now};
}

// One round: publish a suspicion, read the verdict, judge those that this process watches.
void Heartbeat::State::look() {
  bool suspected = false;
  {
    const std::lock_guard lock(mutex);
    suspected = suspicion;
    if (gone) return;
  }
  if (suspected) {
    store->add("suspicion", 1);
  } else {
    suspected = store->check({"suspicion"});
  }
  std::optional<Gone> found;
  if (store->check({"gone"})) {
    std::istringstream verdict(text(store->get("gone")));
    found.emplace();
    std::string how;
    verdict >> found->rank >> how >> found->host;
    found->by_itself = how == "left";
  } else {
    for (const auto& entry : seen) {
      found = judge(entry.first, suspected ? timing.suspected : timing.silent);
      if (found) break;
    }
    if (found) store->set("gone", bytes(written(found->rank, found->by_itself, found->host)));
  }
  if (!found) return;
  const std::lock_guard lock(mutex);
  gone = found;
  changed.notify_all();
}

void Heartbeat::State::say_gone(std::string_view why) const {
  const std::string got = why.empty() ? "" : fmt::format(": {}", why);
  if (store_lost && !rank0_has_store)
    throw environment_error("the store that the processes met in is gone (got no answer{}, expected torchrun's)", got);
  if (gone->rank == rank)
    throw environment_error("the others gave this process up (got no sign of rank {} of {} in time{})", rank, world,
                            got);
  throw environment_error("rank {} of {}{} {} (got no answer{}, expected all {} processes to go on together)",
                          gone->rank, world, gone->host.empty() ? "" : " on " + gone->host,
                          gone->by_itself ? "ended before the others" : "is gone", got, world)
      .with_hint("its own message, if it had time for one, says why; --resume goes on from the last checkpoint");
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
    if (other != rank) state_->seen[other] = {};
  thread_ = std::thread([state = state_] { state->run(); });
}

Heartbeat::~Heartbeat() { leave(); }

void Heartbeat::check() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const auto now = Clock::now();
  if (state.gone && (!state.gone->by_itself || now - state.gone->noticed >= state.timing.left)) state.say_gone("");
  // The thread hangs in the store: its machine does not even refuse. Ten times in a row, since a process that was
  // itself stopped for a while finds an old time first.
  state.stale_checks = now - state.last_round > state.timing.silent ? state.stale_checks + 1 : 0;
  if (state.stale_checks >= 10) {
    state.store_lost = true;
    state.gone = Gone{};
    state.say_gone("");
  }
}

void Heartbeat::blame(std::string_view why) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.suspicion = true;
  state.changed.wait_for(lock, state.timing.suspected + state.timing.left + 4 * state.timing.beat,
                         [&] { return state.gone.has_value(); });
  if (state.gone) state.say_gone(why);
  throw environment_error("the connection to another process of the group broke (rank {} of {} got: {})", state.rank,
                          state.world, why)
      .with_hint("--resume goes on from the last checkpoint");
}

void Heartbeat::leave() {
  if (!thread_.joinable()) return;
  State& state = *state_;
  {
    std::unique_lock lock(state.mutex);
    state.stop = true;
    state.changed.notify_all();
    if (!state.changed.wait_for(lock, std::chrono::seconds(2), [&] { return state.stopped; })) {
      thread_.detach();  // it hangs in the store; the state stays with it
      return;
    }
  }
  thread_.join();
  if (state.store_lost) return;
  try {
    state.store->add(beat_key(state.rank), -kGoodbye);
    if (state.rank != 0 || !state.rank0_has_store) return;
    const auto end = Clock::now() + std::chrono::seconds(10);
    for (const auto& entry : state.seen) {
      while (Clock::now() < end && !state.judge(entry.first, state.timing.suspected))
        std::this_thread::sleep_for(state.timing.beat / 10);
    }
  } catch (const std::exception&) {  // the store is gone, and so is whoever could care
  }
}

}  // namespace effnet::train

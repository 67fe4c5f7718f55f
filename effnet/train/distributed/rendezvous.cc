#include "effnet/train/distributed/rendezvous.h"

#include <netdb.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"

namespace effnet::train {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string address(const RankInfo& info) { return fmt::format("{}:{}", info.master_address, info.master_port); }

// Logs what this process waits for: after options.notice_after, and then once a minute.
class WaitNotice {
 public:
  explicit WaitNotice(const RendezvousOptions& options)
      : options_(options), next_(Clock::now() + options.notice_after) {}
  // `text` returns the line to log. If it is empty, nothing is logged.
  template <class Text>
  void poll(const Text& text) {
    if (Clock::now() < next_ || !options_.log) return;
    next_ = Clock::now() + std::chrono::minutes(1);
    const std::string line = text();
    if (!line.empty()) options_.log(line);
  }

 private:
  const RendezvousOptions& options_;
  Clock::time_point next_;
};

struct Resolved {
  int code = 0;
};

// Throws if the host name of rank 0 cannot be resolved. Resolves it in a background thread, because a name server may
// take half a minute to answer.
void check_address(const RankInfo& info) {
  const auto resolved = std::make_shared<Resolved>();
  run_in_background(
      [resolved, host = info.master_address] {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        resolved->code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
        if (resolved->code == 0) ::freeaddrinfo(found);
      },
      check_interrupt);
  if (resolved->code == 0) return;
  const std::string got = in_quotes(info.master_address);
  if (resolved->code == EAI_AGAIN || resolved->code == EAI_SYSTEM || resolved->code == EAI_MEMORY)
    throw environment_error("MASTER_ADDR: cannot be resolved now (got {}: {})", got, ::gai_strerror(resolved->code))
        .with_hint("check the name server, or use a numeric address, which needs no name server");
  throw usage_error("MASTER_ADDR: unknown host (got {}: {}; expected the host name or address of rank 0's machine)",
                    got, ::gai_strerror(resolved->code))
      .with_hint("every machine of the group must be able to resolve the name; a numeric address always works");
}

std::string rank_list(const std::vector<int>& ranks) {
  constexpr std::size_t kMaxListed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(ranks.size(), kMaxListed); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  return text + (ranks.size() > kMaxListed ? ", ..." : "");
}

// Keys of the store. "here" and "here/RANK" count the processes that joined; "facts/RANK" has the compared values.
std::string arrival_key(int rank) { return "here/" + std::to_string(rank); }
std::string values_key(int rank) { return "facts/" + std::to_string(rank); }
constexpr const char* kArrived = "here";
constexpr const char* kVerdict = "verdict";  // from rank 0: kAgreed, or "RANK DIFFERENCE" for a rank that differs
constexpr const char* kHeard = "heard";      // the number of ranks that have read a verdict other than kAgreed
constexpr std::string_view kAgreed = "agreed";

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }
std::string text_of(c10d::Store& store, const std::string& key) {
  const std::vector<std::uint8_t> value = store.get(key);
  return {value.begin(), value.end()};
}

std::vector<int> missing_ranks(c10d::Store& store, int world) {
  std::vector<int> ranks;
  for (int rank = 0; rank < world; ++rank) {
    if (!store.check({arrival_key(rank)})) ranks.push_back(rank);
  }
  return ranks;
}

// Rank 0's part of the comparison: reads the values of each rank that has joined and writes the verdict. All other
// ranks wait for the verdict, so that all ranks continue or all end with the same message.
class ConsistencyCheck {
 public:
  ConsistencyCheck(c10d::Store& store, const RankInfo& info, const KeyValues& values)
      : store_(store), values_(values), others_(info.world - 1) {
    for (int rank = 1; rank < info.world; ++rank) waiting_.insert(rank);
  }

  // Returns true when all ranks have joined with the same values. Throws if the values of a rank differ.
  bool poll() {
    const std::int64_t arrived = store_.add(kArrived, 0);
    if (arrived == seen_) return false;
    seen_ = arrived;
    for (auto rank = waiting_.begin(); rank != waiting_.end();) {
      if (!store_.check({values_key(*rank)})) {
        ++rank;
        continue;
      }
      const auto found = difference(key_values_from(text_of(store_, values_key(*rank))), values_);
      if (found) refuse(*rank, *found);
      rank = waiting_.erase(rank);
    }
    if (!waiting_.empty()) return false;
    store_.set(kVerdict, bytes(kAgreed));
    return true;
  }

 private:
  // Publishes the difference and throws. The store ends with this process. Therefore this function first waits,
  // at most 10 s, until all other ranks have read the verdict. A rank that starts later finds no store and waits until
  // its own timeout.
  [[noreturn]] void refuse(int rank, const std::string& difference) {
    store_.set(kVerdict, bytes(fmt::format("{} {}", rank, difference)));
    const auto end = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < end && store_.add(kHeard, 0) < std::max(others_, store_.add(kArrived, 0) - 1)) {
      check_interrupt();
      std::this_thread::sleep_for(milliseconds(20));
    }
    throw rank_mismatch(rank, difference);
  }

  c10d::Store& store_;
  const KeyValues& values_;
  std::int64_t others_;  // the number of other ranks
  std::int64_t seen_ = 0;
  std::set<int> waiting_;
};

// For all ranks except 0: returns true when rank 0 has written that all values are the same. Throws if they differ.
bool rank0_agreed(c10d::Store& store, const RankInfo& info, const KeyValues& values) {
  if (!store.check({kVerdict})) return false;
  const std::string verdict = text_of(store, kVerdict);
  std::optional<Error> refused;
  if (verdict != kAgreed) {
    refused = rank_mismatch(std::atoi(verdict.c_str()), verdict.substr(verdict.find(' ') + 1));
  } else if (const auto found = difference(values, key_values_from(text_of(store, values_key(0))))) {
    // Rank 0 compares the ranks below its own world size. This rank, started with a larger one, may not be among them.
    refused = rank_mismatch(info.rank, *found);
  }
  if (!refused) return true;
  store.add(kHeard, 1);
  throw *refused;
}

void wait_for_all(c10d::Store& store, const RankInfo& info, const RendezvousOptions& options) {
  KeyValues values = options.compared;
  values.push_back({"the number of processes", std::to_string(info.world)});
  if (store.add(arrival_key(info.rank), 1) != 1)
    throw environment_error("rank {} joined twice (got two processes with this rank, expected one)", info.rank)
        .with_hint("give each process a RANK of its own, and each run a MASTER_PORT of its own");
  store.set(values_key(info.rank), bytes(to_text(values)));
  store.add(kArrived, 1);
  const Clock::time_point start = Clock::now();
  WaitNotice notice(options);
  ConsistencyCheck check(store, info, values);
  while (info.rank == 0 ? !check.poll() : !rank0_agreed(store, info, values)) {
    check_interrupt();
    if (Clock::now() - start > options.timeout) {
      const std::vector<int> missing = missing_ranks(store, info.world);
      const int count = static_cast<int>(missing.size());
      throw environment_error("the group is not complete after {} s (got {} of {} processes; missing: rank {})",
                              options.timeout.count() / 1000, info.world - count, info.world, rank_list(missing))
          .with_hint("the messages of the missing processes show the reason");
    }
    notice.poll([&]() -> std::string {  // only the lowest of the ranks that have joined logs
      const std::vector<int> missing = missing_ranks(store, info.world);
      const auto own = static_cast<std::size_t>(info.rank);
      const bool lowest = missing.size() >= own && (own == 0 || missing[own - 1] == info.rank - 1);
      if (!lowest || missing.empty()) return {};
      return fmt::format("waiting for rank {} to join at {} ({} of {} processes have joined)", rank_list(missing),
                         address(info), info.world - static_cast<int>(missing.size()), info.world);
    });
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

void run_in_background(const std::function<void()>& work, const std::function<void()>& poll) {
  const auto done = std::make_shared<std::promise<void>>();
  std::future<void> future = done->get_future();
  std::thread([done, work] {
    try {
      work();
      done->set_value();
    } catch (...) {
      done->set_exception(std::current_exception());
    }
  }).detach();
  while (future.wait_for(milliseconds(200)) != std::future_status::ready) poll();
  future.get();
}

c10::intrusive_ptr<c10d::Store> connect_store(const RankInfo& info, bool serves, const RendezvousOptions& options) {
  check_address(info);
  const Clock::time_point start = Clock::now();
  WaitNotice notice(options);
  struct Made {
    c10::intrusive_ptr<c10d::Store> store;
  };
  const auto made = std::make_shared<Made>();
  try {
    run_in_background(
        [made, info, serves, timeout = options.timeout] {
          c10d::TCPStoreOptions store_options;
          store_options.port = static_cast<std::uint16_t>(info.master_port);
          store_options.isServer = serves;
          store_options.waitWorkers = false;  // rendezvous() waits and can name the missing ranks
          store_options.timeout = timeout;
          made->store = c10::make_intrusive<c10d::PrefixStore>(
              info.store_prefix.empty() ? "effnet" : info.store_prefix,
              c10::make_intrusive<c10d::TCPStore>(info.master_address, store_options));
        },
        [&] {
          check_interrupt();
          notice.poll([&] { return fmt::format("waiting for rank 0 at {}", address(info)); });
        });
    return made->store;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (serves)
      throw environment_error("rank 0 cannot listen on port {} (got {}, expected a free port)", info.master_port,
                              first_line(error))
          .with_hint("set MASTER_PORT to another port, the same for all processes");
    throw environment_error("rank {} of {} cannot reach rank 0 at {} (got {} after {:.1f} s)", info.rank, info.world,
                            address(info), first_line(error), seconds_since(start))
        .with_hint("check that rank 0 runs at MASTER_ADDR and MASTER_PORT, and that no firewall blocks the port");
  }
}

void rendezvous(c10d::Store& store, const RankInfo& info, const RendezvousOptions& options) {
  try {
    wait_for_all(store, info, options);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw environment_error("{} exited before all {} processes had joined (got {})",
                            info.store_prefix.empty() ? "rank 0" : "torchrun", info.world, first_line(error))
        .with_hint("the message of that process shows the reason");
  }
}

}  // namespace effnet::train

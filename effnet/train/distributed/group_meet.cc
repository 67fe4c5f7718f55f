#include "effnet/train/distributed/group_meet.h"

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

std::string address(const RankInfo& place) { return fmt::format("{}:{}", place.master_address, place.master_port); }

// Says once after `silence`, and then each minute, what is waited for.
class Notice {
 public:
  explicit Notice(const Meeting& meeting) : meeting_(meeting), next_(Clock::now() + meeting.silence) {}
  template <class Text>
  void look(const Text& text) {
    if (Clock::now() < next_ || !meeting_.tell) return;
    next_ = Clock::now() + std::chrono::minutes(1);
    const std::string said = text();
    if (!said.empty()) meeting_.tell(said);
  }

 private:
  const Meeting& meeting_;
  Clock::time_point next_;
};

struct Resolved {
  int code = 0;
};

// The name server may take half a minute to say no.
void check_address(const RankInfo& place) {
  const auto resolved = std::make_shared<Resolved>();
  in_background(
      [resolved, host = place.master_address] {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        resolved->code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
        if (resolved->code == 0) ::freeaddrinfo(found);
      },
      check_interrupt);
  if (resolved->code == 0) return;
  const std::string got = in_quotes(place.master_address);
  if (resolved->code == EAI_AGAIN || resolved->code == EAI_SYSTEM || resolved->code == EAI_MEMORY)
    throw environment_error("MASTER_ADDR: cannot be looked up now (got {}: {})", got, ::gai_strerror(resolved->code))
        .with_hint("is there a name server? A numeric address needs none");
  throw usage_error("MASTER_ADDR: unknown host (got {}, expected a name or an address of rank 0's machine: {})", got,
                    ::gai_strerror(resolved->code))
      .with_hint("the name must be known on every machine of the group; a numeric address always is");
}

std::string rank_list(const std::vector<int>& ranks) {
  constexpr std::size_t kNamed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(ranks.size(), kNamed); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  return text + (ranks.size() > kNamed ? ", ..." : "");
}

std::string came_key(int rank) { return "here/" + std::to_string(rank); }
std::string facts_key(int rank) { return "facts/" + std::to_string(rank); }
constexpr const char* kVerdict = "verdict";  // rank 0's: kAgreed, or the rank that differs and how
constexpr const char* kHeard = "heard";      // how many have read a verdict that ends them
constexpr std::string_view kAgreed = "agreed";

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }
std::string text_of(c10d::Store& store, const std::string& key) {
  const std::vector<std::uint8_t> value = store.get(key);
  return {value.begin(), value.end()};
}

std::vector<int> missing_ranks(c10d::Store& store, int world) {
  std::vector<int> ranks;
  for (int rank = 0; rank < world; ++rank) {
    if (!store.check({came_key(rank)})) ranks.push_back(rank);
  }
  return ranks;
}

// Rank 0 judges, and its verdict is what the others wait for: so all go on, or all end with the same words. A rank
// counts as here once its facts are.
class Judge {
 public:
  Judge(c10d::Store& store, const RankInfo& place, const Facts& facts)
      : store_(store), facts_(facts), others_(place.world - 1) {
    for (int rank = 1; rank < place.world; ++rank) waiting_.insert(rank);
  }

  // True once all are there and agree; throws where one does not.
  bool look() {
    const std::int64_t here = store_.add("here", 0);
    if (here == seen_) return false;
    seen_ = here;
    for (auto rank = waiting_.begin(); rank != waiting_.end();) {
      if (!store_.check({facts_key(*rank)})) {
        ++rank;
        continue;
      }
      const auto found = difference(facts_from(text_of(store_, facts_key(*rank))), facts_);
      if (found) refuse(*rank, *found);
      rank = waiting_.erase(rank);
    }
    if (!waiting_.empty()) return false;
    store_.set(kVerdict, bytes(kAgreed));
    return true;
  }

 private:
  // The store ends with this process: it stays until all ranks have read why, at most ten seconds. One that comes later
  // would find nobody and wait to its own limit.
  [[noreturn]] void refuse(int rank, const std::string& difference) {
    store_.set(kVerdict, bytes(fmt::format("{} {}", rank, difference)));
    const auto end = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < end && store_.add(kHeard, 0) < std::max(others_, store_.add("here", 0) - 1)) {
      check_interrupt();
      std::this_thread::sleep_for(milliseconds(20));
    }
    throw disagreement(rank, difference);
  }

  c10d::Store& store_;
  const Facts& facts_;
  std::int64_t others_;  // ranks beside this one
  std::int64_t seen_ = 0;
  std::set<int> waiting_;
};

// True once rank 0 has said that all agree.
bool heard_verdict(c10d::Store& store, const RankInfo& place, const Facts& facts) {
  if (!store.check({kVerdict})) return false;
  const std::string verdict = text_of(store, kVerdict);
  std::optional<Error> refused;
  if (verdict != kAgreed) {
    refused = disagreement(std::atoi(verdict.c_str()), verdict.substr(verdict.find(' ') + 1));
  } else if (const auto found = difference(facts, facts_from(text_of(store, facts_key(0))))) {
    refused = disagreement(place.rank, *found);  // of a larger world than rank 0's, which does not wait for this one
  }
  if (!refused) return true;
  store.add(kHeard, 1);
  throw *refused;
}

void wait_for_all(c10d::Store& store, const RankInfo& place, const Meeting& meeting) {
  Facts facts = meeting.facts;
  facts.push_back({"the number of processes", std::to_string(place.world)});
  if (store.add(came_key(place.rank), 1) != 1)
    throw environment_error("rank {} came twice (got two processes with this number, expected one)", place.rank)
        .with_hint("each process needs a RANK of its own, and two runs at once need different MASTER_PORTs");
  store.set(facts_key(place.rank), bytes(to_text(facts)));
  store.add("here", 1);
  const Clock::time_point start = Clock::now();
  Notice notice(meeting);
  Judge judge(store, place, facts);
  while (place.rank == 0 ? !judge.look() : !heard_verdict(store, place, facts)) {
    check_interrupt();
    if (Clock::now() - start > meeting.limit) {
      const std::vector<int> missing = missing_ranks(store, place.world);
      const int count = static_cast<int>(missing.size());
      throw environment_error("the group is not complete after {} s (got {} of {} processes; missing: rank {})",
                              meeting.limit.count() / 1000, place.world - count, place.world, rank_list(missing))
          .with_hint("their own messages say why they did not come");
    }
    notice.look([&]() -> std::string {  // by the lowest rank that is here
      const std::vector<int> missing = missing_ranks(store, place.world);
      const auto here = static_cast<std::size_t>(place.rank);
      const bool lowest = missing.size() >= here && (here == 0 || missing[here - 1] == place.rank - 1);
      if (!lowest || missing.empty()) return {};
      return fmt::format("waiting for rank {} at {} ({} of {} processes are there)", rank_list(missing), address(place),
                         place.world - static_cast<int>(missing.size()), place.world);
    });
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace

std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

void in_background(const std::function<void()>& work, const std::function<void()>& look) {
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
  while (future.wait_for(milliseconds(200)) != std::future_status::ready) look();
  future.get();
}

c10::intrusive_ptr<c10d::Store> connect(const RankInfo& place, bool serves, const Meeting& meeting) {
  check_address(place);
  const Clock::time_point start = Clock::now();
  Notice notice(meeting);
  struct Made {
    c10::intrusive_ptr<c10d::Store> store;
  };
  const auto made = std::make_shared<Made>();
  try {
    in_background(
        [made, place, serves, limit = meeting.limit] {
          c10d::TCPStoreOptions options;
          options.port = static_cast<std::uint16_t>(place.master_port);
          options.isServer = serves;
          options.waitWorkers = false;  // meet() waits, and knows who is missing
          options.timeout = limit;
          made->store = c10::make_intrusive<c10d::PrefixStore>(
              place.store_prefix.empty() ? "effnet" : place.store_prefix,
              c10::make_intrusive<c10d::TCPStore>(place.master_address, options));
        },
        [&] {
          check_interrupt();
          notice.look([&] { return fmt::format("waiting for rank 0 at {}", address(place)); });
        });
    return made->store;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (serves)
      throw environment_error("rank 0 cannot listen on port {} (got {}, expected a free port)", place.master_port,
                              first_line(error))
          .with_hint("set MASTER_PORT to another one, the same for all processes");
    throw environment_error("rank {} of {} cannot reach rank 0 at {} (got {} after {:.1f} s)", place.rank, place.world,
                            address(place), first_line(error), seconds_since(start))
        .with_hint("is rank 0 running there, and does no firewall lie between? MASTER_ADDR and MASTER_PORT say where");
  }
}

void meet(c10d::Store& store, const RankInfo& place, const Meeting& meeting) {
  try {
    wait_for_all(store, place, meeting);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw environment_error("{} ended before all {} processes had come (got {})",
                            place.store_prefix.empty() ? "rank 0" : "torchrun", place.world, first_line(error))
        .with_hint("its own message says why");
  }
}

}  // namespace effnet::train

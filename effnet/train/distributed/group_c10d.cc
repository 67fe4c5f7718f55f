#include "effnet/train/distributed/group_c10d.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <utility>
#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#endif

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/process_limits.h"
#include "effnet/train/distributed/buckets.h"

namespace effnet::train {
namespace {

#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif
using StorePtr = c10::intrusive_ptr<c10d::Store>;
using BackendPtr = c10::intrusive_ptr<Backend>;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;
using std::chrono::milliseconds;

// c10d's own time-outs are out of the way: a rank may take its time over a validation set, and Heartbeat knows who is
// gone.
constexpr milliseconds kNever = std::chrono::hours(24 * 7);

#ifdef USE_C10D_GLOO
// This machine's address on the way to rank 0, as a number. A host's own name is no help: Debian's /etc/hosts makes it
// 127.0.1.1, which no other machine can reach.
std::optional<std::string> own_address(const RankInfo& place) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(place.master_address.c_str(), std::to_string(place.master_port).c_str(), &hints, &found) != 0)
    return std::nullopt;
  std::optional<std::string> result;
  for (const addrinfo* entry = found; entry != nullptr && !result; entry = entry->ai_next) {
    const int socket = ::socket(entry->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    std::array<char, NI_MAXHOST> name{};
    // Connecting a datagram socket sends nothing; it only chooses the route.
    if (::connect(socket, entry->ai_addr, entry->ai_addrlen) == 0 &&
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, name.data(), name.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0)
      result = name.data();
    ::close(socket);
  }
  ::freeaddrinfo(found);
  return result;
}

BackendPtr make_gloo(const StorePtr& store, const RankInfo& place) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kNever);
  options->threads = 2;
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  const auto address = own_address(place);
  if (interface != nullptr && *interface != '\0') {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  } else if (address) {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(*address));
  } else {
    options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
  }
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.world, options);
}
#endif

#ifdef USE_C10D_NCCL
BackendPtr make_nccl(const StorePtr& store, const RankInfo& place) {
  const auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = kNever;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, place.rank, place.world, options);
}
#endif

BackendPtr make_backend(const StorePtr& store, const RankInfo& place, torch::Device device) {
  if (device.is_cuda()) {
#ifdef USE_C10D_NCCL
    return make_nccl(store, place);
#else
    throw environment_error("this effnet-train has no NCCL (got {} processes on GPUs, expected one, or the CPU)",
                            place.world)
        .with_hint("build it with a LibTorch 2.x for CUDA and NCCL's header nccl.h");
#endif
  }
#ifdef USE_C10D_GLOO
  return make_gloo(store, place);
#else
  throw environment_error("this effnet-train has no Gloo (got {} processes, expected one)", place.world)
      .with_hint("build it with Gloo's headers (Debian: libgloo-dev)");
#endif
}

// What the backends below rest on, besides what the caller compares.
Meeting meeting_of(const JoinOptions& options, torch::Device device) {
  Meeting meeting = options.meeting;
  meeting.facts.push_back({"LibTorch", TORCH_VERSION});
  meeting.facts.push_back({"--device", device.is_cuda() ? "cuda" : "cpu"});
  return meeting;
}

// ---- The group ----

class C10dGroup : public Group {
 public:
  C10dGroup(const RankInfo& place, torch::Device device, const JoinOptions& options)
      : rank_(place.rank), world_(place.world), device_(device) {
    const bool rank0_has_store = place.store_prefix.empty();
    store_ = connect(place, place.rank == 0 && rank0_has_store, options.meeting);
    meet(*store_, place, meeting_of(options, device));
    // Heartbeats have a connection of their own: the other one may be blocked.
    watch_.emplace(connect(place, false, options.meeting), rank_, world_, rank0_has_store, options.watch);
    // Sums that the model asks for (batch norm) and gradients do not share a sequence: their order on a rank is not
    // promised. NCCL keeps one: two communicators at once on a GPU can block each other.
    backend_ = make_watched("sums", place);
    gradient_backend_ = device.is_cuda() ? backend_ : make_watched("gradients", place);
  }

  ~C10dGroup() override {
    buckets_.reset();
    watch_->leave();
    // A backend's destructor waits for the collectives under way. If one is, because an error came in between, it would
    // wait for ranks that do not come; the process ends soon, and its connections with it.
    if (under_way_ > 0 || failed_) {
      backend_.release();
      if (!device_.is_cuda()) gradient_backend_.release();
      store_.release();
    }
  }

  int rank() const override { return rank_; }
  int world() const override { return world_; }

  void sum(torch::Tensor& tensor) override {
    const torch::NoGradGuard no_grad;
    exchange(tensor, [&](torch::Tensor& plain) { wait(start_sum(*backend_, plain)); });
  }

  void broadcast(torch::Tensor& tensor, int from) override {
    EFFNET_CHECK(from >= 0 && from < world_);
    const torch::NoGradGuard no_grad;
    exchange(tensor, [&](torch::Tensor& plain) {
      c10d::BroadcastOptions options;
      options.rootRank = from;
      std::vector<torch::Tensor> tensors{plain};
      wait(start([&] { return backend_->broadcast(tensors, options); }));
    });
  }

  void barrier() override {
    torch::Tensor one = torch::ones({1});
    sum(one);
  }

  // Sums of what only one rank has: first the lengths, then all bytes in one tensor.
  std::vector<std::string> gather(std::string_view text) override {
    torch::Tensor lengths = torch::zeros({world_}, torch::kInt64);
    lengths[rank_] = static_cast<std::int64_t>(text.size());
    sum(lengths);
    torch::Tensor all = torch::zeros({lengths.sum().item<std::int64_t>()}, torch::kUInt8);
    const torch::Tensor ends = lengths.cumsum(0);
    const auto* end = ends.data_ptr<std::int64_t>();
    if (!text.empty()) std::memcpy(all.data_ptr<std::uint8_t>() + end[rank_] - text.size(), text.data(), text.size());
    if (all.numel() > 0) sum(all);
    std::vector<std::string> texts;
    std::int64_t begin = 0;
    for (int rank = 0; rank < world_; begin = end[rank++])
      texts.emplace_back(reinterpret_cast<const char*>(all.data_ptr<std::uint8_t>()) + begin, end[rank] - begin);
    return texts;
  }

  void begin_gradients(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes) override {
    if (parameters.empty()) return;
    if (!buckets_ || !buckets_->fits(parameters, bucket_bytes)) {
      buckets_ = std::make_unique<GradientBuckets>(parameters, bucket_bytes, world_, [this](torch::Tensor& flat) {
        return [this, work = start_sum(*gradient_backend_, flat)] { wait(work); };
      });
    }
    buckets_->begin();
  }

  void end_gradients() override {
    if (buckets_) buckets_->finish();
  }

 private:
  // Backends connect in their constructors and block there; a rank that dies meanwhile must not hold the others.
  BackendPtr make_watched(const std::string& name, const RankInfo& place) {
    const auto made = std::make_shared<BackendPtr>();
    try {
      in_background([made, store = c10::make_intrusive<c10d::PrefixStore>(name, store_), place,
                     device = device_] { *made = make_backend(store, place, device); },
                    [this] {
                      check_interrupt();
                      watch_->check();
                    });
      return *made;
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      watch_->blame(first_line(error));
    }
  }

  template <class Start>
  WorkPtr start(const Start& begin) {
    if (failed_) throw *failed_;
    try {
      WorkPtr work = begin();
      ++under_way_;
      return work;
    } catch (const std::exception& error) {
      broke(error);
    }
  }

  WorkPtr start_sum(Backend& backend, torch::Tensor& tensor) {
    return start([&] {
      std::vector<torch::Tensor> tensors{tensor};
      return backend.allreduce(tensors);
    });
  }

  void wait(const WorkPtr& work) {
    if (failed_) throw *failed_;
    try {
      if (device_.is_cuda()) {
        // NCCL's wait() only orders streams, and the process would then hang in CUDA, where nobody looks at the watch.
        for (int round = 0; !work->isCompleted(); ++round) {
          if (round % 1000 == 999) look();
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
      } else {
        while (!work->isCompleted()) {
          try {
            work->wait(milliseconds(200));
          } catch (const std::exception&) {
            if (!work->isCompleted()) look();  // else it failed, and says so below
          }
        }
      }
      work->wait();  // rethrows what went wrong
      --under_way_;
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      broke(error);
    }
  }

  // Called while others are waited for. A run holds interrupts from its first step on: its end is agreed on there.
  void look() {
    try {
      check_interrupt();
      watch_->check();
    } catch (const Error& error) {
      fail(error);
    }
  }

  [[noreturn]] void broke(const std::exception& error) {
    try {
      watch_->blame(first_line(error));
    } catch (const Error& known) {
      fail(known);
    }
  }

  // The group has ended: whatever is asked of it later gets the same answer.
  [[noreturn]] void fail(const Error& error) {
    failed_ = error;
#ifdef USE_C10D_NCCL
    if (auto* nccl = dynamic_cast<c10d::ProcessGroupNCCL*>(backend_.get())) nccl->abort();  // ends the waiting kernels
#endif
    throw error;
  }

  // A dense tensor of a type and on a device that the backend takes, and back.
  template <class Do>
  void exchange(torch::Tensor& tensor, const Do& work) {
    if (tensor.numel() == 0) return;
    torch::ScalarType type = tensor.scalar_type();
    if (type == torch::kBFloat16) type = torch::kFloat32;
    if (type == torch::kBool || type == torch::kInt16) type = torch::kInt64;
    torch::Tensor plain = tensor.detach().to(device_, type).contiguous();
    work(plain);
    if (!plain.is_alias_of(tensor)) tensor.detach().copy_(plain);
  }

  const int rank_, world_;
  const torch::Device device_;
  StorePtr store_;
  std::optional<Heartbeat> watch_;
  BackendPtr backend_, gradient_backend_;
  std::unique_ptr<GradientBuckets> buckets_;
  int under_way_ = 0;  // collectives started and not waited for
  std::optional<Error> failed_;
};

}  // namespace

std::unique_ptr<Group> join_c10d(const RankInfo& place, torch::Device device, const JoinOptions& options) {
  EFFNET_CHECK(place.world > 1 && place.rank >= 0 && place.rank < place.world);
  // Where c10d's own threads find none left, the process ends without a word: rank 0 holds two connections of each to
  // its store, and each rank one to each other in both of its backends.
  check_file_limit(4 * place.world + 32);
  return std::make_unique<C10dGroup>(place, device, options);
}

std::unique_ptr<Group> join(const RankInfo& place, torch::Device device, Facts facts,
                            std::function<void(const std::string&)> tell) {
  if (place.world == 1) return single_process();
  JoinOptions options;
  options.meeting.facts = std::move(facts);
  options.meeting.tell = std::move(tell);
  return join_c10d(place, device, options);
}

}  // namespace effnet::train

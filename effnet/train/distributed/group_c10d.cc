#include "effnet/train/distributed/group_c10d.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <torch/utils.h>
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

// A timeout of a week in effect disables c10d's own timeouts: a rank may be busy for a long time (validation), and
// Heartbeat detects lost ranks.
constexpr milliseconds kNever = std::chrono::hours(24 * 7);

#ifdef USE_C10D_GLOO
// The numeric address of the local interface on the route to rank 0. The host name cannot be used: Debian's /etc/hosts
// maps it to 127.0.1.1, which other machines cannot reach.
std::optional<std::string> own_address(const RankInfo& info) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(info.master_address.c_str(), std::to_string(info.master_port).c_str(), &hints, &found) != 0)
    return std::nullopt;
  std::optional<std::string> result;
  for (const addrinfo* entry = found; entry != nullptr && !result; entry = entry->ai_next) {
    const int socket = ::socket(entry->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    std::array<char, NI_MAXHOST> name{};
    // connect() on a datagram socket sends nothing; it only selects the route.
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

BackendPtr make_gloo(const StorePtr& store, const RankInfo& info) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kNever);
  options->threads = 2;
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  const auto address = own_address(info);
  if (interface != nullptr && *interface != '\0') {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  } else if (address) {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(*address));
  } else {
    options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
  }
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, info.rank, info.world, options);
}
#endif

#ifdef USE_C10D_NCCL
BackendPtr make_nccl(const StorePtr& store, const RankInfo& info) {
  const auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = kNever;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, info.rank, info.world, options);
}
#endif

BackendPtr make_backend(const StorePtr& store, const RankInfo& info, torch::Device device) {
  if (device.is_cuda()) {
#ifdef USE_C10D_NCCL
    return make_nccl(store, info);
#else
    throw environment_error(
        "this effnet-train was built without NCCL (got {} processes on GPUs, expected one process or --device cpu)",
        info.world)
        .with_hint("rebuild effnet-train with a LibTorch 2.x for CUDA and NCCL's header nccl.h");
#endif
  }
#ifdef USE_C10D_GLOO
  return make_gloo(store, info);
#else
  throw environment_error("this effnet-train was built without Gloo (got {} processes, expected one)", info.world)
      .with_hint("rebuild effnet-train with Gloo's headers (Debian: libgloo-dev)");
#endif
}

// Returns the caller's options with two more values to compare: the backends need the same ones on all ranks.
RendezvousOptions rendezvous_options(const JoinOptions& options, torch::Device device) {
  RendezvousOptions result = options.rendezvous;
  result.compared.push_back({"LibTorch", TORCH_VERSION});
  result.compared.push_back({"--device", device.is_cuda() ? "cuda" : "cpu"});
  return result;
}

// ---- The group ----

class C10dGroup : public Group {
 public:
  C10dGroup(const RankInfo& info, torch::Device device, const JoinOptions& options)
      : rank_(info.rank), world_(info.world), device_(device) {
    const bool rank0_has_store = info.store_prefix.empty();
    store_ = connect_store(info, info.rank == 0 && rank0_has_store, options.rendezvous);
    rendezvous(*store_, info, rendezvous_options(options, device));
    // A separate connection for heartbeats, because the first one may be blocked in a call.
    heartbeat_.emplace(connect_store(info, false, options.rendezvous), rank_, world_, rank0_has_store,
                       options.heartbeat);
    // Sums of batch norm and sums of gradients have separate backends, because their relative order may differ between
    // ranks. On GPUs there is only one: two communicators that run at the same time on a GPU can deadlock.
    backend_ = make_backend_in_background("sums", info);
    gradient_backend_ = device.is_cuda() ? backend_ : make_backend_in_background("gradients", info);
  }

  ~C10dGroup() override {
    buckets_.reset();
    heartbeat_->leave();
    // A backend's destructor waits for pending collectives. After an error it would wait for ranks that have
    // already ended. The objects are leaked instead; the process exits soon, which closes its connections.
    if (pending_ > 0 || failed_) {
      backend_.release();
      if (!device_.is_cuda()) gradient_backend_.release();
      store_.release();
    }
  }

  int rank() const override { return rank_; }
  int world() const override { return world_; }

  void sum(torch::Tensor& tensor) override {
    const torch::NoGradGuard no_grad;
    with_plain_tensor(tensor, [&](torch::Tensor& plain) { wait(start_sum(*backend_, plain)); });
  }

  void broadcast(torch::Tensor& tensor, int from) override {
    EFFNET_CHECK(from >= 0 && from < world_);
    const torch::NoGradGuard no_grad;
    with_plain_tensor(tensor, [&](torch::Tensor& plain) {
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

  // Implemented with two sums, of the lengths and of the bytes. In both, each rank fills its own range and leaves the
  // other ranges 0.
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
    if (!buckets_ || !buckets_->matches(parameters, bucket_bytes)) {
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
  // A backend connects to the other ranks in its constructor and blocks there. It runs in a background
  // thread, so that this process can report a rank that is lost meanwhile.
  BackendPtr make_backend_in_background(const std::string& name, const RankInfo& info) {
    const auto made = std::make_shared<BackendPtr>();
    try {
      run_in_background([made, store = c10::make_intrusive<c10d::PrefixStore>(name, store_), info,
                         device = device_] { *made = make_backend(store, info, device); },
                        [this] {
                          check_interrupt();
                          heartbeat_->check();
                        });
      return *made;
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      heartbeat_->report_failure(first_line(error));
    }
  }

  template <class Start>
  WorkPtr start(const Start& begin) {
    if (failed_) throw *failed_;
    try {
      WorkPtr work = begin();
      ++pending_;
      return work;
    } catch (const std::exception& error) {
      throw_connection_error(error);
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
        // NCCL's wait() only orders streams. The process would then block in CUDA, where it cannot check the heartbeat.
        for (int round = 0; !work->isCompleted(); ++round) {
          if (round % 1000 == 999) check_while_waiting();
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
      } else {
        while (!work->isCompleted()) {
          try {
            work->wait(milliseconds(200));
          } catch (const std::exception&) {
            if (!work->isCompleted()) check_while_waiting();  // a completed collective throws its error in wait() below
          }
        }
      }
      work->wait();  // throws the error of a failed collective
      --pending_;
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw_connection_error(error);
    }
  }

  // Called repeatedly while this process waits for other ranks. From the first step on, the run holds back interrupts
  // (DeferInterrupts), and all ranks agree on the step after which they stop; check_interrupt() then does nothing here.
  void check_while_waiting() {
    try {
      check_interrupt();
      heartbeat_->check();
    } catch (const Error& error) {
      fail(error);
    }
  }

  [[noreturn]] void throw_connection_error(const std::exception& error) {
    try {
      heartbeat_->report_failure(first_line(error));
    } catch (const Error& known) {
      fail(known);
    }
  }

  // Marks the group as failed: every later call throws the same error.
  [[noreturn]] void fail(const Error& error) {
    failed_ = error;
#ifdef USE_C10D_NCCL
    if (auto* nccl = dynamic_cast<c10d::ProcessGroupNCCL*>(backend_.get()))
      nccl->abort();  // ends the kernels that wait for other ranks
#endif
    throw error;
  }

  // Calls `work` with a contiguous copy of `tensor` in a type and on a device that the backend supports, and copies the
  // result back. If `tensor` already is such a tensor, `work` gets it without a copy.
  template <class Do>
  void with_plain_tensor(torch::Tensor& tensor, const Do& work) {
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
  std::optional<Heartbeat> heartbeat_;
  BackendPtr backend_, gradient_backend_;
  std::unique_ptr<GradientBuckets> buckets_;
  int pending_ = 0;  // collectives that were started and not yet waited for
  std::optional<Error> failed_;
};

}  // namespace

std::unique_ptr<Group> join_c10d(const RankInfo& info, torch::Device device, const JoinOptions& options) {
  EFFNET_CHECK(info.world > 1 && info.rank >= 0 && info.rank < info.world);
  // When file descriptors run out in a thread of c10d, the process ends without a message. Rank 0 needs
  // 4 per rank: two connections of the rank to the store, and one to the rank for each of the two backends. 32 are for
  // other files.
  check_file_limit(4 * info.world + 32);
  return std::make_unique<C10dGroup>(info, device, options);
}

std::unique_ptr<Group> join(const RankInfo& info, torch::Device device, KeyValues compared,
                            std::function<void(const std::string&)> log) {
  if (info.world == 1) return single_process();
  JoinOptions options;
  options.rendezvous.compared = std::move(compared);
  options.rendezvous.log = std::move(log);
  return join_c10d(info, device, options);
}

}  // namespace effnet::train

// Groups of forked processes over loopback, for tests.
#pragma once

#include <ATen/Parallel.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "effnet/train/distributed/group_c10d.h"
#include "effnet/train/distributed/processes_testing.h"

namespace effnet::train {

// A free port of 127.0.0.1. The socket stays bound, without listening, so that no other process gets the port.
class Port {
 public:
  Port() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    number = ntohs(address.sin_port);
  }
  ~Port() { ::close(socket_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  int number = 0;
  int handle() const { return socket_; }

 private:
  int socket_;
};

inline RankInfo make_rank_info(int rank, int world, int port) {
  RankInfo result;
  result.rank = rank;
  result.world = world;
  result.master_address = "127.0.0.1";
  result.master_port = port;
  result.source = "test";
  return result;
}

inline JoinOptions short_timeouts() {
  JoinOptions timing;
  timing.rendezvous.timeout = std::chrono::seconds(30);
  timing.heartbeat = {std::chrono::milliseconds(100), std::chrono::milliseconds(1500), std::chrono::milliseconds(60000),
                      std::chrono::milliseconds(300)};
  return timing;
}

// Forks `world` processes that join a group. Each process runs `part`. The text that `part` returns becomes the text of
// the process's Outcome.
inline std::vector<Outcome> run_group(int world, const std::function<std::string(Group&)>& part,
                                      const JoinOptions& timing = short_timeouts(), double seconds = 60) {
  const Port port;
  return run_processes(world, seconds, [&](int rank) {
    at::set_num_threads(1);  // the parent's threads do not exist in a forked process
    const auto group = join_c10d(make_rank_info(rank, world, port.number), torch::kCPU, timing);
    return part(*group);
  });
}

// Runs `part` in one process; a second process runs the store, in which the ranks `joined` are already registered.
// `own`: the RankInfo of the first process, with a port and without a store prefix. Returns the first process's
// outcome.
inline Outcome run_with_registered_ranks(const std::vector<int>& joined, RankInfo own,
                                         const std::function<std::string(const RankInfo&)>& part) {
  own.store_prefix = "group";
  return run_processes(2, 60, [&](int process) -> std::string {
    const auto limit = std::chrono::seconds(60);
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(own.master_port);
    options.isServer = process == 1;
    options.waitWorkers = false;
    c10d::TCPStore store(own.master_address, options);
    if (process == 1) {
      for (const int rank : joined) store.add("group/here/" + std::to_string(rank), 1);
      store.set("ready", {1});
      store.wait({"done"}, limit);
      return "";
    }
    store.wait({"ready"}, limit);
    const std::shared_ptr<void> at_exit(nullptr, [&](void*) { store.set("done", {1}); });
    return part(own);
  })[0];
}

}  // namespace effnet::train

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

// A port of 127.0.0.1, held without listening until the test ends, so that nobody else is given it.
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

inline RankInfo place(int rank, int world, int port) {
  RankInfo result;
  result.rank = rank;
  result.world = world;
  result.master_address = "127.0.0.1";
  result.master_port = port;
  result.source = "test";
  return result;
}

inline JoinOptions quick() {
  JoinOptions timing;
  timing.meeting.limit = std::chrono::seconds(30);
  timing.watch = {std::chrono::milliseconds(100), std::chrono::milliseconds(1500), std::chrono::milliseconds(60000),
                  std::chrono::milliseconds(300)};
  return timing;
}

// Each rank of a group of `world` does `part`; its text is the outcome's.
inline std::vector<Outcome> together(int world, const std::function<std::string(Group&)>& part,
                                     const JoinOptions& timing = quick(), double seconds = 60) {
  const Port port;
  return run_processes(world, seconds, [&](int rank) {
    at::set_num_threads(1);  // a forked process has none of its parent's threads
    const auto group = join_c10d(place(rank, world, port.number), torch::kCPU, timing);
    return part(*group);
  });
}

// What a process says that does `part` where the ranks `came` have come before it, to a store that another process
// holds. `own` is the place of the former, with a port and without a store.
inline Outcome where_others_came(const std::vector<int>& came, RankInfo own,
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
      for (const int rank : came) store.add("group/here/" + std::to_string(rank), 1);
      store.set("ready", {1});
      store.wait({"done"}, limit);
      return "";
    }
    store.wait({"ready"}, limit);
    const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store.set("done", {1}); });
    return part(own);
  })[0];
}

}  // namespace effnet::train

// The rendezvous of a group: all processes connect to one store, wait for each other and compare their settings. Every
// wait can be interrupted, and after some seconds it logs which ranks are missing.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "effnet/train/distributed/consistency.h"
#include "effnet/train/distributed/rank_info.h"

namespace effnet::train {

struct RendezvousOptions {
  std::chrono::milliseconds timeout = std::chrono::minutes(5);       // the time for all processes to join
  std::chrono::milliseconds notice_after = std::chrono::seconds(5);  // until the first notice; then one per minute
  KeyValues compared;                                                // values that must be the same on all ranks
  std::function<void(const std::string&)> log;                       // receives the notices; may be empty
};

// Runs `work` in a thread of its own and calls `poll` five times a second until `work` is done. For calls that block
// and cannot be interrupted, such as LibTorch's constructors that connect to other ranks. Rethrows an exception of
// either function. If `poll` throws, the thread is left running: `work` must own everything that it uses.
void run_in_background(const std::function<void()>& work, const std::function<void()>& poll);

// Connects to the store at info.master_address and master_port; if `serves`, this process also runs the store's server.
// Throws Error(usage) for an unknown host name, Error(environment) if the store cannot be reached, Error(interrupted).
c10::intrusive_ptr<c10d::Store> connect_store(const RankInfo& info, bool serves, const RendezvousOptions& options);

// Returns when all info.world processes have joined and options.compared is the same on all of them. Throws
// Error(usage) that names rank and key if a value differs, Error(environment) that names the missing ranks after
// options.timeout, and Error(interrupted) after a signal.
void rendezvous(c10d::Store& store, const RankInfo& info, const RendezvousOptions& options);

// The first line of an exception's text. In c10d's messages a stack trace or a source line follows it.
std::string first_line(const std::exception& error);

}  // namespace effnet::train

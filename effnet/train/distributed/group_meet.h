// How the processes of a group find each other: the store that all connect to, and the moment when all are there.
// Everything that waits here can be interrupted, and says after some seconds for whom it waits.
#pragma once

#include <torch/torch.h>

#include <chrono>
#include <functional>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "effnet/train/distributed/facts.h"
#include "effnet/train/distributed/rank_info.h"

namespace effnet::train {

struct Meeting {
  std::chrono::milliseconds limit = std::chrono::minutes(5);    // for all processes to have come
  std::chrono::milliseconds silence = std::chrono::seconds(5);  // then it is said who is awaited, and each minute
  Facts facts;                                                  // compared before anything is exchanged
  std::function<void(const std::string&)> tell;                 // may be empty
};

// Runs `work`, which may block where nothing can end it (LibTorch connects in constructors), in a thread of its own and
// calls `look` five times a second meanwhile. What either throws is thrown; if `look` throws, the thread stays behind.
void in_background(const std::function<void()>& work, const std::function<void()>& look);

// A connection to the store at the place's address, which this process serves itself if `serves`. Throws Error(usage)
// for an address that is not known, Error(environment) where it cannot be reached, Error(interrupted).
c10::intrusive_ptr<c10d::Store> connect(const RankInfo& place, bool serves, const Meeting& meeting);

// Returns once all processes of the place's world are there and agree on meeting.facts. Throws Error(usage) that names
// rank and fact where they do not, Error(environment) that names who is missing at the end of the time, Error
// (interrupted).
void meet(c10d::Store& store, const RankInfo& place, const Meeting& meeting);

// c10d's messages begin with what matters and go on with a stack trace or a source line.
std::string first_line(const std::exception& error);

}  // namespace effnet::train

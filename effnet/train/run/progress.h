// Progress and log lines of a run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace effnet::train {

struct Progress {  // after each step, on rank 0
  std::int64_t epoch = 0, step = 0, steps_per_epoch = 0;
  double epochs = 0, lr = 0, loss = 0, top1 = 0;  // `loss` and `top1` (percent): means of the epoch so far
  double images_per_second = 0, seconds_left = 0;
  std::string message;  // if not empty, a line for the log, and the other members are not set
};

using Log = std::function<void(const std::string& line)>;  // writes a line to the log

}  // namespace effnet::train

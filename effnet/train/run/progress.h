// What a run tells while it goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace effnet::train {

struct Progress {  // after each step, on rank 0
  std::int64_t epoch = 0, step = 0, steps_an_epoch = 0;
  double epochs = 0, lr = 0, loss = 0, top1 = 0;  // means of the epoch so far
  double images_per_second = 0, seconds_left = 0;
  std::string message;  // not empty: something to tell (an epoch's result, a fallback, a broken image), a line
};

using Log = std::function<void(const std::string& line)>;  // a line for a person

}  // namespace effnet::train

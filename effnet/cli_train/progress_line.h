// The messages of a command of effnet-train, with a status line between them. Also used by effnet finetune.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "effnet/cli/output.h"
#include "effnet/train/run/progress.h"

namespace effnet::cli {

class ProgressLine {
 public:
  explicit ProgressLine(Output& out) : out_(out) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void clear();  // ends the status line
  void say(const std::string& message);
  // Shows the progress of training, or its message.
  void show(const train::Progress& progress);
  // Shows the progress of countable work.
  void show(std::string_view what, std::int64_t done, std::int64_t total);

 private:
  Output& out_;
  std::chrono::steady_clock::time_point last_;
  Steps counted_{out_};
};

}  // namespace effnet::cli

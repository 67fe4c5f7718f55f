// The workers of a study: their clock, their options, and several worker processes of one command.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/process.h"
#include "effnet/search/study/worker.h"

namespace effnet::cli {

double now_s();  // seconds since 1970

// A worker with a name of its own, whose trials are claimed again after `timeout_s` seconds without a heartbeat. Throws
// Error(usage) for a --timeout out of range.
search::WorkerOptions worker_options(double timeout_s);

// The words of a command line (Globals::words) without the program, without these options and their values, and without
// --json and --quiet.
std::vector<std::string> words_without(const std::vector<std::string>& words,
                                       const std::vector<std::string_view>& options);

// Throws Error(environment) with the reason if a worker process could not be started or has failed.
void check_worker(const ProcessResult& result);

// Runs this program with the arguments `words` in `count` processes at the same time, each with an equal part of
// `threads`, and waits until all of them have ended. Calls `meanwhile` about four times per second while it waits.
// Throws Error(environment) with the worker's last messages if a worker has failed, and Error(interrupted) after a
// signal.
void run_workers(std::vector<std::string> words, int count, int threads, const std::function<void()>& meanwhile = {});

}  // namespace effnet::cli

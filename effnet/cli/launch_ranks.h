// The processes of `effnet launch`.
//
// Each has a process group of its own, so that Ctrl-C in a terminal reaches this process alone, which passes it on
// once: a second signal would end a child before its state is saved. Should this process be killed, the kernel sends
// them SIGTERM (PR_SET_PDEATHSIG).
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/output.h"

namespace effnet::cli {

// Runs this program `count` times with the arguments `words` and its share of `threads`, as ranks 0 to count - 1 of one
// group, and waits for all. Rank 0 keeps stdout and stderr; the others' stdout goes nowhere, their stderr to `out`, a
// line at a time, with "[rank N] " before it. Once one has failed the others get 10 s to end by themselves, then
// SIGTERM, 10 s later SIGKILL.
// Returns the exit code of the first that failed, 128 + the signal if it was killed; else 0. Throws Error(environment)
// if one cannot be started: none stays behind.
int run_ranks(int count, const std::vector<std::string>& words, int threads, Output& out);

}  // namespace effnet::cli

// The rank processes of `effnet launch`.
//
// Each rank has its own process group, so Ctrl-C in a terminal reaches only this process. It forwards the signal once,
// because a second signal would end a rank before its state is saved. If this process is killed, the kernel sends
// SIGTERM to the ranks (PR_SET_PDEATHSIG).
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/output.h"

namespace effnet::cli {

// Runs this program `count` times as ranks 0 to count - 1 of one group, with the arguments `words` and threads / count
// threads each (at least 1), and waits for all ranks. Rank 0 inherits stdout and stderr. The stdout of other ranks is
// discarded; their stderr goes to `out` line by line, with "[rank N] " before each line. After the first failure the
// other ranks get 10 s to end by themselves, then SIGTERM, and 10 s later SIGKILL.
// Returns the exit code of the first rank that failed (128 + signal if a signal killed it), or 0 if no rank failed.
// Throws Error(environment) if a rank cannot be started; the ranks that already run are killed.
int run_ranks(int count, const std::vector<std::string>& words, int threads, Output& out);

}  // namespace effnet::cli

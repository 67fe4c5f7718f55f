// What looks wrong about the result of a training run, in words: for its log and for its page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/report/run_folder.h"

namespace effnet::report {

// A sentence for each, with what to do about it; empty where nothing is remarkable. `predictions` are those of the
// saved weights, `epoch` is the one that these are of (0: the last of `epochs`). Told are
//   - an accuracy that cannot be told from that of one answer for all images (Wilson's 95 % interval);
//   - training more than 20 points above what that interval allows;
//   - averaged weights worse than the plain ones by more than it allows.
std::vector<std::string> doubts(const std::vector<EpochMetrics>& epochs, std::int64_t epoch,
                                const std::vector<Prediction>& predictions);

}  // namespace effnet::report

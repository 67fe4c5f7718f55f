// Warnings about the result of a training run, for its log and its report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/report/run_folder.h"

namespace effnet::report {

// Returns one text per warning, with advice; empty if there are none. `predictions` are the predictions of the saved
// weights, and `epoch` is the epoch of these weights (0: the last of `epochs`). "The interval" below is the Wilson 95 %
// interval of the accuracy of `predictions`. There is a warning if
//   - the accuracy, or the interval's lower end, is not above that of predicting the largest class for all images;
//   - the training accuracy is more than 20 percentage points above the interval's upper end;
//   - the averaged weights are less accurate than the weights without averaging, and the accuracy of the latter is
//     above the interval's upper end.
std::vector<std::string> result_warnings(const std::vector<EpochMetrics>& epochs, std::int64_t epoch,
                                         const std::vector<Prediction>& predictions);

}  // namespace effnet::report

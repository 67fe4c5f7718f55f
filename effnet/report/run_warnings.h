// Warnings about the result of a training run, for its log and its report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/report/run_folder.h"

namespace effnet::report {

// The warning that an accuracy is not above chance, or that the images are too few to tell: `right` of `images` images,
// of which `largest_class` are of one class. Empty if the lower end of the accuracy's interval (Wilson, 95 %) is above
// the accuracy of predicting the largest class for all images.
std::optional<std::string> chance_warning(std::int64_t right, std::int64_t images, std::int64_t largest_class);

// Returns one text per warning, with advice; empty if there are none. `predictions` are the predictions of the saved
// weights, and `epoch` is the epoch of these weights (0: the last of `epochs`). "The interval" below is the Wilson 95 %
// interval of the accuracy of `predictions`. There is a warning if
//   - the accuracy, or the interval's lower end, is not above that of predicting the largest class (chance_warning());
//   - the training accuracy is more than 20 percentage points above the interval's upper end;
//   - the averaged weights are less accurate than the weights without averaging, and the accuracy of the latter is
//     above the interval's upper end.
std::vector<std::string> result_warnings(const std::vector<EpochMetrics>& epochs, std::int64_t epoch,
                                         const std::vector<Prediction>& predictions);

}  // namespace effnet::report

// The log line and the TensorBoard events of a finished epoch.
#pragma once

#include <cstddef>
#include <string>

#include "effnet/report/events.h"
#include "effnet/report/run_folder.h"

namespace effnet::train {

// "epoch 3 of 10: loss 1.2345, top-1 50.00 %; validation loss ..".
std::string epoch_line(const report::EpochMetrics& row, double epochs, std::size_t corrupt);
// Writes the row as TensorBoard events; they are on disk when the function returns.
void write_epoch(report::EventWriter& events, const report::EpochMetrics& row, double wall_s);

}  // namespace effnet::train

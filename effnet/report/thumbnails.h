// Small images of a dataset for the report.
#pragma once

#include <memory>

#include "effnet/data/dataset.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

// Returns a function from an image's name in `set` (the names in predictions.csv) to its thumbnail. For an unknown name
// or an image that cannot be read, it returns no bytes. The function keeps `set` alive. If `set` is null, the result is
// an empty function.
Thumbnail thumbnails(std::shared_ptr<const data::Dataset> set);

}  // namespace effnet::report

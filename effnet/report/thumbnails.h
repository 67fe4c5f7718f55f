// Small images of a data set for the report's page.
#pragma once

#include <memory>

#include "effnet/data/dataset.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

// By the names that the set gives (those of predictions.csv). A name that the set has not, and an image that cannot be
// read any more, give nothing. Keeps the set. Null gives an empty function.
Thumbnail thumbnails(std::shared_ptr<const data::Dataset> set);

}  // namespace effnet::report

// Images of a dataset for the report.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "effnet/data/dataset.h"
#include "effnet/report/run_report.h"

namespace effnet::report {

// Returns the image of this name; empty if there is none. Throws Error(input) if the image cannot be decoded.
using ReadImage = std::function<std::optional<vision::Image>(const std::string& name)>;

// Finds images by their names (Dataset::name). Keeps the set alive. If it is null, the result is an empty function.
ReadImage images_by_name(std::shared_ptr<const data::Dataset> set);

Jpeg small_jpeg(const vision::Image& image);  // at most 160 px, 4 to 9 KB for a photograph

// Returns small_jpeg() of each image. If `read` is empty, so is the result.
Thumbnail thumbnails(ReadImage read);

}  // namespace effnet::report

// Makes report.html: a self-contained page about a run, from the run folder and, if they can be read, the images of the
// dataset. It has SVG curves, confusion matrix, per-class table, calibration, worst mistakes with their images, speed,
// memory and configuration. It needs no script, no font and no other file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace effnet::report {

// A function that returns a JPEG thumbnail for the name of an image in predictions.csv, or no bytes if there is none.
// If the function itself is empty, the page has no images.
using Thumbnail = std::function<std::vector<std::byte>(const std::string& name)>;

// Returns the page as HTML. `classes` are the class names by index. Throws Error(input) if metrics.csv or config.toml
// is missing, or if a file of the run folder is corrupt.
std::string run_report(const std::filesystem::path& run_folder, const std::vector<std::string>& classes,
                       const Thumbnail& thumbnail);

}  // namespace effnet::report

// report.html: one self-contained page about a run, from its folder alone (and the data set's images where they can
// still be read). SVG curves, confusion matrix, per-class table, calibration, worst mistakes with their images,
// configuration, speed, memory. No script, no font, no file beside it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace effnet::report {

// The bytes of a JPEG thumbnail of an image named in predictions.csv, or nothing. May be empty.
using Thumbnail = std::function<std::vector<std::byte>(const std::string& name)>;

// Throws Error(input) if the folder is no run (metrics.csv or config.toml is missing or broken).
std::string run_report(const std::filesystem::path& run_folder, const std::vector<std::string>& classes,
                       const Thumbnail& thumbnail);

}  // namespace effnet::report

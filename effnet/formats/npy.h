// Writes NumPy's .npy files (format 1.0): one float32 array each.
#pragma once

#include <filesystem>
#include <span>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Writes `values` (row-major; their number is the product of `dims`). The file is written completely or not at all.
// Throws Error(environment) if it cannot be written.
void write_npy(const std::filesystem::path& path, std::span<const float> values, const tensor::Dims& dims);

}  // namespace effnet::formats

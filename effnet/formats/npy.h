// NumPy's .npy (format 1.0): one float32 array.
#pragma once

#include <filesystem>
#include <span>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// `values` row-major, as many as `dims` say. Atomic; throws Error(environment).
void write_npy(const std::filesystem::path& path, std::span<const float> values, const tensor::Dims& dims);

}  // namespace effnet::formats

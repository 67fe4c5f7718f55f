// Shared by the fuzz targets of the weight readers. Checks, for any bytes: the reader and locate_weights() return
// weights with valid tensors, or throw Error(input).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/formats/weights_location.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

template <class Parse>
void fuzz_weights(const std::uint8_t* data, std::size_t size, Parse parse) {
  // A copy of exactly this size, so that the sanitizers detect a view beyond its end.
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto owner = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  try {
    const tensor::Weights file = parse(std::span(*owner), owner);
    const tensor::Weights weights = locate_weights(file, name_schemes(), std::nullopt).weights;
    std::size_t total = 0;
    for (const auto& [tensor_name, tensor] : weights.tensors) {
      if (tensor.bytes.size() !=
          static_cast<std::size_t>(tensor::numel(tensor.dims)) * tensor::size_bytes(tensor.dtype)) {
        __builtin_trap();
      }
      for (const std::byte byte : tensor.bytes) total += std::to_integer<std::size_t>(byte);
    }
    if (total == static_cast<std::size_t>(-1)) __builtin_trap();  // uses the sum, so that the compiler keeps the reads
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) __builtin_trap();
  }
}

}  // namespace effnet::formats

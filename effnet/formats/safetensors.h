// The safetensors container: uint64 little-endian header length, a JSON header, then the tensors' bytes.
// Header: {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ..., "__metadata__": {"KEY": "TEXT"}}
// with offsets into the bytes after the header.
//
// Source: the format section of the safetensors project's README (version 0.4 and later).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Maps the file; the tensors are views of the map and keep it alive.
//
// Checks, each with Error(input): header at most 100 MB and inside the file; a JSON object of exactly the form above
// (names once, no fields more or less, at most 64 dimensions; a __metadata__ of null is none); offsets that fit the
// shape; and the data covered from its first byte to its last without overlap or hole. A tensor of a dtype that Tensor
// cannot hold (float8, unsigned 16 to 64 bits) is noted in Weights::unreadable. A file that ends early or is something
// else is told so, with a hint. Memory: a small multiple of the header.
tensor::Weights read_safetensors(const std::filesystem::path& path);
// The same from memory. `owner` keeps `bytes` alive; it goes into every tensor.
tensor::Weights parse_safetensors(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// Writes atomically and with the same bytes for the same weights: tensors by falling element size, then by name, so
// that each is aligned to its element; the data begins at a multiple of 64 bytes. Tensors are streamed, not gathered.
// Throws Error(input) for a name or metadata that is not UTF-8 or a tensor called __metadata__, Error(environment) if
// the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const tensor::Weights& weights);

}  // namespace effnet::formats

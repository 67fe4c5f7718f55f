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
// Throws Error(input) unless: the header has at most 100 MB and is inside the file; it is a JSON object of exactly the
// form above (unique names, no missing or additional fields, at most 64 dimensions; a __metadata__ of null means none);
// the offsets match the shape; the tensors cover all data without overlap or gap. If the file ends early or has another
// format, the message says so, with a hint. A tensor with a dtype that Tensor cannot hold (float8, unsigned 16 to 64
// bits) is listed in Weights::unreadable. Memory: a small multiple of the header.
tensor::Weights read_safetensors(const std::filesystem::path& path);
// As read_safetensors, from memory. `owner` keeps `bytes` alive; every tensor has a reference to it.
tensor::Weights parse_safetensors(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// Writes tensors and metadata. The file is written completely or not at all. The same weights give the same bytes.
// Tensors are sorted by decreasing element size, then by name, so that each tensor is aligned to its element size. The
// data begins at a multiple of 64 bytes. Tensors are streamed. Throws Error(input) if a name or metadata text is not
// UTF-8 or a tensor is named __metadata__, Error(environment) if the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const tensor::Weights& weights);

}  // namespace effnet::formats

// Reads and writes PyTorch's .pth files (state dicts). Reading executes nothing that the pickle contains. torch.load
// opens the written files.
//
// Source: docs/reference/checkpoints.md, section 5; docs/reference/lite_weights.md, section 2; observed files of torch
// 0.4 to 2.x.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Reads both containers; the content decides which one: the ZIP archive of torch 1.6 and later, or the older "legacy"
// container (five pickles, then the raw storages). The file is mapped.
//
// - Names: reads the tensors of the top-level dict, and of nested dicts whose keys weights_location.h knows. Names are
//   dotted: "model_ema.module.features.0.0.weight". Other dicts and entries that are not tensors are ignored.
// - Views: a tensor that is row-major in its storage is a view of the file. Other tensors (strided, expanded) are
//   copied into row-major order. All copies together take at most twice the file's size plus 1 MiB.
// - Weights::unreadable lists the tensors with an unsupported dtype, the tensors beyond the copy limit, and the tensors
//   that are created by a call that effnet does not know. Other objects are ignored. No call is ever executed.
// Throws Error(input) for: TorchScript, the tar files of torch 0.1, big-endian data, a missing or short storage, a view
// outside its storage, more than 64 dimensions, a duplicate name, a file without tensors, and any other file format.
tensor::Weights read_pth(const std::filesystem::path& path);
// As read_pth, from memory. `owner` keeps `bytes` alive; every tensor that views `bytes` has a reference to it.
tensor::Weights parse_pth(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// Writes an OrderedDict of tensors, in the given order, in torch's ZIP container: pickle protocol 2, stored entries,
// data at multiples of 64 bytes, one storage per tensor. The same tensors give the same bytes. The file is written
// completely or not at all; tensors are streamed. torch 1.6 and later can load it, also with weights_only=True and with
// bfloat16. Throws Error(input) for a duplicate name, Error(environment) if the file cannot be written.
void write_pth(const std::filesystem::path& path, const std::vector<std::pair<std::string, tensor::Tensor>>& ordered);

}  // namespace effnet::formats

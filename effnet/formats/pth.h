// PyTorch's .pth files: state dicts, read without running what is pickled in them, and written so that torch.load
// opens them.
//
// Source: docs/reference/checkpoints.md, section 5; docs/reference/lite_weights.md, section 2; files written by torch
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

// Reads both containers, told apart by content: the ZIP of torch 1.6 and later, and the five pickles before the raw
// storages of older ones ("legacy"). The file is mapped.
//
// - Names: the tensors of the top dict, and of the dicts in it whose keys nests.h knows, as dotted names:
//   "model_ema.module.features.0.0.weight". Entries that are no tensors are ignored, and so are other dicts.
// - Views: a tensor that lies row-major in its storage is a view of the file; others (strided, expanded) are copied
//   into row-major order, together at most twice the file's size and 1 MiB.
// - A tensor of another dtype, beyond that limit, or made by a call that is not known is noted in Weights::unreadable.
//   Other calls are objects that say nothing: nothing is ever run.
// Throws Error(input) for: TorchScript, the tar files of torch 0.1, big-endian data, missing or short storages, a view
// that leaves its storage, more than 64 dimensions, names twice, a file without tensors, and what is no .pth.
tensor::Weights read_pth(const std::filesystem::path& path);
// The same from memory. `owner` keeps `bytes` alive; it goes into the tensors that view them.
tensor::Weights parse_pth(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// An OrderedDict of tensors in the order given, in torch's ZIP container (pickle protocol 2, stored entries, data at
// multiples of 64 bytes, each tensor its own storage). The same tensors give the same bytes. Atomic; tensors are
// streamed. torch.load reads it with weights_only, too; torch needs 1.6 or later (bfloat16 likewise).
// Throws Error(input) for a name that occurs twice, Error(environment) if the file cannot be written.
void write_pth(const std::filesystem::path& path, const std::vector<std::pair<std::string, tensor::Tensor>>& ordered);

}  // namespace effnet::formats

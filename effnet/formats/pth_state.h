// Interprets a pickle that torch.save wrote: storages, tensors (views of storages), and dicts of tensors. pth_read.cc
// reads the containers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "effnet/formats/pickle.h"
#include "effnet/formats/zip.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

inline constexpr const char* kSaveStateDict = "save the state dict alone: torch.save(model.state_dict(), path)";

// Calls parse_pickle(). The known globals are those that effnet interprets.
Pickle parse_torch_pickle(std::span<const std::byte> bytes);

// The raw storages of a file, by key. `copy_budget` is the number of bytes that row-major copies of strided and
// expanded tensors may still take. It starts at twice the file's size plus kFreeCopies.
inline constexpr std::uint64_t kFreeCopies = std::uint64_t{1} << 20;
struct Storages {
  std::map<std::string, ZipEntry, std::less<>> by_key;
  std::uint64_t copy_budget = 0;
};

// Returns the element size in bytes of each storage, by key. The size comes from the tensors, because the storages
// themselves do not contain it. Throws Error(input) for an unknown storage type, or if two tensors give one storage
// different sizes.
std::map<std::string_view, std::size_t> element_sizes(const Pickle& pickle);

// Returns the tensors of the top-level dict, and of nested dicts whose keys are words of weights_location.h. The names
// are dotted: "model.module.fc.weight". Limits and errors are those of read_pth (pth.h).
tensor::Weights weights_of(const Pickle& pickle, Storages& storages);

}  // namespace effnet::formats

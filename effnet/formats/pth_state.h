// What a pickle of torch.save means: storages, the views of them that are tensors, and the dicts that hold these. The
// containers that pickle and storages come in are pth_read.cc's.
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

Pickle parse_torch_pickle(std::span<const std::byte> bytes);  // the globals that mean something are known

// Raw storages by key, and how much row-major copying of strided and expanded tensors is allowed in all: twice the
// file's size and kFreeCopies.
inline constexpr std::uint64_t kFreeCopies = std::uint64_t{1} << 20;
struct Storages {
  std::map<std::string, ZipEntry, std::less<>> by_key;
  std::uint64_t copy_budget = 0;
};

// Bytes an element of each storage, which only the tensors that use it know. Throws Error(input) for a type of storage
// that is not known or two sizes of one storage.
std::map<std::string_view, std::size_t> element_sizes(const Pickle& pickle);

// The tensors of the top dict and of the dicts in it under the words of nests.h, by dotted names. Promises and errors
// as in pth.h.
tensor::Weights weights_of(const Pickle& pickle, Storages& storages);

}  // namespace effnet::formats

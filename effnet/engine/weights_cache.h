// Packed weights in a file, mapped at start: a network is ready milliseconds after the process. The file is never
// trusted: another version, CPU set, model or a single wrong byte, and it is not used.
//
// effnet-<key>.packed under a cache folder: a header of one page (magic, format version, key, layout version, number of
// bytes, checksum of header and bytes), then the bytes, 64-byte aligned.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "effnet/engine/packed_weights.h"

namespace effnet::engine {

// What a cached file stands for. Any difference is another file.
struct CacheKey {
  std::string arch;      // the text of the architecture
  std::string weights;   // the identity of the weights: "random seed 0", or path, size and times of a file
  kernels::Isa isa = kernels::Isa::portable;
  // 32 hex digits of all of it, the layout version and effnet's version.
  std::string digest() const;
};
// The identity of a file that cannot change without changing it: absolute path, device, inode, size, modification and
// change times in nanoseconds. Throws Error(input) if there is no such file.
std::string file_identity(const std::filesystem::path& path);

class WeightsCache {
 public:
  // `folder` is made when something is stored; it may be unwritable, then nothing is.
  explicit WeightsCache(std::filesystem::path folder);

  std::filesystem::path path_of(const CacheKey& key) const;
  // Null if there is no file or it is stale, broken, truncated or unreadable. Checks every byte (some 20 GB/s).
  std::shared_ptr<const PackedWeights> find(const graph::Graph& graph, const CacheKey& key) const;
  // Atomic; false with the reason in `why` if the place does not allow it (a full disk is no error: the cache is a
  // convenience). Removes files of older versions of the same key, and the least recently used ones beyond 2 GB.
  bool store(const PackedWeights& weights, const CacheKey& key, std::string& why) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace effnet::engine

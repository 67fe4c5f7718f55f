// A cache of packed weights. Its files are mapped when a program starts, so that a network is ready within
// milliseconds. A file is not trusted: it is used only if version, target, model and every byte are right.
//
// The files are called effnet-<digest>.packed; packed_file.h describes the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "effnet/engine/packed_weights.h"

namespace effnet::engine {

// The key of a cached file. Every different key has its own file.
struct CacheKey {
  std::string arch;     // the text form of the architecture
  std::string weights;  // the identity of the weights: "random 2 seed 0", or a file's identity (file_identity.h)
  kernels::Target target{kernels::Isa::portable};
  // 32 hex digits: a hash of all members, the layout version and effnet's version.
  std::string digest() const;
  // The same hash without the versions. A new file replaces older files with the same subject.
  std::string subject() const;
};

// Several threads and processes may use the same folder at the same time.
class WeightsCache {
 public:
  static constexpr std::uintmax_t kLimitBytes = std::uintmax_t{2} << 30;

  // `folder` is created at the first store(). If it is not writable, nothing is stored.
  explicit WeightsCache(std::filesystem::path folder, std::uintmax_t limit_bytes = kLimitBytes);

  std::filesystem::path path_of(const CacheKey& key) const;
  // Returns null if the file is missing, outdated, corrupt, truncated or unreadable. Checks every byte (21 MB in 1.2
  // ms).
  std::shared_ptr<const PackedWeights> find(const graph::Graph& graph, const CacheKey& key) const;
  // Writes the file atomically. Returns false and sets `why` if the file cannot be written (a full disk, for example);
  // this is not an error, because the cache is optional. Removes files of other versions with the same subject, then
  // the least recently used files beyond the limit. The new file is always kept, even if it alone exceeds the limit.
  // Throws Error(interrupted) after Ctrl-C.
  bool store(const PackedWeights& weights, const CacheKey& key, std::string& why) const;

 private:
  std::filesystem::path folder_;
  std::uintmax_t limit_bytes_;
};

}  // namespace effnet::engine

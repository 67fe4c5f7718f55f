// Packed weights in a file, mapped at start: a network is ready milliseconds after the process. The file is never
// trusted: another version, CPU set, model or a single wrong byte, and it is not used.
//
// effnet-<digest>.packed under a cache folder; packed_file.h has the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "effnet/engine/packed_weights.h"

namespace effnet::engine {

// What a cached file stands for. Any difference is another file.
struct CacheKey {
  std::string arch;     // the text of the architecture
  std::string weights;  // the identity of the weights: "random seed 0", or a file's (file_identity.h)
  kernels::Target target{kernels::Isa::portable};
  // 32 hex digits of all of it, the layout version and effnet's version.
  std::string digest() const;
  // The same without the versions: files of one subject replace each other.
  std::string subject() const;
};

// Usable by several threads and processes at once.
class WeightsCache {
 public:
  static constexpr std::uintmax_t kLimitBytes = std::uintmax_t{2} << 30;

  // `folder` is made when something is stored; it may be unwritable, then nothing is.
  explicit WeightsCache(std::filesystem::path folder, std::uintmax_t limit_bytes = kLimitBytes);

  std::filesystem::path path_of(const CacheKey& key) const;
  // Null if there is no file or it is stale, broken, truncated or unreadable. Checks every byte (21 MB in 1.2 ms).
  std::shared_ptr<const PackedWeights> find(const graph::Graph& graph, const CacheKey& key) const;
  // Atomic; false with the reason in `why` if the place does not allow it (a full disk is no error: the cache is a
  // convenience). Removes files of other versions of the same key, and the least recently used ones beyond the limit;
  // the file just stored stays, even alone beyond it. Throws Error(interrupted) after Ctrl-C.
  bool store(const PackedWeights& weights, const CacheKey& key, std::string& why) const;

 private:
  std::filesystem::path folder_;
  std::uintmax_t limit_bytes_;
};

}  // namespace effnet::engine

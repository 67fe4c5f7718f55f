#include "effnet/engine/weights_cache.h"

#include "effnet/base/error.h"
#include "effnet/engine/weights/packed_file.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;

// The length of each text is written before the text, so different keys give different results.
std::string subject_text(const CacheKey& key) {
  return fmt::format("target {} arch {}:{} weights {}:{}", kernels::name(key.target), key.arch.size(), key.arch,
                     key.weights.size(), key.weights);
}

PackedFileKey file_key(const CacheKey& key) { return {key.digest(), key.subject(), PackedWeights::kLayoutVersion}; }

}  // namespace

std::string CacheKey::digest() const {
  return short_digest(fmt::format("effnet {} format {} layout {} {}", EFFNET_VERSION, kPackedFormatVersion,
                                  PackedWeights::kLayoutVersion, subject_text(*this)));
}

std::string CacheKey::subject() const { return short_digest(subject_text(*this)); }

WeightsCache::WeightsCache(fs::path folder, std::uintmax_t limit_bytes)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}

fs::path WeightsCache::path_of(const CacheKey& key) const { return folder_ / packed_file_name(key.digest()); }

std::shared_ptr<const PackedWeights> WeightsCache::find(const graph::Graph& graph, const CacheKey& key) const {
  const auto size = static_cast<std::size_t>(PackedWeights::size_bytes(graph, key.target));
  auto mapped = read_packed_file(path_of(key), file_key(key), size);
  if (!mapped) return nullptr;
  return PackedWeights::adopt(graph, key.target, mapped->bytes, std::move(mapped->owner));
}

bool WeightsCache::store(const PackedWeights& weights, const CacheKey& key, std::string& why) const {
  EFFNET_CHECK(weights.target() == key.target);
  const fs::path path = path_of(key);
  try {
    write_packed_file(path, file_key(key), weights.bytes());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::environment) throw;
    why = error.what();
    return false;
  }
  tidy_packed_files(path, key.subject(), limit_bytes_);
  return true;
}

}  // namespace effnet::engine

#include "effnet/formats/checkpoint_sum.h"

#include <xxhash.h>

#include <cstdint>
#include <memory>

#include "effnet/base/error.h"

namespace effnet::formats {

std::string checkpoint_sum(const Weights& weights) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> hash(XXH3_createState(), XXH3_freeState);
  EFFNET_CHECK(hash != nullptr);
  XXH3_128bits_reset(hash.get());
  const auto add = [&](const void* data, std::size_t size) {
    const std::uint64_t length = size;  // before the bytes: no two lists of parts are the same stream
    XXH3_128bits_update(hash.get(), &length, sizeof length);
    XXH3_128bits_update(hash.get(), data, size);
  };
  for (const auto& [key, text] : weights.metadata) {
    if (key == kCheckpointSum) continue;
    if (key != kCheckpointState && key != kCheckpointIdentity) add(key.data(), key.size());
    add(text.data(), text.size());
  }
  for (const auto& [name, tensor] : weights.tensors) {
    add(name.data(), name.size());
    add(tensor.dims.data(), tensor.dims.size() * sizeof tensor.dims[0]);
    add(tensor.bytes.data(), tensor.bytes.size());
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(hash.get());
  return fmt::format("xxh128:{:016x}{:016x}", digest.high64, digest.low64);
}

}  // namespace effnet::formats

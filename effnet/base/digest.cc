#include "effnet/base/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstdint>

#include "effnet/base/error.h"

namespace effnet {

struct Digest::State {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> hash{XXH3_createState()};
};

Digest::Digest() : state_(std::make_unique<State>()) {
  EFFNET_CHECK(state_->hash != nullptr);
  XXH3_128bits_reset(state_->hash.get());
}
Digest::~Digest() = default;

void Digest::add(std::span<const std::byte> part) {
  const std::uint64_t length = part.size();
  XXH3_128bits_update(state_->hash.get(), &length, sizeof length);
  XXH3_128bits_update(state_->hash.get(), part.data(), part.size());
}

std::string Digest::hex() const {
  const XXH128_hash_t digest = XXH3_128bits_digest(state_->hash.get());
  return fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
}

}  // namespace effnet

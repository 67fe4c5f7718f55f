#include "effnet/base/digest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <vector>

namespace effnet {
namespace {

std::string digest_of(const std::vector<std::string_view>& parts) {
  Digest digest;
  for (const std::string_view part : parts) digest.add(part);
  return digest.hex();
}

TEST(Digest, EqualsXxh3OfLengthsAndParts) {
  std::string bytes;
  for (const std::string_view part : {"abc", "", "de"}) {
    const std::uint64_t length = part.size();
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes.append(part);
  }
  const XXH128_hash_t expected = XXH3_128bits(bytes.data(), bytes.size());
  EXPECT_EQ(digest_of({"abc", "", "de"}), fmt::format("{:016x}{:016x}", expected.high64, expected.low64));
}

TEST(Digest, DiffersForListsWithTheSameConcatenation) {
  EXPECT_NE(digest_of({"ab", "c"}), digest_of({"a", "bc"}));
  EXPECT_NE(digest_of({"abc"}), digest_of({"abc", ""}));
  EXPECT_EQ(digest_of({}).size(), 32U);
}

}  // namespace
}  // namespace effnet

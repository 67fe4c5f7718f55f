// Whatever bytes lie where packed weights are expected: they are used only if they are what the writer writes for this
// key, which is also checked the other way round, the input taken as weights.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "effnet/engine/weights/packed_file.h"

namespace {

using effnet::engine::is_packed_file;
using effnet::engine::kPackedHeaderBytes;
using effnet::engine::packed_header;

void require(bool condition) {
  if (!condition) __builtin_trap();
}

std::vector<std::byte> written(const effnet::engine::PackedFileKey& key, std::span<const std::byte> bytes) {
  const auto header = packed_header(key, bytes);
  std::vector<std::byte> file(header.size() + bytes.size());
  std::copy(bytes.begin(), bytes.end(), std::copy(header.begin(), header.end(), file.begin()));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const effnet::engine::PackedFileKey key{std::string(32, 'd'), std::string(32, '5'), 1};
  // A copy of exactly this size, so that a sanitizer sees a read that leaves it.
  const auto given = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> input(given.begin(), given.end());

  require(!is_packed_file(input, key, input.size()));
  if (input.size() >= kPackedHeaderBytes) {
    const auto bytes = std::span(input).subspan(kPackedHeaderBytes);
    if (is_packed_file(input, key, bytes.size())) require(written(key, bytes) == input);
  }

  std::vector<std::byte> file = written(key, input);
  require(is_packed_file(file, key, input.size()));
  if (!input.empty()) {  // the input also chooses a bit to flip, and a length to cut to
    const std::size_t place = (static_cast<std::size_t>(data[0]) * 256 + data[size - 1]) % file.size();
    file[place] ^= static_cast<std::byte>(1 << (data[size / 2] % 8));
    require(!is_packed_file(file, key, input.size()));
    require(!is_packed_file(std::span(file).first(place), key, input.size()));
  }
  return 0;
}

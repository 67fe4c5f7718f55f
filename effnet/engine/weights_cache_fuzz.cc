// Fuzzes the reader of packed weights with the fuzzer's input. First, the input is read as a file: it must be accepted
// only if it equals what the writer produces for this key. Second, the input is written as weights: this file must be
// accepted, and changed or truncated copies of it must be rejected.
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

std::vector<std::byte> file_of(const effnet::engine::PackedFileKey& key, std::span<const std::byte> bytes) {
  const auto header = packed_header(key, bytes);
  std::vector<std::byte> file(header.size() + bytes.size());
  std::copy(bytes.begin(), bytes.end(), std::copy(header.begin(), header.end(), file.begin()));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const effnet::engine::PackedFileKey key{std::string(32, 'd'), std::string(32, '5'), 1};
  // A copy of exactly this size, so that a sanitizer detects reads beyond the end.
  const auto given = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> input(given.begin(), given.end());

  require(!is_packed_file(input, key, input.size()));
  if (input.size() >= kPackedHeaderBytes) {
    const auto bytes = std::span(input).subspan(kPackedHeaderBytes);
    if (is_packed_file(input, key, bytes.size())) require(file_of(key, bytes) == input);
  }

  std::vector<std::byte> file = file_of(key, input);
  require(is_packed_file(file, key, input.size()));
  if (!input.empty()) {  // the input also selects a bit to flip and a length to truncate to
    const std::size_t place = (static_cast<std::size_t>(data[0]) * 256 + data[size - 1]) % file.size();
    file[place] ^= static_cast<std::byte>(1 << (data[size / 2] % 8));
    require(!is_packed_file(file, key, input.size()));
    require(!is_packed_file(std::span(file).first(place), key, input.size()));
  }
  return 0;
}

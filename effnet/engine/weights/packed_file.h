// The file format of packed weights, and the folder that holds such files. This file handles bytes only;
// weights_cache.h defines their meaning. A file is not trusted: it is used only if it equals, byte for byte, what
// write_packed_file() would write.
//
// A header of one page, then the bytes, so that they are 64-byte aligned in a mapped file. The header, in the machine's
// byte order (like the weights):
//
//    0  "effnetPW"        8  uint32 format version    12  uint32 layout version of the bytes
//   16  digest, 32 hex digits                         48  subject, 32 hex digits
//   80  uint64 number of bytes                        88  16 bytes checksum        zeros up to 4096
//
// Magic and subject keep their place in all later formats, so that any version finds the files that it replaces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace effnet::engine {

inline constexpr std::size_t kPackedHeaderBytes = 4096;
inline constexpr std::uint32_t kPackedFormatVersion = 1;

// The key of a file. Both texts have 32 hex digits.
struct PackedFileKey {
  std::string digest;   // hash of everything that the bytes depend on, including versions; part of the file name
  std::string subject;  // the same hash without the versions
  std::uint32_t layout_version = 0;
};

// 32 hex digits of XXH3 with 128 bits. Two texts do not share a digest by chance, but the hash is not cryptographic.
std::string short_digest(std::string_view text);

// "effnet-<digest>.packed".
std::string packed_file_name(std::string_view digest);

// The header for these bytes. Its checksum covers header and bytes.
std::array<std::byte, kPackedHeaderBytes> packed_header(const PackedFileKey& key, std::span<const std::byte> bytes);

// Whether `file` is a valid header with this key, followed by exactly `size` bytes that match the checksum. Reads every
// byte: 1.2 ms for a mapped file of 21 MB, of which hashing is 1.05 ms. Prefetching the mapping (MADV_POPULATE_READ,
// MADV_WILLNEED) does not help, also not with a cold page cache (17 ms, limited by the disk).
bool is_packed_file(std::span<const std::byte> file, const PackedFileKey& key, std::size_t size);

struct MappedBytes {
  std::span<const std::byte> bytes;   // without the header, 64-byte aligned
  std::shared_ptr<const void> owner;  // keeps the mapping alive
};
// std::nullopt if the file is missing, unreadable or not valid for this key. A file that is used counts as recently
// used: its modification time is updated if possible.
std::optional<MappedBytes> read_packed_file(const std::filesystem::path& path, const PackedFileKey& key,
                                            std::size_t size);

// Creates the folder and replaces the file atomically. Throws Error(environment) if that is not possible and
// Error(interrupted) after Ctrl-C; an existing file then stays unchanged.
void write_packed_file(const std::filesystem::path& path, const PackedFileKey& key, std::span<const std::byte> bytes);

// Removes from the folder of `kept`: other files with the same subject; then the least recently used files until the
// total is at most `limit_bytes` (`kept` stays, even if it alone exceeds the limit); and temporary files at least an
// hour old, which a process that was killed left behind. Other files are not touched. Errors are ignored, because
// another process may be removing the same files.
void tidy_packed_files(const std::filesystem::path& kept, std::string_view subject, std::uintmax_t limit_bytes);

}  // namespace effnet::engine

// The file format of packed weights, and the folder that holds such files. This file handles bytes only;
// weights_cache.h defines their meaning. A file is not trusted: it is used only if it equals, byte for byte, what
// write_packed_file() would write.
//
// A file is a header of one page (4096 bytes), followed by the bytes of the weights, which are therefore 64-byte
// aligned in a mapped file. The header, in the machine's byte order (like the weights):
//
//    0  "effnetPW"        8  uint32 format version    12  uint32 layout version of the bytes
//   16  digest, 32 hex digits                         48  subject, 32 hex digits
//   80  uint64 number of bytes                        88  16 bytes checksum        zeros up to 4096
//
// The magic "effnetPW" and the subject keep their place in all later formats, so that every version finds the files
// that it replaces.
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

// Returns 32 hex digits: the 128-bit XXH3 hash. Two texts do not have the same digest by chance, but the hash is not
// cryptographic.
std::string short_digest(std::string_view text);

// Returns "effnet-<digest>.packed".
std::string packed_file_name(std::string_view digest);

// Returns the header for these bytes. Its checksum covers header and bytes.
std::array<std::byte, kPackedHeaderBytes> packed_header(const PackedFileKey& key, std::span<const std::byte> bytes);

// Returns true if `file` is a valid header with this key, followed by exactly `size` bytes that match the checksum.
// Reads every byte: this takes 1.2 ms for a mapped file of 21 MB (1.05 ms of them for the hash). Prefetching the
// mapping (MADV_POPULATE_READ, MADV_WILLNEED) is not faster, even if the file is not in the page cache (17 ms, limited
// by the disk).
bool is_packed_file(std::span<const std::byte> file, const PackedFileKey& key, std::size_t size);

struct MappedBytes {
  std::span<const std::byte> bytes;   // without the header, 64-byte aligned
  std::shared_ptr<const void> owner;  // keeps the mapping alive
};
// Returns std::nullopt if the file is missing, unreadable or not valid for this key. Otherwise sets the file's
// modification time to now, if possible, because tidy_packed_files() removes the least recently used files first.
std::optional<MappedBytes> read_packed_file(const std::filesystem::path& path, const PackedFileKey& key,
                                            std::size_t size);

// Creates the folder and replaces the file atomically. Throws Error(environment) if this fails and Error(interrupted)
// after Ctrl-C; an existing file then stays unchanged.
void write_packed_file(const std::filesystem::path& path, const PackedFileKey& key, std::span<const std::byte> bytes);

// Removes from the folder of `kept`: other files with the same subject; then the least recently used files until the
// total is at most `limit_bytes` (`kept` stays, even if it alone exceeds the limit); and temporary files at least an
// hour old, which a process that was killed left behind. Other files are not touched. Errors are ignored, because
// another process may be removing the same files.
void tidy_packed_files(const std::filesystem::path& kept, std::string_view subject, std::uintmax_t limit_bytes);

}  // namespace effnet::engine

// The file that holds packed weights, and the folder of such files. Knows bytes only; weights_cache.h says what they
// are. Nothing in a file is trusted: it is used only if it is, byte for byte, what write_packed_file() would write.
//
// One page of header, then the bytes, so that a mapped file has them 64-byte aligned. The header, in the byte order of
// the machine (as the weights are):
//
//   0  "effnetPW"        8  uint32 format version    12  uint32 layout version of the bytes
//   16 digest, 32 hex digits                         48  subject, 32 hex digits
//   80 uint64 number of bytes                        88  16 bytes checksum        zeros up to 4096
//
// Magic and subject stay where they are in every later format, so that any version finds the files it replaces.
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

// What a file is of. Both texts have 32 hex digits.
struct PackedFileKey {
  std::string digest;   // of all that the bytes depend on, versions included; the file's name
  std::string subject;  // the same without the versions
  std::uint32_t layout_version = 0;
};

// 32 hex digits, XXH3 with 128 bits: no two texts share it by chance (a forger can make some do).
std::string short_digest(std::string_view text);

// "effnet-<digest>.packed".
std::string packed_file_name(std::string_view digest);

// The header of a file of these bytes; its checksum covers both.
std::array<std::byte, kPackedHeaderBytes> packed_header(const PackedFileKey& key, std::span<const std::byte> bytes);

// Whether `file` is a header of this key and exactly `size` bytes that belong to it. Reads every byte: 21 MB of a
// mapped file in 1.2 ms where hashing alone is 1.05 ms, so mapping ahead (MADV_POPULATE_READ, MADV_WILLNEED) brings
// nothing, nor does it with a cold page cache (17 ms, the disk's).
bool is_packed_file(std::span<const std::byte> file, const PackedFileKey& key, std::size_t size);

struct MappedBytes {
  std::span<const std::byte> bytes;   // without the header, 64-byte aligned
  std::shared_ptr<const void> owner;  // keeps them
};
// Empty if there is no such file or it is unreadable or not the one. One that was used counts as recently used (its
// modification time is set, if it may be).
std::optional<MappedBytes> read_packed_file(const std::filesystem::path& path, const PackedFileKey& key,
                                            std::size_t size);

// Makes the folder and replaces the file in one go. Throws Error(environment) if the place does not allow it and
// Error(interrupted) after Ctrl-C; the file that was there then stays.
void write_packed_file(const std::filesystem::path& path, const PackedFileKey& key, std::span<const std::byte> bytes);

// Removes from the folder: files of the same subject other than `kept`, then the least recently used ones until all
// together have at most `limit_bytes` (`kept` stays, even alone beyond it), and what writers left that ended an hour
// ago or more without cleaning up. Touches nothing that is not named as this file names things. Failures are silent:
// another process may be doing the same.
void tidy_packed_files(const std::filesystem::path& kept, std::string_view subject, std::uintmax_t limit_bytes);

}  // namespace effnet::engine

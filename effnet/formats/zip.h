// ZIP archives as torch.save writes them. Reading returns stored entries as views of the archive's bytes; writing makes
// an archive of stored entries in one pass.
//
// Source: PKWARE's APPNOTE.TXT 6.3.9 (4.3 records, 4.5.3 the ZIP64 extra field). libarchive does the reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::formats {

struct ZipEntry {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct ZipContents {
  std::map<std::string, ZipEntry, std::less<>> entries;  // files only, by full name
  std::uint64_t copied_bytes = 0;                        // bytes of entries that are not views, such as deflated ones
};

// Returns every file of the archive and checks its CRC-32. Stored entries are views of `bytes`. Deflated entries are
// inflated; all together may have at most 8 times the archive's size plus 1 MiB (deflate makes weights only about 10 %
// smaller).
// Throws Error(input) for other compression, encryption, links, duplicate names, absolute names, names with "..", wrong
// sizes or checksums, and data above the limit.
ZipContents read_zip(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// Writes stored entries; their data begins at multiples of 64 bytes. There are no times or attributes, so the same
// entries give the same bytes. A size or offset of `zip64_from` or more is written to a ZIP64 record. Only tests set a
// lower `zip64_from`.
class ZipWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  explicit ZipWriter(Sink sink, std::uint64_t zip64_from = 0xffffffff) : sink_(std::move(sink)), limit_(zip64_from) {}

  void add(std::string_view entry_name, std::span<const std::byte> bytes);
  void finish();  // writes the central directory; call it once, after the last add()

 private:
  struct Record {
    std::string name;
    std::uint32_t crc;
    std::uint64_t size;
    std::uint64_t offset;
  };
  void emit(std::span<const std::byte> bytes);

  Sink sink_;
  std::uint64_t limit_;
  std::uint64_t at_ = 0;
  std::vector<Record> records_;
};

std::uint32_t crc32(std::span<const std::byte> bytes);  // polynomial 0xedb88320 (reflected), as in ZIP

}  // namespace effnet::formats

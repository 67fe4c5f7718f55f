// ZIP archives as torch.save makes them: whole entries as views of the archive's bytes, and an archive of stored
// entries written in one pass.
//
// Source: PKWARE's APPNOTE.TXT 6.3.9 (4.3 records, 4.5.3 the ZIP64 extra field). Reading is libarchive's work.
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
  std::uint64_t copied_bytes = 0;                        // what is not a view of the archive: deflated entries
};

// Every file of the archive, checked against its CRC-32. Stored entries are views of `bytes`; deflated ones are
// inflated, all of them together to at most 8 times the archive plus 1 MiB (weights shrink by a tenth).
// Throws Error(input) for anything else: other compression, encryption, links, names twice, absolute names or such with
// "..", sizes or checksums that lie, more than the limit.
ZipContents read_zip(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);

// Writes stored entries whose data begin at multiples of 64 bytes; no times, no attributes, the same bytes for the
// same entries. ZIP64 records appear where a size or offset reaches `zip64_from` (smaller only in tests).
class ZipWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  explicit ZipWriter(Sink sink, std::uint64_t zip64_from = 0xffffffff) : sink_(std::move(sink)), limit_(zip64_from) {}

  void add(std::string_view entry_name, std::span<const std::byte> bytes);
  void finish();  // the central directory; nothing may be added after it

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

std::uint32_t crc32(std::span<const std::byte> bytes);  // the ZIP polynomial, 0xedb88320 reflected

}  // namespace effnet::formats

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <clocale>
#include <functional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/file_kind.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {
namespace {

constexpr std::uint64_t kMaxGrowth = 8;
constexpr std::uint64_t kFreeGrowth = std::uint64_t{1} << 20;
// Block size for libarchive's reader. libarchive computes a block's CRC with 32-bit lengths, so a block must be smaller
// than 4 GiB. An entry whose header crosses a block border is copied instead of viewed, so blocks are large.
constexpr std::size_t kBlock = std::size_t{1} << 30;

struct ArchiveDeleter {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Archive = std::unique_ptr<archive, ArchiveDeleter>;

// Sets a UTF-8 locale for this thread. The program's locale is "C". In that locale, libarchive returns null for a UTF-8
// name with non-ASCII characters. Such names occur: torch before 2.1 puts the file's own name into the archive.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_;
  locale_t before_ = nullptr;
};

// Returns true if the archive's end record is present. It has 22 bytes and a comment of at most 65,535 bytes.
bool has_end(std::span<const std::byte> bytes) {
  constexpr std::string_view kEnd = "PK\x05\x06";
  constexpr std::size_t kRecord = 22, kMax = kRecord + 65535;
  const auto tail = bytes.last(std::min(bytes.size(), kMax));
  const std::string_view text(reinterpret_cast<const char*>(tail.data()), tail.size());
  const std::size_t at = text.rfind(kEnd);
  return at != std::string_view::npos && text.size() - at >= kRecord;
}

Error corrupt(archive* reader) {
  const char* reason = archive_error_string(reader);
  return input_error("corrupt ZIP archive (got {})", in_quotes(reason != nullptr ? reason : "no reason"));
}

// Returns the entry's name. Throws Error(input) for an unsafe name. effnet never opens a file of this name, but
// torch.save never writes an unsafe name, either.
std::string checked_name(archive_entry* entry) {
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
  if (raw == nullptr) {
    throw input_error("ZIP entry with an unreadable name (expected UTF-8, as its flag says)")
        .with_hint("load the file in PyTorch and save it again under an ASCII name");
  }
  std::string entry_name = raw;
  const std::string slashed = "/" + entry_name + "/";
  if (entry_name.empty() || entry_name.front() == '/' || slashed.find("/../") != std::string::npos ||
      entry_name.find('\\') != std::string::npos) {
    throw input_error("ZIP entry with an unsafe name (got {})", in_quotes(entry_name));
  }
  return entry_name;
}

// Returns true for the only warning of libarchive that is accepted: a name in another character set. libarchive also
// gives only a warning if a local header and the central directory have different sizes or checksums. That must be an
// error, because different readers would return different contents.
bool only_a_name(archive* reader, int status) {
  const char* reason = archive_error_string(reader);
  return status == ARCHIVE_WARN && reason != nullptr && std::string_view(reason).starts_with("Pathname");
}

// Throws Error(input) unless the entry is stored or deflated. libarchive supports more methods, but some of them
// allocate gigabytes if a header requests it. libarchive's format name contains the method: "ZIP 2.0 (deflation)".
void check_method(archive* reader, archive_entry* entry, const std::string& entry_name) {
  const char* raw = archive_format_name(reader);
  const std::string_view format = raw != nullptr ? raw : "";
  if (archive_entry_is_encrypted(entry) != 0) {
    throw input_error("ZIP entry {} is encrypted", in_quotes(entry_name));
  }
  if (!format.ends_with("(uncompressed)") && !format.ends_with("(deflation)")) {
    throw input_error("ZIP entry {}: unsupported compression (got {}, expected stored or deflated)",
                      in_quotes(entry_name), in_quotes(format));
  }
}

// Reads one entry's data. For a stored entry, libarchive returns blocks that point into `bytes`. As long as these
// blocks are contiguous, nothing is copied.
class DataReader {
 public:
  DataReader(archive* reader, std::span<const std::byte> bytes, std::uint64_t budget)
      : reader_(reader), bytes_(bytes), budget_(budget) {}

  // Returns a view of the archive, or an entry that owns a copy.
  ZipEntry read(const std::string& entry_name, const std::shared_ptr<const void>& owner) {
    for (;;) {
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader_, &block, &size, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK) throw corrupt(reader_);  // also for ARCHIVE_WARN, which means a wrong checksum
      if (size > 0) take(entry_name, {static_cast<const std::byte*>(block), size});
    }
    if (!copying_) return {view_, owner};
    auto copy = std::make_shared<const std::vector<std::byte>>(std::move(copy_));
    return {std::span(*copy), copy};
  }
  std::uint64_t copied() const { return copied_; }

 private:
  bool inside(std::span<const std::byte> block) const {
    const std::less_equal<const std::byte*> not_after;  // defined for unrelated pointers, unlike <
    return not_after(bytes_.data(), block.data()) &&
           not_after(block.data() + block.size(), bytes_.data() + bytes_.size());
  }

  void take(const std::string& entry_name, std::span<const std::byte> block) {
    if (!copying_ && inside(block) && (view_.empty() || view_.data() + view_.size() == block.data())) {
      view_ = view_.empty() ? block : std::span(view_.data(), view_.size() + block.size());
      return;
    }
    const std::uint64_t more = block.size() + (copying_ ? 0 : view_.size());
    if (more > budget_ - copied_) {
      throw input_error("ZIP entry {}: too large when inflated (expected at most {} times the archive's size)",
                        in_quotes(entry_name), kMaxGrowth);
    }
    copied_ += more;
    if (!copying_) copy_.assign(view_.begin(), view_.end());
    copying_ = true;
    copy_.insert(copy_.end(), block.begin(), block.end());
  }

  archive* reader_;
  std::span<const std::byte> bytes_;
  std::uint64_t budget_;
  std::uint64_t copied_ = 0;
  bool copying_ = false;
  std::span<const std::byte> view_;
  std::vector<std::byte> copy_;
};

}  // namespace

ZipContents read_zip(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  if (!has_end(bytes)) throw input_error("the ZIP archive ends early (got no end record)").with_hint(kIncompleteHint);
  const Utf8Names names;
  const Archive reader(archive_read_new());
  if (reader == nullptr) throw environment_error("out of memory: failed to create a ZIP reader");
  // The seekable reader uses the central directory, as torch does.
  if (archive_read_support_format_zip_seekable(reader.get()) != ARCHIVE_OK ||
      archive_read_open_memory2(reader.get(), bytes.data(), bytes.size(), kBlock) != ARCHIVE_OK) {
    throw corrupt(reader.get());
  }
  const std::uint64_t budget = bytes.size() * kMaxGrowth + kFreeGrowth;
  ZipContents contents;
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && !only_a_name(reader.get(), status)) throw corrupt(reader.get());
    std::string entry_name = checked_name(entry);
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_symlink(entry) != nullptr) {
      throw input_error("ZIP entry {} is not a plain file", in_quotes(entry_name));
    }
    check_method(reader.get(), entry, entry_name);
    DataReader data(reader.get(), bytes, budget - contents.copied_bytes);
    ZipEntry read = data.read(entry_name, owner);
    contents.copied_bytes += data.copied();
    if (archive_entry_size_is_set(entry) == 0 ||
        archive_entry_size(entry) != static_cast<la_int64_t>(read.bytes.size())) {
      throw input_error("ZIP entry {}: wrong size (got {} bytes, expected {})", in_quotes(entry_name),
                        read.bytes.size(), archive_entry_size(entry));
    }
    if (!contents.entries.emplace(entry_name, std::move(read)).second) {
      throw input_error("ZIP entry {} occurs twice", in_quotes(entry_name));
    }
  }
  return contents;
}

}  // namespace effnet::formats

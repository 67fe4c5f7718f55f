#include "effnet/data/tar_index.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"

namespace effnet::data {
namespace {

constexpr std::size_t kLongestName = 4096;
// Bytes per read: enough for a header and the small label after it. The content of images is skipped.
constexpr std::size_t kBlock = 10240;

struct ArchiveDeleter {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

Error corrupt(archive* reader) {
  const char* reason = archive_error_string(reader);
  return input_error("corrupt tar archive (got {})", in_quotes(reason != nullptr ? reason : "unknown reason"))
      .with_hint("shards are uncompressed tar files: decompress .tar.gz files, and copy truncated files again");
}

TarMember member(archive* reader, archive_entry* entry, std::int64_t archive_bytes) {
  TarMember result;
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  if (name == nullptr || *name == '\0') throw input_error("corrupt tar archive: a member has no name");
  result.name = name;
  if (result.name.size() > kLongestName) {
    throw input_error("corrupt tar archive: a name is too long (got {} bytes, expected at most {})", result.name.size(),
                      kLongestName);
  }
  // libarchive has read the headers but not the content, so its position is the beginning of the content.
  result.offset = archive_filter_bytes(reader, 0);
  result.size = archive_entry_size(entry);
  result.plain = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr &&
                 archive_entry_symlink(entry) == nullptr && archive_entry_sparse_count(entry) == 0;
  if (!result.plain) {
    result.size = 0;
    return result;
  }
  if (result.offset < 0 || result.size < 0 || result.offset > archive_bytes ||
      result.size > archive_bytes - result.offset) {
    throw input_error(
        "corrupt tar archive: {} extends beyond the archive's end (got {} bytes at offset {}, expected an end within "
        "{} bytes)",
        in_quotes(result.name), result.size, result.offset, archive_bytes);
  }
  return result;
}

}  // namespace

std::vector<TarMember> index_tar(const std::filesystem::path& path) {
  std::error_code code;
  const auto archive_bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, code));
  if (code) throw input_error("cannot read this file ({})", code.message());
  const std::unique_ptr<archive, ArchiveDeleter> reader(archive_read_new());
  if (reader == nullptr) throw std::bad_alloc();
  // Compression filters stay disabled: to read a member of a compressed archive, everything before it must be
  // decompressed.
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_set_option(reader.get(), "tar", "read_concatenated_archives", "1") != ARCHIVE_OK ||
      archive_read_open_filename(reader.get(), path.c_str(), kBlock) != ARCHIVE_OK) {
    throw corrupt(reader.get());
  }
  std::vector<TarMember> members;
  while (true) {
    check_interrupt();
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return members;
    // The warnings are about names in another character set and unusual attributes, which do not matter here.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) throw corrupt(reader.get());
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    members.push_back(member(reader.get(), entry, archive_bytes));
  }
}

}  // namespace effnet::data

#include "effnet/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"

namespace effnet::formats {

std::vector<std::byte> read_zip_entry(const std::filesystem::path& path, std::string_view entry_name,
                                      std::size_t most_bytes) {
  const MappedFile file(path);
  const std::unique_ptr<::archive, int (*)(::archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_zip_seekable(reader.get());
  const auto broken = [&] {
    const char* why = archive_error_string(reader.get());
    return input_error("{}: broken zip archive ({})", path.string(), why == nullptr ? "unknown reason" : why);
  };
  if (archive_read_open_memory(reader.get(), file.bytes().data(), file.bytes().size()) != ARCHIVE_OK) throw broken();
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || entry_name != name) continue;
    std::vector<std::byte> bytes;
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    while (true) {
      check_interrupt();
      const la_ssize_t got = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (got < 0) throw broken();
      if (got == 0) return bytes;
      if (bytes.size() + static_cast<std::size_t>(got) > most_bytes) {
        throw input_error("{}: {} is too large (got over {} bytes)", path.string(), in_quotes(entry_name), most_bytes);
      }
      bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + got);
    }
  }
  if (code != ARCHIVE_EOF) throw broken();
  throw input_error("{}: the archive lacks an entry (expected {})", path.string(), in_quotes(entry_name));
}

}  // namespace effnet::formats

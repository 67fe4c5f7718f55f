#include "effnet/base/cache_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

namespace effnet {
namespace {

namespace fs = std::filesystem;

struct CachedFile {
  fs::path path;
  std::uintmax_t size = 0;
  fs::file_time_type used;
};

}  // namespace

void mark_used(const fs::path& path) noexcept { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

void remove_least_recently_used(const fs::path& kept, const std::function<bool(std::string_view name)>& is_cached,
                                std::uintmax_t limit_bytes) {
  std::vector<CachedFile> files;
  std::uintmax_t total = 0;
  std::error_code code;
  for (fs::directory_iterator entry(kept.parent_path(), code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    std::error_code gone;
    if (!is_cached(name) || !entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    const CachedFile file{entry->path(), entry->file_size(gone), entry->last_write_time(gone)};
    if (gone) continue;
    total += file.size;
    if (name != kept.filename()) files.push_back(file);
  }
  std::sort(files.begin(), files.end(), [](const CachedFile& a, const CachedFile& b) {
    return a.used != b.used ? a.used < b.used : a.path < b.path;
  });
  for (const CachedFile& file : files) {
    if (total <= limit_bytes) break;
    fs::remove(file.path, code);
    total -= file.size;
  }
}

}  // namespace effnet

// Files of a cache folder. The modification time of such a file is the time of its last use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace effnet {

// Sets the file's modification time to now, if possible.
void mark_used(const std::filesystem::path& path) noexcept;

// Removes the least recently used files from the folder of `kept` until the total size is at most `limit_bytes`. Only
// regular files whose names `is_cached` accepts are counted and removed. `kept` stays, even if it alone exceeds the
// limit. Errors are ignored, because another process may be removing the same files.
void remove_least_recently_used(const std::filesystem::path& kept,
                                const std::function<bool(std::string_view name)>& is_cached,
                                std::uintmax_t limit_bytes);

}  // namespace effnet

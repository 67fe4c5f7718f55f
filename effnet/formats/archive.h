// One file out of a zip archive (a wheel), by libarchive.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

namespace effnet::formats {

// The entry's bytes, inflated. Throws Error(input) if the archive is broken, lacks the entry, or the entry is larger
// than `most_bytes` (checked while reading: sizes in the archive are not trusted).
std::vector<std::byte> read_zip_entry(const std::filesystem::path& archive, std::string_view entry_name,
                                      std::size_t most_bytes);

}  // namespace effnet::formats

// Reads the positions of all files in a tar archive once, so that any of them can be read by one pread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace effnet::data {

struct TarMember {
  std::string name;
  std::int64_t offset = 0, size = 0;  // of the content; always within the archive
  bool plain = true;                  // false: a link, a device or a sparse file, which has no content to read
};

// Returns the members in order, without folders. Throws Error(input) without the path for a file that is not an
// uncompressed tar archive, that is truncated, or that has a member beyond its end or a name above 4096 bytes. Memory
// is bounded by the archive's size, because a member takes at least 512 bytes of it.
std::vector<TarMember> index_tar(const std::filesystem::path& path);

}  // namespace effnet::data

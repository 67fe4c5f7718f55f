// Reads the positions of all files in a tar archive once. Afterwards each file can be read with one pread().
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace effnet::data {

struct TarMember {
  std::string name;
  std::int64_t offset = 0, size = 0;  // of the content, in bytes; always within the archive
  bool plain = true;                  // false: a link, a device or a sparse file, which has no content to read
};

// Returns the members in their order in the archive, without folders. Throws Error(input) if the file is not an
// uncompressed tar archive, if it is truncated, if a member extends beyond its end, or if a name is longer than 4096
// bytes; the message does not contain the path. The memory for the result is bounded by the archive's size, because a
// member takes at least 512 bytes of the archive.
std::vector<TarMember> index_tar(const std::filesystem::path& path);

}  // namespace effnet::data

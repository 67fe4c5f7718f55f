// Where the files of a tar archive lie, read once, so that any of them is one pread away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace effnet::data {

struct TarMember {
  std::string name;
  std::int64_t offset = 0, size = 0;  // of the content, in the archive; within it
  bool plain = true;                  // false: a link, a device, a sparse file: no content to read
};

// The members in order, folders left out. Throws Error(input) without the path for what is no uncompressed tar archive,
// is cut, or has a member that reaches beyond its end or a name above 4096 bytes. Memory is bounded by the archive's
// size: a member takes 512 bytes of it or more.
std::vector<TarMember> index_tar(const std::filesystem::path& path);

}  // namespace effnet::data

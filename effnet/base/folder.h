// Lists the entries of a folder. Used instead of std::filesystem's iterator, which ends the process when memory runs
// out and does not react to Ctrl-C.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace effnet {

using FileId = std::pair<std::uint64_t, std::uint64_t>;  // device and inode: the same for all paths to one file

struct FolderEntry {
  std::string name;
  unsigned mode = 0;  // file type bits of st_mode; of a link: of its target, 0 if that is missing
  FileId id{};        // not set for regular files

  bool is_folder() const noexcept;
  bool is_file() const noexcept;  // a regular file
  bool is_hidden() const noexcept { return name.starts_with('.'); }
};

// All entries except "." and "..", sorted by name. Throws Error(input) with the folder's path if the folder cannot be
// read, and Error(interrupted) after a signal.
std::vector<FolderEntry> list_folder(const std::filesystem::path& folder);

// The ids of the folder and of all its parents, first along the path as written, then along the path with all links
// resolved. The first id is the folder's own.
std::vector<FileId> with_parents(const std::filesystem::path& folder);

}  // namespace effnet

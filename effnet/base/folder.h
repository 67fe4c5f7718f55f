// What lies in a folder. std::filesystem's iterator ends the process where memory ends, and waits for no Ctrl-C.
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
  unsigned mode = 0;  // st_mode's type of what the entry leads to, links followed; 0: it leads nowhere
  FileId id{};        // of a folder only

  bool is_folder() const noexcept;
  bool is_file() const noexcept;  // a regular one
  bool is_hidden() const noexcept { return name.starts_with('.'); }
};

// All entries but "." and "..", sorted by name. Throws Error(input) that names the folder if it cannot be read, and
// Error(interrupted).
std::vector<FolderEntry> list_folder(const std::filesystem::path& folder);

// The folder and all those above it, by the path as it is written and by where it really lies.
std::vector<FileId> folders_above(const std::filesystem::path& folder);

}  // namespace effnet

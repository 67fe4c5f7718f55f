// Files as effnet needs them: read-only maps, writes that appear whole or not at all, and a lock between processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace effnet {

// A whole file, mapped read-only. Pages are read as they are touched; the view lives as long as the object.
// A file that another process truncates while it is mapped faults on access (as with every memory map).
class MappedFile {
 public:
  // Throws Error(input) if the path is missing, a directory or unreadable. An empty file gives an empty span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Writes to a temporary name beside `path`; commit() syncs and renames it over `path`. Destroyed without commit(), or
// ended by an exception, it leaves what was there before and no temporary file. A file that was there gives its
// permissions to the new one; else these are 0666 without the umask. Throws Error(environment) with the system's reason
// (no space, no permission, missing folder).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  std::filesystem::path path_;
  std::string temporary_;
  std::optional<unsigned> mode_;  // of the file that was there
  int descriptor_ = -1;
};

// An exclusive lock on `path` (created if missing) between processes, held until destroyed. `waited` tells whether
// somebody else held it first.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  // Without waiting: null if somebody else holds it.
  static std::unique_ptr<FileLock> try_lock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool waited() const noexcept { return waited_; }

 private:
  FileLock() = default;
  int descriptor_ = -1;
  bool waited_ = false;
};

// A fresh folder under the system's temporary directory, or under `parent`; removed with everything in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::filesystem::path& parent = {});
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& path);                   // whole file; Error(input)
void write_text(const std::filesystem::path& path, std::string_view text);  // atomic; Error(environment)
void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes);
void make_folders(const std::filesystem::path& path);  // mkdir -p; Error(environment)
std::string sha256(std::span<const std::byte> bytes);  // 64 hex digits

}  // namespace effnet

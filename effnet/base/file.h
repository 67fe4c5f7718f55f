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
#include <vector>

namespace effnet {

// What stands at a path or behind a descriptor, in words: "a folder", "a FIFO", "a socket", "a device", "a file".
std::string_view kind_of_file(unsigned mode);  // st_mode

// An open file to read. Its type is looked at before it is opened, so that a FIFO or a device is an error at once and
// nothing waits. A path that names a descriptor which this process already has (/dev/stdin, /dev/fd/63: what a shell
// makes of `<(command)`) may also be a pipe or a socket; is_regular() is false then.
class OpenFile {
 public:
  // Throws Error(input) without the path if it is missing, a folder, a special file or unreadable.
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_regular() const noexcept { return regular_; }
  std::int64_t size() const noexcept { return size_; }  // in bytes, when it was opened; 0 for a pipe
  // Up to `bytes.size()` bytes; 0 at the end. A pipe is waited for. Throws Error(input) without the path, and
  // Error(interrupted). read_at() is for regular files.
  std::size_t read(std::span<std::byte> bytes) const;
  std::size_t read_at(std::span<std::byte> bytes, std::int64_t offset) const;
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
  bool regular_ = true;
  std::int64_t size_ = 0;
};

// A whole file, mapped read-only. Pages are read as they are touched; the view lives as long as the object.
// A file that another process truncates while it is mapped faults on access (as with every memory map).
// A pipe that OpenFile takes is read to its end into memory, at most 1 GiB.
class MappedFile {
 public:
  // Throws Error(input) if the path is missing, a folder, a special file or unreadable. An empty file gives an empty
  // span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::vector<std::byte> piped_;  // what a pipe gave; nothing is mapped then
};

// Writes to a temporary name beside `path`; commit() syncs and renames it over `path`. Destroyed without commit(), or
// ended by an exception, it leaves what was there before and no temporary file. Links are followed: what they point to
// is replaced. A file that was there gives its permissions and, where this process may, its owner to the new one; else
// the permissions are 0666 without the umask. (Another name of the same file, a hard link, keeps the old content.)
// What can be no temporary file is written through, as it comes: a FIFO (whose reader is waited for), a character
// device such as /dev/null, and a path that names a descriptor of this process (/dev/stdout, /dev/fd/3).
// Throws Error(environment) with the system's reason (no space, no permission, missing folder), and for a folder, a
// block device and a socket.
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
  struct Before {  // the file that was there
    unsigned mode, owner, group;
  };
  std::filesystem::path path_;    // as given, for messages
  std::filesystem::path target_;  // behind all links
  std::string temporary_;         // empty: written through
  std::optional<Before> before_;
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

std::string read_text(const std::filesystem::path& path);                   // whole file or pipe; Error(input)
void write_text(const std::filesystem::path& path, std::string_view text);  // atomic; Error(environment)
void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes);
void make_folders(const std::filesystem::path& path);  // mkdir -p; Error(environment)
std::string sha256(std::span<const std::byte> bytes);  // 64 hex digits

}  // namespace effnet

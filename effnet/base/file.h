// File access: read-only memory maps, atomic writes, and locks between processes.
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

// The kind of a file in words: "a folder", "a FIFO", "a socket", "a device", "a link" or "a file".
std::string_view kind_of_file(unsigned mode);  // st_mode

// A file opened for reading. The type is checked before the file is opened: a FIFO or a device is an error at once,
// without waiting. If the path names a descriptor of this process (/dev/stdin, or /dev/fd/63, which a shell creates for
// `<(command)`), the file may also be a pipe or a socket; is_regular() is then false.
class OpenFile {
 public:
  // Throws Error(input) if the path is missing, a folder, a special file or unreadable. The message does not contain
  // the path.
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_regular() const noexcept { return regular_; }
  std::int64_t size() const noexcept { return size_; }  // in bytes, when the file was opened; 0 for a pipe
  // Reads up to `bytes.size()` bytes and returns their number; 0 at the end of the file. read() waits for the data of a
  // pipe. read_at() is for regular files only. Both throw Error(input), whose message does not contain the path; read()
  // also throws Error(interrupted).
  std::size_t read(std::span<std::byte> bytes) const;
  std::size_t read_at(std::span<std::byte> bytes, std::int64_t offset) const;
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
  bool regular_ = true;
  std::int64_t size_ = 0;
};

// A whole file, mapped read-only. The system reads pages on first access. The span of bytes() stays valid while the
// object exists. If another process truncates the file while it is mapped, reading the lost bytes ends this process
// with SIGBUS (as with every memory map). A pipe (see OpenFile) is read to its end into memory, at most 1 GiB.
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
  std::vector<std::byte> piped_;  // the bytes read from a pipe; if not empty, no file is mapped
};

// Writes a file atomically. write() appends to a temporary file in the same folder; commit() syncs the temporary file
// and renames it to `path`. Without commit(), or after an exception, the old file stays and the temporary file is
// removed.
//
// Symbolic links are followed, and the file that they point to is replaced. Other hard links to the replaced file keep
// the old content. The new file gets the permissions of the file that it replaces and also its owner, if this process
// may set the owner. If there is no old file, the permissions are 0666 minus the umask.
//
// Three kinds of path have no temporary file and are written directly: a FIFO (the constructor waits for its reader), a
// character device such as /dev/null, and a path that names a descriptor of this process (/dev/stdout, /dev/fd/3).
//
// Throws Error(environment) with the system's reason (no space, no permission, missing folder), and if `path` is a
// folder, a block device or a socket.
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
  struct Attributes {
    unsigned mode, owner, group;
  };
  std::filesystem::path path_;          // as given, for messages
  std::filesystem::path target_;        // with all links resolved
  std::string temporary_;               // path of the temporary file; empty if the path is written directly
  std::optional<Attributes> replaced_;  // of the file that will be replaced; empty if there is none
  int descriptor_ = -1;
};

// An exclusive lock between processes on the file `path`, which is created if missing. The constructor waits for the
// lock; the destructor releases it. waited() is true if another process or object held the lock at first. The
// constructor throws Error(environment) if the file cannot be opened or locked, and Error(interrupted) if a signal
// arrives while it waits.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  // Does not wait. Returns null if the lock is held elsewhere. Throws Error(environment).
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

// A new folder in the system's temporary directory, or in `parent`. The destructor removes it with all its contents.
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

std::string extension_of(const std::filesystem::path& path);                // in lower case: ".csv" of x.CSV
std::string read_text(const std::filesystem::path& path);                   // whole file or pipe; Error(input)
void write_text(const std::filesystem::path& path, std::string_view text);  // atomic; Error(environment)
void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes);
void make_folders(const std::filesystem::path& path);  // mkdir -p; Error(environment)
std::string sha256(std::span<const std::byte> bytes);  // 64 hex digits

}  // namespace effnet

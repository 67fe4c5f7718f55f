#include "effnet/base/file.h"

#include <fcntl.h>
#include <sha2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"

namespace effnet {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // the kernel's limit of symbolic links in one path

std::string reason(int code) { return std::strerror(code); }

Error write_error(const fs::path& path, int code) {
  return environment_error("{}: cannot write ({})", path.string(), reason(code));
}

Error not_writable_kind(const fs::path& path, unsigned mode) {
  return environment_error("{}: cannot write (got {}, expected a file name)", path.string(), kind_of_file(mode));
}

// Creates a new file and returns its descriptor, or -1 with errno. Replaces the six X at the end of `path` by random
// letters and digits. Unlike mkostemp() it takes a mode, to which the kernel applies the umask. A library cannot read
// the umask itself: umask() returns the old value only when it sets a new one, for all threads of the process.
int open_new(std::string& path, mode_t mode) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr std::size_t kRandom = 6;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::array<unsigned char, kRandom> random{};
    if (::getentropy(random.data(), random.size()) != 0) return -1;
    for (std::size_t i = 0; i < kRandom; ++i) path[path.size() - kRandom + i] = kDigits[random[i] % kDigits.size()];
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

// The descriptor of this process that `path` names: 3 for /dev/fd/3, 1 for /dev/stdout (a link to /proc/self/fd/1).
// Empty for other paths. Opening such a path again would lose the file position, and is impossible for a socket.
std::optional<int> named_descriptor(fs::path path) {
  std::error_code code;
  for (int links = 0; links < kMaxLinks; ++links) {
    const fs::path folder = path.parent_path();
    if (folder == "/dev/fd" || folder == "/proc/self/fd") {
      const std::string digits = path.filename().string();
      int number = 0;
      const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (failure == std::errc{} && end == digits.data() + digits.size()) return number;
      return {};
    }
    const fs::path next = fs::read_symlink(path, code);
    if (code) return {};
    path = next.is_absolute() ? next : folder / next;
  }
  return {};
}

// The path with all links resolved. The last target need not exist.
fs::path resolve_links(fs::path path) {
  for (int links = 0; links < kMaxLinks; ++links) {
    std::error_code code;
    const fs::path next = fs::read_symlink(path, code);
    if (code) return path;
    path = next.is_absolute() ? next : path.parent_path() / next;
  }
  return path;
}

Error not_a_file(unsigned mode) {
  return input_error("cannot read (got {}, expected a file)", kind_of_file(mode))
      .with_hint(S_ISFIFO(mode) ? "connect the FIFO to stdin and read /dev/stdin: COMMAND ... /dev/stdin < FIFO" : "");
}

std::vector<std::byte> read_pipe(const OpenFile& file, std::size_t most) {
  constexpr std::size_t kStep = std::size_t{1} << 16;
  std::vector<std::byte> bytes;
  while (true) {
    const std::size_t done = bytes.size();
    if (done > most)
      throw input_error("the pipe's data is too long (got more than {0} bytes, expected at most {0})", most);
    bytes.resize(done + kStep);
    const std::size_t got = file.read(std::span(bytes).subspan(done));
    bytes.resize(done + got);
    if (got == 0) return bytes;
  }
}

constexpr std::size_t kMaxPipedBytes = std::size_t{1} << 30;

}  // namespace

std::string_view kind_of_file(unsigned mode) {
  return S_ISDIR(mode)                    ? "a folder"
         : S_ISFIFO(mode)                 ? "a FIFO"
         : S_ISSOCK(mode)                 ? "a socket"
         : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
         : S_ISLNK(mode)                  ? "a link"
                                          : "a file";
}

OpenFile::OpenFile(const fs::path& path) {
  const std::optional<int> own = named_descriptor(path);
  struct stat status {};
  if ((own ? ::fstat(*own, &status) : ::stat(path.c_str(), &status)) != 0)
    throw input_error("cannot read ({})", reason(errno));
  regular_ = S_ISREG(status.st_mode);
  const bool pipe = own && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
  if (!regular_ && !pipe) throw not_a_file(status.st_mode);
  // O_NONBLOCK: after the check above, a FIFO may have replaced the file, and opening a FIFO would wait.
  descriptor_ = pipe ? ::fcntl(*own, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw input_error("cannot read ({})", reason(errno));
  if (pipe) return;
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw not_a_file(status.st_mode);
  }
  size_ = status.st_size;
}

OpenFile::~OpenFile() { ::close(descriptor_); }

std::size_t OpenFile::read(std::span<std::byte> bytes) const {
  while (true) {
    const ssize_t got = ::read(descriptor_, bytes.data(), bytes.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw input_error("cannot read ({})", reason(errno));
    check_interrupt();
  }
}

std::size_t OpenFile::read_at(std::span<std::byte> bytes, std::int64_t offset) const {
  while (true) {
    const ssize_t got = ::pread(descriptor_, bytes.data(), bytes.size(), offset);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw input_error("cannot read ({})", reason(errno));
  }
}

MappedFile::MappedFile(const fs::path& path) try {
  const OpenFile file(path);
  size_ = static_cast<std::size_t>(file.size());
  if (!file.is_regular()) {
    piped_ = read_pipe(file, kMaxPipedBytes);
    if (!piped_.empty()) data_ = piped_.data();
    size_ = piped_.size();
  } else if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (address == MAP_FAILED) throw environment_error("cannot map into memory ({})", reason(errno));
    data_ = static_cast<const std::byte*>(address);
  }
} catch (const Error& error) {
  if (error.code() == ErrorCode::interrupted) throw;
  throw error.in(path.string());
}

MappedFile::~MappedFile() {
  if (piped_.empty() && data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  if (path_.filename().empty()) throw not_writable_kind(path_, S_IFDIR);
  const std::optional<int> own = named_descriptor(path_);
  struct stat status {};
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && (S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) || (S_ISSOCK(status.st_mode) && !own)))
    throw not_writable_kind(path_, status.st_mode);
  if (own || (exists && !S_ISREG(status.st_mode))) {
    do {  // opening a FIFO waits for its reader
      descriptor_ = own ? ::fcntl(*own, F_DUPFD_CLOEXEC, 3) : ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
      if (descriptor_ < 0 && errno == EINTR) check_interrupt();
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) throw write_error(path_, errno);
    return;
  }
  if (exists) replaced_ = Attributes{status.st_mode & 0777, status.st_uid, status.st_gid};
  target_ = resolve_links(path_);
  std::error_code ignored;
  if (fs::is_symlink(target_, ignored)) throw write_error(path_, ELOOP);
  // A file name has at most 255 bytes; the temporary name adds 8 bytes to the target's.
  constexpr std::size_t kLongestPart = 240;
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  temporary_ = (folder / ("." + target_.filename().string().substr(0, kLongestPart) + ".XXXXXX")).string();
  descriptor_ = open_new(temporary_, replaced_ ? replaced_->mode : 0666);
  if (descriptor_ < 0) throw write_error(path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  // In steps of 16 MiB, so that Ctrl-C takes effect at once in a long write.
  constexpr std::size_t kStep = std::size_t{16} << 20;
  while (!bytes.empty()) {
    check_interrupt();
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kStep));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw write_error(path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (!temporary_.empty()) {
    // The owner is set before the permissions, because fchown() may clear permission bits. Only root may change the
    // owner; for other users fchown() fails, and the file keeps this process's owner.
    if (replaced_ && (replaced_->owner != ::geteuid() || replaced_->group != ::getegid()))
      std::ignore = ::fchown(descriptor_, replaced_->owner, replaced_->group);
    if ((replaced_ && ::fchmod(descriptor_, replaced_->mode) != 0) || ::fsync(descriptor_) != 0 ||
        ::rename(temporary_.c_str(), target_.c_str()) != 0) {
      throw write_error(path_, errno);
    }
  }
  const int descriptor = std::exchange(descriptor_, -1);
  // A temporary file was synced above; only a path that is written directly can still fail here.
  if (::close(descriptor) != 0 && temporary_.empty()) throw write_error(path_, errno);
}

FileLock::FileLock(const fs::path& path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw write_error(path, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  waited_ = true;
  while (::flock(descriptor_, LOCK_EX) != 0) {
    if (errno == EINTR && !interrupted()) continue;
    const int code = errno;
    ::close(descriptor_);
    check_interrupt();
    throw environment_error("{}: cannot lock ({})", path.string(), reason(code));
  }
}

std::unique_ptr<FileLock> FileLock::try_lock(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) throw write_error(path, errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    std::unique_ptr<FileLock> lock(new FileLock);
    lock->descriptor_ = descriptor;
    return lock;
  }
  const int code = errno;
  ::close(descriptor);
  if (code == EWOULDBLOCK) return nullptr;
  throw environment_error("{}: cannot lock ({})", path.string(), reason(code));
}

FileLock::~FileLock() { ::close(descriptor_); }

TemporaryFolder::TemporaryFolder(const fs::path& parent) {
  const fs::path folder = parent.empty() ? fs::temp_directory_path() : parent;
  std::string name = (folder / "effnet-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw write_error(folder, errno);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string extension_of(const fs::path& path) { return lower_case(path.extension().string()); }

std::string read_text(const fs::path& path) try {
  // Read, not mapped, because an editor may change the file in place while the text is in use.
  const OpenFile file(path);
  if (!file.is_regular()) {
    const std::vector<std::byte> bytes = read_pipe(file, kMaxPipedBytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const std::size_t got = file.read(std::as_writable_bytes(std::span(text)).subspan(done));
    if (got == 0) break;
    done += got;
  }
  text.resize(done);
  return text;
} catch (const Error& error) {
  if (error.code() == ErrorCode::interrupted) throw;
  throw error.in(path.string());
}

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_text(const fs::path& path, std::string_view text) { write_bytes(path, std::as_bytes(std::span(text))); }

void make_folders(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) throw environment_error("{}: cannot create this folder ({})", path.string(), code.message());
}

std::string sha256(std::span<const std::byte> bytes) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::string digest(SHA256_DIGEST_STRING_LENGTH, '\0');
  SHA256End(&context, digest.data());
  digest.resize(SHA256_DIGEST_STRING_LENGTH - 1);
  return digest;
}

}  // namespace effnet

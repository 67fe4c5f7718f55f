#include "effnet/base/file.h"

#include <fcntl.h>
#include <sha2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"

namespace effnet {
namespace {

namespace fs = std::filesystem;

std::string reason(int code) { return std::strerror(code); }

Error unwritable(const fs::path& path, int code) {
  return environment_error("{}: cannot write ({})", path.string(), reason(code));
}

// Creates a new file and returns its descriptor. The six X at the end of `path` become random letters and digits.
// As mkostemp(), but with a mode: the kernel applies the umask to it. A library cannot read the umask without setting
// it for every thread of the process.
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

// Opens and checks that it is a regular file, so that a directory or a pipe fails here and not in a reader.
int open_regular(const fs::path& path, std::size_t& size) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw input_error("{}: cannot read ({})", path.string(), reason(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw input_error("{}: cannot read (got {}, expected a file)", path.string(),
                      S_ISDIR(status.st_mode) ? "a folder" : "something that is not a regular file");
  }
  size = static_cast<std::size_t>(status.st_size);
  return descriptor;
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) {
  const int descriptor = open_regular(path, size_);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int code = errno;
    ::close(descriptor);
    if (address == MAP_FAILED) throw environment_error("{}: cannot map into memory ({})", path.string(), reason(code));
    data_ = static_cast<const std::byte*>(address);
  } else {
    ::close(descriptor);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;  // a place that cannot even be looked at fails below, with the reason
  if (path_.filename().empty() || fs::is_directory(path_, ignored)) {
    throw environment_error("{}: cannot write (got a folder, expected a file name)", path_.string());
  }
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  temporary_ = (folder / ("." + path_.filename().string() + ".XXXXXX")).string();
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0) mode_ = status.st_mode & 0777;
  descriptor_ = open_new(temporary_, mode_.value_or(0666));
  if (descriptor_ < 0) throw unwritable(path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  // In steps, so that Ctrl-C during a gigabyte is answered at once.
  constexpr std::size_t kStep = std::size_t{16} << 20;
  while (!bytes.empty()) {
    check_interrupt();
    const ssize_t written = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kStep));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw unwritable(path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if ((mode_ && ::fchmod(descriptor_, *mode_) != 0) || ::fsync(descriptor_) != 0 ||
      ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw unwritable(path_, errno);
  }
  ::close(descriptor_);
  descriptor_ = -1;
}

FileLock::FileLock(const fs::path& path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw unwritable(path, errno);
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
  if (descriptor < 0) throw unwritable(path, errno);
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
  const fs::path place = parent.empty() ? fs::temp_directory_path() : parent;
  std::string name = (place / "effnet-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw unwritable(place, errno);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_text(const fs::path& path) {
  // Read, not mapped: a text may be edited in place while we hold it.
  std::size_t size = 0;
  const int descriptor = open_regular(path, size);
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(descriptor, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  text.resize(done);
  return text;
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
  if (code) throw environment_error("{}: cannot make this folder ({})", path.string(), code.message());
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

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ < 0) throw input_error("cannot open this file ({})", std::strerror(errno));
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

}  // namespace

// Opened for each read: 10 us beside the milliseconds of decoding, and a thousand shards need no descriptors.
std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::int64_t offset, std::int64_t size) {
  const Descriptor file(path);
  struct stat about {};
  if (::fstat(file.value(), &about) != 0) throw input_error("cannot read this file ({})", std::strerror(errno));
  if (!S_ISREG(about.st_mode)) throw input_error("not a regular file");
  const auto length = static_cast<std::int64_t>(about.st_size);
  if (offset < 0 || offset > length || size > length - offset)
    throw input_error("the file is too short (got {} bytes, expected {} at {})", length, size, offset);
  if (size < 0) size = length - offset;
  if (size > kMaxPictureBytes)
    throw input_error("the file is too large for a picture (got {} bytes, expected at most {})", size,
                      kMaxPictureBytes);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ::ssize_t got =
        ::pread(file.value(), bytes.data() + done, bytes.size() - done, offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw input_error("cannot read this file ({})", std::strerror(errno));
    if (got == 0) throw input_error("the file ended early (got {} bytes, expected {})", done, bytes.size());
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string relative_name(const std::filesystem::path& root, const std::filesystem::path& path) {
  return path.lexically_relative(root).generic_string();
}

std::optional<std::int64_t> class_number(std::string_view text) {
  if (text.empty() || text.size() > 9) return {};
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 0) return {};
  return value;
}

}  // namespace effnet::data

#include "effnet/transfer/feature_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "effnet/base/cache_files.h"
#include "effnet/base/digest.h"
#include "effnet/base/error.h"

namespace effnet::transfer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 32, kHeaderBytes = 64;
constexpr std::string_view kMagic = "effnetFT", kPrefix = "effnet-", kSuffix = ".features";

bool is_feature_file(std::string_view name) { return name.starts_with(kPrefix) && name.ends_with(kSuffix); }

std::string digest_of(std::string_view text) {
  Digest digest;
  digest.add(text);
  return digest.hex();
}

std::string header_of(const std::string& digest) {
  std::string header = std::string(kMagic) + digest;
  header.resize(kHeaderBytes);
  return header;
}

// A file descriptor that is closed at the end of the scope.
struct Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

Error system_error(const char* what) { return environment_error("{}: {}", what, std::strerror(errno)); }

bool read_whole(const OpenFile& file, std::span<std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const std::size_t got = file.read_at(bytes, offset);
    if (got == 0) return false;
    bytes = bytes.subspan(got);
    offset += static_cast<std::int64_t>(got);
  }
  return true;
}

void write_whole(int descriptor, std::span<const std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) throw system_error("cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += done;
  }
}

}  // namespace

FeatureCache::FeatureCache(const fs::path& folder, std::string_view key, std::int64_t width, std::uintmax_t limit_bytes)
    : digest_(digest_of(fmt::format("width {} {}", width, key))), width_(width), limit_bytes_(limit_bytes) {
  EFFNET_CHECK(width > 0);
  path_ = folder / fmt::format("{}{}{}", kPrefix, digest_, kSuffix);
  try {
    file_ = std::make_unique<OpenFile>(path_);
    if (!file_->is_regular()) file_.reset();
    read_index();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input && error.code() != ErrorCode::environment) throw;
    file_.reset();
    index_.clear();
  }
}

std::size_t FeatureCache::record_bytes() const {
  return 2 * kDigits + static_cast<std::size_t>(width_) * sizeof(float);
}

std::string FeatureCache::record_digest(std::string_view image, std::span<const std::byte> values) const {
  Digest digest;
  digest.add(digest_);
  digest.add(image);
  digest.add(values);
  return digest.hex();
}

void FeatureCache::read_index() {
  if (!file_) return;
  std::string header(kHeaderBytes, '\0');
  if (!read_whole(*file_, std::as_writable_bytes(std::span(header)), 0) || header != header_of(digest_)) {
    file_.reset();
    return;
  }
  const auto each = static_cast<std::int64_t>(record_bytes());
  const std::int64_t records = (file_->size() - static_cast<std::int64_t>(kHeaderBytes)) / each;
  std::string image(kDigits, '\0');
  for (std::int64_t i = 0; i < records; ++i) {
    if (!read_whole(*file_, std::as_writable_bytes(std::span(image)),
                    static_cast<std::int64_t>(kHeaderBytes) + i * each))
      break;
    index_[image] = i;  // of two records for one image the later one counts, because the first may be damaged
  }
  mark_used(path_);
}

bool FeatureCache::find(const std::string& image, std::span<float> values) const {
  const auto found = index_.find(image);
  if (found == index_.end()) return false;
  std::vector<std::byte> record(record_bytes());
  const std::int64_t offset =
      static_cast<std::int64_t>(kHeaderBytes) + found->second * static_cast<std::int64_t>(record.size());
  try {
    if (!read_whole(*file_, record, offset)) return false;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    return false;
  }
  const std::span<const std::byte> content = std::span(record).subspan(kDigits, values.size_bytes());
  const std::string digest = record_digest(image, content);
  if (std::memcmp(record.data(), image.data(), kDigits) != 0 ||
      std::memcmp(record.data() + record.size() - kDigits, digest.data(), kDigits) != 0)
    return false;
  std::memcpy(values.data(), content.data(), content.size());
  return true;
}

void FeatureCache::append(const std::vector<std::byte>& records) const {
  make_folders(path_.parent_path());
  const FileLock lock(path_.parent_path() / "lock");
  const Descriptor file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
  if (file.number < 0) throw system_error("cannot open");
  struct stat status {};
  if (::fstat(file.number, &status) != 0) throw system_error("cannot examine");
  if (!S_ISREG(status.st_mode)) throw environment_error("not a file (got {})", kind_of_file(status.st_mode));

  const std::string expected = header_of(digest_);
  std::string header(kHeaderBytes, '\0');
  std::int64_t end = kHeaderBytes;
  if (::pread(file.number, header.data(), header.size(), 0) == static_cast<ssize_t>(kHeaderBytes) &&
      header == expected) {
    const auto each = static_cast<std::int64_t>(record_bytes());
    end += (status.st_size - end) / each * each;
  } else {
    if (::ftruncate(file.number, 0) != 0) throw system_error("cannot truncate");
    write_whole(file.number, std::as_bytes(std::span(expected)), 0);
  }
  if (static_cast<std::uintmax_t>(end) + records.size() > limit_bytes_)
    throw environment_error("the file has reached its largest size (got {} bytes, expected at most {})",
                            static_cast<std::uintmax_t>(end) + records.size(), limit_bytes_);
  if (::ftruncate(file.number, end) != 0) throw system_error("cannot truncate");
  write_whole(file.number, records, end);
  remove_least_recently_used(path_, is_feature_file, limit_bytes_);
}

bool FeatureCache::store(std::span<const Entry> entries, std::string& why) const {
  std::vector<std::byte> records;
  records.reserve(entries.size() * record_bytes());
  for (const Entry& entry : entries) {
    EFFNET_CHECK(entry.image.size() == kDigits && std::ssize(entry.values) == width_);
    const std::span<const std::byte> values = std::as_bytes(entry.values);
    const std::string digest = record_digest(entry.image, values);
    for (const std::span<const std::byte> part :
         {std::as_bytes(std::span(entry.image)), values, std::as_bytes(std::span(digest))})
      records.insert(records.end(), part.begin(), part.end());
  }
  try {
    append(records);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::environment) throw;
    why = fmt::format("{}: {}", path_.string(), error.what());
    return false;
  }
  return true;
}

}  // namespace effnet::transfer

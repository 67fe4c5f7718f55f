#include "effnet/engine/weights/packed_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <system_error>

#include "effnet/base/cache_files.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 32;
constexpr std::string_view kMagic = "effnetPW";
constexpr std::string_view kPrefix = "effnet-";
constexpr std::string_view kSuffix = ".packed";
constexpr auto kAbandoned = std::chrono::hours(1);

struct Header {
  char magic[8] = {};
  std::uint32_t format_version = kPackedFormatVersion;
  std::uint32_t layout_version = 0;
  char digest[kDigits] = {};
  char subject[kDigits] = {};
  std::uint64_t size = 0;
  XXH128_canonical_t checksum = {};
};
static_assert(offsetof(Header, digest) == 16 && offsetof(Header, subject) == 48 && offsetof(Header, size) == 80 &&
              offsetof(Header, checksum) == 88 && sizeof(Header) == 104 && std::is_trivially_copyable_v<Header>);

bool is_packed_name(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size()) return false;
  return name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The name of an AtomicFile's temporary file: ".NAME.XXXXXX".
bool is_temporary_name(std::string_view name) {
  constexpr std::size_t kTail = 7;
  return name.size() > kTail + 1 && name.front() == '.' && name[name.size() - kTail] == '.' &&
         is_packed_name(name.substr(1, name.size() - 1 - kTail));
}

std::string subject_of(const fs::path& path) {
  Header header;
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(&header), sizeof(header))) return {};
  if (std::string_view(header.magic, sizeof(header.magic)) != kMagic) return {};
  return {header.subject, kDigits};
}

}  // namespace

std::string short_digest(std::string_view text) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.data(), text.size()));
  std::string digits;
  for (const unsigned char byte : canonical.digest) digits += fmt::format("{:02x}", byte);
  return digits;
}

std::string packed_file_name(std::string_view digest) { return fmt::format("{}{}{}", kPrefix, digest, kSuffix); }

std::array<std::byte, kPackedHeaderBytes> packed_header(const PackedFileKey& key, std::span<const std::byte> bytes) {
  EFFNET_CHECK(key.digest.size() == kDigits && key.subject.size() == kDigits);
  Header header;
  std::memcpy(header.magic, kMagic.data(), sizeof(header.magic));
  header.layout_version = key.layout_version;
  std::memcpy(header.digest, key.digest.data(), kDigits);
  std::memcpy(header.subject, key.subject.data(), kDigits);
  header.size = bytes.size();

  // The checksum is the hash of the bytes. Its seed is the hash of the header up to the checksum.
  const XXH64_hash_t seed = XXH3_64bits(&header, offsetof(Header, checksum));
  XXH128_canonicalFromHash(&header.checksum, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
  std::array<std::byte, kPackedHeaderBytes> page{};
  std::memcpy(page.data(), &header, sizeof(header));
  return page;
}

bool is_packed_file(std::span<const std::byte> file, const PackedFileKey& key, std::size_t size) {
  if (file.size() < kPackedHeaderBytes || file.size() - kPackedHeaderBytes != size) return false;
  const auto header = packed_header(key, file.subspan(kPackedHeaderBytes));
  return std::memcmp(file.data(), header.data(), header.size()) == 0;
}

std::optional<MappedBytes> read_packed_file(const fs::path& path, const PackedFileKey& key, std::size_t size) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return std::nullopt;  // opening a FIFO would block until a writer opens it
  try {
    const auto file = std::make_shared<const MappedFile>(path);
    if (!is_packed_file(file->bytes(), key, size)) return std::nullopt;
    mark_used(path);
    return MappedBytes{file->bytes().subspan(kPackedHeaderBytes), file};
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_packed_file(const fs::path& path, const PackedFileKey& key, std::span<const std::byte> bytes) {
  // If there is a FIFO or device at the path, AtomicFile writes into it (base/file.h). That is right for output paths
  // of the user, but not for the cache, so the FIFO or device is removed.
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) fs::remove(path, ignored);
  make_folders(path.parent_path());
  AtomicFile file(path);
  file.write(packed_header(key, bytes));
  file.write(bytes);
  file.commit();
}

void tidy_packed_files(const fs::path& kept, std::string_view subject, std::uintmax_t limit_bytes) {
  std::error_code code;
  const fs::file_time_type now = fs::file_time_type::clock::now();
  for (fs::directory_iterator entry(kept.parent_path(), code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    const fs::file_time_type used = entry->last_write_time(gone);
    if (gone) continue;
    const bool replaced = is_packed_name(name) && name != kept.filename() && subject_of(entry->path()) == subject;
    const bool abandoned = is_temporary_name(name) && now - used >= kAbandoned;
    if (replaced || abandoned) fs::remove(entry->path(), gone);
  }
  remove_least_recently_used(kept, is_packed_name, limit_bytes);
}

}  // namespace effnet::engine

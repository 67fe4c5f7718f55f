#include "effnet/engine/weights/packed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/engine/weights/packed_testing.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::minutes;
using testing::UnorderedElementsAre;
using testkit::names_in;
using testkit::WithoutRootRights;

const PackedFileKey kKey{short_digest("a"), short_digest("b"), 3};

std::vector<std::byte> some_bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  return bytes;
}

std::vector<std::byte> file_of(const PackedFileKey& key, std::span<const std::byte> bytes) {
  const auto header = packed_header(key, bytes);
  std::vector<std::byte> file(header.size() + bytes.size());
  std::copy(bytes.begin(), bytes.end(), std::copy(header.begin(), header.end(), file.begin()));
  return file;
}

// ---- The format

TEST(PackedFile, HeadersArePinned) {
  const auto header = packed_header(kKey, some_bytes(100));
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  EXPECT_EQ(text.substr(0, 8), "effnetPW");
  EXPECT_EQ(text.substr(16, 32), kKey.digest);
  EXPECT_EQ(text.substr(48, 32), kKey.subject);
  std::uint32_t versions[2];
  std::memcpy(versions, header.data() + 8, sizeof(versions));
  EXPECT_EQ(versions[0], 1U);
  EXPECT_EQ(versions[1], 3U);
  std::uint64_t size = 0;
  std::memcpy(&size, header.data() + 80, sizeof(size));
  EXPECT_EQ(size, 100U);
  EXPECT_EQ(text.substr(104), std::string(kPackedHeaderBytes - 104, '\0'));
  // XXH3 of the empty text, from the specification's sample implementation.
  EXPECT_EQ(short_digest(""), "99aa06d3014798d86001c324468d497f");
}

TEST(PackedFile, AnyFlippedBitIsRejected) {
  const auto bytes = some_bytes(320);
  auto file = file_of(kKey, bytes);
  ASSERT_TRUE(is_packed_file(file, kKey, bytes.size()));
  std::size_t accepted = 0;
  for (std::byte& byte : file) {
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= static_cast<std::byte>(1 << bit);
      accepted += is_packed_file(file, kKey, bytes.size()) ? 1 : 0;
      byte ^= static_cast<std::byte>(1 << bit);
    }
  }
  EXPECT_EQ(accepted, 0U);
  EXPECT_TRUE(is_packed_file(file, kKey, bytes.size()));
}

TEST(PackedFile, AnyOtherLengthIsRejected) {
  const auto bytes = some_bytes(320);
  auto file = file_of(kKey, bytes);
  std::size_t accepted = 0;
  for (std::size_t length = 0; length < file.size(); ++length) {
    const auto part = std::span(file).first(length);
    accepted += is_packed_file(part, kKey, bytes.size()) ? 1 : 0;
    // The file must be rejected even if the expected size is exactly the remaining length.
    if (length >= kPackedHeaderBytes) accepted += is_packed_file(part, kKey, length - kPackedHeaderBytes) ? 1 : 0;
  }
  EXPECT_EQ(accepted, 0U);
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size() - 1));
  EXPECT_FALSE(is_packed_file(file, kKey, static_cast<std::size_t>(-1)));
  file.push_back(std::byte{0});
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size()));
  EXPECT_TRUE(is_packed_file(file_of(kKey, {}), kKey, 0));
}

TEST(PackedFile, AFileOfAnotherKeyIsRejected) {
  const auto bytes = some_bytes(320);
  const auto file = file_of(kKey, bytes);
  EXPECT_FALSE(is_packed_file(file, {short_digest("other"), kKey.subject, 3}, bytes.size()));
  EXPECT_FALSE(is_packed_file(file, {kKey.digest, short_digest("other"), 3}, bytes.size()));
  EXPECT_FALSE(is_packed_file(file, {kKey.digest, kKey.subject, 4}, bytes.size()));
}

// Only the format version is changed.
TEST(PackedFile, AnotherFormatVersionIsRejected) {
  const auto bytes = some_bytes(320);
  auto file = file_of(kKey, bytes);
  file[8] = std::byte{2};
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size()));
}

TEST(PackedFile, ReturnsTheWrittenBytesAligned) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "made" / "here" / packed_file_name(kKey.digest);
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, std::size_t{1} << 20}) {
    const auto bytes = some_bytes(size);
    write_packed_file(path, kKey, bytes);
    auto mapped = read_packed_file(path, kKey, size);
    ASSERT_TRUE(mapped.has_value()) << size;
    fs::remove(path);  // a mapping stays valid after its file is removed
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), mapped->bytes.begin(), mapped->bytes.end()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapped->bytes.data()) % 64, 0U);
  }
}

// ---- The folder

TEST(PackedFolder, UnreadableFilesAreIgnored) {
  const TemporaryFolder folder;
  const auto bytes = some_bytes(320);
  const fs::path path = folder.path() / packed_file_name(kKey.digest);
  EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "no file";
  EXPECT_FALSE(read_packed_file(folder.path() / "none" / "file", kKey, bytes.size()).has_value());

  fs::create_directory(path);
  EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "a folder";
  fs::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "a pipe";
  tidy_packed_files(folder.path() / packed_file_name(short_digest("new")), kKey.subject, 0);
  write_packed_file(path, kKey, bytes);  // replaces the FIFO without blocking
  EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
  fs::remove(path);
  fs::create_symlink("nowhere", path);
  EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "a broken link";
  fs::remove(path);
  write_text(path, "");
  EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "an empty file";

  write_packed_file(path, kKey, bytes);
  fs::permissions(folder.path(), fs::perms::all);
  fs::permissions(path, fs::perms::none);
  {
    const WithoutRootRights guard;
    EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "unreadable";
  }
  fs::permissions(path, fs::perms::owner_read);
  EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
}

TEST(PackedFolder, AReadOnlyFolderIsReadAndNotChanged) {
  const TemporaryFolder folder;
  const auto bytes = some_bytes(320);
  const fs::path path = folder.path() / packed_file_name(kKey.digest);
  write_packed_file(path, kKey, bytes);
  const fs::path lost = folder.path() / ("." + packed_file_name(kKey.digest) + ".abcdef");
  write_text(lost, "");
  fs::last_write_time(lost, fs::file_time_type::clock::now() - hours(2));
  fs::permissions(path, fs::perms{0444});
  fs::permissions(folder.path(), fs::perms{0555});
  {
    const WithoutRootRights guard;
    EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
    tidy_packed_files(folder.path() / packed_file_name(short_digest("new")), kKey.subject, 0);
    EXPECT_THROW(write_packed_file(path, kKey, bytes), Error);
  }
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
  fs::permissions(folder.path(), fs::perms{0755});
}

TEST(PackedFolder, TheLeastRecentlyUsedFilesAreRemovedFirst) {
  const TemporaryFolder folder;
  const auto now = fs::file_time_type::clock::now();
  std::vector<PackedFileKey> keys;
  std::vector<fs::path> paths;
  for (int i = 0; i < 5; ++i) {
    keys.push_back({short_digest(std::to_string(i)), short_digest("subject" + std::to_string(i)), 1});
    paths.push_back(folder.path() / packed_file_name(keys.back().digest));
    write_packed_file(paths.back(), keys.back(), some_bytes(904));  // with the header, 5000 bytes per file
    fs::last_write_time(paths.back(), now - minutes(10 - i));
  }
  // Other files are not removed, even if their names are similar.
  const std::vector<std::string> strangers{"effnet-.packed", "effnet-" + std::string(32, 'g') + ".packed", "other",
                                           packed_file_name(std::string(32, '0')) + ".bak"};
  for (const std::string& name : strangers) write_text(folder.path() / name, std::string(9000, 'x'));
  fs::create_directory(folder.path() / packed_file_name(std::string(32, '1')));
  fs::create_symlink("other", folder.path() / packed_file_name(std::string(32, '2')));

  ASSERT_TRUE(read_packed_file(paths[0], keys[0], 904).has_value());  // file 1 is now the least recently used
  tidy_packed_files(paths[4], keys[4].subject, 25000);
  EXPECT_EQ(names_in(folder.path()).size(), 5 + strangers.size() + 2) << "all fit";
  tidy_packed_files(paths[4], keys[4].subject, 15000);
  EXPECT_TRUE(fs::exists(paths[0]) && fs::exists(paths[3]) && fs::exists(paths[4]));
  EXPECT_FALSE(fs::exists(paths[1]) || fs::exists(paths[2]));
  tidy_packed_files(paths[3], keys[3].subject, 0);
  EXPECT_TRUE(fs::exists(paths[3])) << "the new file stays, even if it alone exceeds the limit";
  EXPECT_EQ(names_in(folder.path()).size(), 1 + strangers.size() + 2);
}

TEST(PackedFolder, OtherVersionsOfTheSameSubjectAreRemoved) {
  const TemporaryFolder folder;
  const PackedFileKey old{short_digest("old"), kKey.subject, 2};
  const PackedFileKey other{short_digest("x"), short_digest("y"), 3};
  for (const PackedFileKey& key : {kKey, old, other}) {
    write_packed_file(folder.path() / packed_file_name(key.digest), key, some_bytes(64));
  }
  // A file with a valid name but without a full header: its subject is unknown.
  write_text(folder.path() / packed_file_name(short_digest("short")), "effnetPW");
  tidy_packed_files(folder.path() / packed_file_name(kKey.digest), kKey.subject, 1 << 20);
  EXPECT_THAT(names_in(folder.path()),
              UnorderedElementsAre(packed_file_name(kKey.digest), packed_file_name(other.digest),
                                   packed_file_name(short_digest("short"))));
}

TEST(PackedFolder, OldTemporaryFilesAreRemoved) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / packed_file_name(kKey.digest);
  write_packed_file(path, kKey, some_bytes(64));
  const std::string fresh = "." + packed_file_name(kKey.digest) + ".abcdef";
  const std::string lost = "." + packed_file_name(short_digest("l")) + ".AbC123";
  for (const std::string& name : {fresh, lost}) write_text(folder.path() / name, "x");
  fs::last_write_time(folder.path() / lost, fs::file_time_type::clock::now() - hours(2));
  tidy_packed_files(path, kKey.subject, 1 << 20);
  EXPECT_THAT(names_in(folder.path()), UnorderedElementsAre(path.filename().string(), fresh));
}

// Each process writes its own bytes. A reader sees the complete bytes of one of them.
TEST(PackedFolder, TwoProcessesMayStoreAtOnce) {
  constexpr std::size_t kSize = 200000;
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache" / packed_file_name(kKey.digest);
  std::vector<pid_t> children;
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const std::vector<std::byte> bytes(kSize, static_cast<std::byte>(i));
      int code = 0;
      try {
        for (int round = 0; round < 20; ++round) {
          write_packed_file(path, kKey, bytes);
          tidy_packed_files(path, kKey.subject, 0);
        }
      } catch (const Error&) {
        code = 1;
      }
      _exit(code);
    }
    children.push_back(child);
  }
  bool there = false;
  std::set<std::byte> seen;
  for (std::size_t ended = 0; ended < children.size();) {
    int status = 0;
    if (::waitpid(children[ended], &status, WNOHANG) != 0) {
      EXPECT_EQ(status, 0);
      ++ended;
    }
    const auto mapped = read_packed_file(path, kKey, kSize);
    EXPECT_TRUE(mapped.has_value() || !there) << "an existing file disappeared or became corrupt";
    if (!mapped) continue;
    there = true;
    seen.insert(mapped->bytes.front());
    EXPECT_EQ(std::count(mapped->bytes.begin(), mapped->bytes.end(), mapped->bytes.front()), kSize);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(seen.empty());
  EXPECT_THAT(names_in(path.parent_path()), UnorderedElementsAre(path.filename().string()));
}

}  // namespace
}  // namespace effnet::engine

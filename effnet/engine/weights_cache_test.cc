#include "effnet/engine/weights_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <set>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/engine/packed_file.h"
#include "effnet/graph/builder.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

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

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

// File permissions do not bind root, so these tests take the rights of nobody meanwhile.
class AsNobody {
 public:
  AsNobody() : root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsNobody() {
    if (!root_) return;
    EXPECT_EQ(::seteuid(0), 0);
  }

 private:
  bool root_;
};

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

TEST(PackedFile, AnyOtherBitIsNoSuchFile) {
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

TEST(PackedFile, AnyOtherLengthIsNoSuchFile) {
  const auto bytes = some_bytes(320);
  auto file = file_of(kKey, bytes);
  std::size_t accepted = 0;
  for (std::size_t length = 0; length < file.size(); ++length) {
    const auto part = std::span(file).first(length);
    accepted += is_packed_file(part, kKey, bytes.size()) ? 1 : 0;
    // Also where the graph asks for just what is left.
    if (length >= kPackedHeaderBytes) accepted += is_packed_file(part, kKey, length - kPackedHeaderBytes) ? 1 : 0;
  }
  EXPECT_EQ(accepted, 0U);
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size() - 1));
  EXPECT_FALSE(is_packed_file(file, kKey, static_cast<std::size_t>(-1)));
  file.push_back(std::byte{0});
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size()));
  EXPECT_TRUE(is_packed_file(file_of(kKey, {}), kKey, 0));
}

TEST(PackedFile, AnotherKeyIsAnotherFile) {
  const auto bytes = some_bytes(320);
  const auto file = file_of(kKey, bytes);
  EXPECT_FALSE(is_packed_file(file, {short_digest("other"), kKey.subject, 3}, bytes.size()));
  EXPECT_FALSE(is_packed_file(file, {kKey.digest, short_digest("other"), 3}, bytes.size()));
  EXPECT_FALSE(is_packed_file(file, {kKey.digest, kKey.subject, 4}, bytes.size()));
}

// A newer writer's file whose checksum is right for what it says: only the version differs.
TEST(PackedFile, AnotherFormatVersionIsNoSuchFile) {
  const auto bytes = some_bytes(320);
  auto file = file_of(kKey, bytes);
  file[8] = std::byte{2};
  EXPECT_FALSE(is_packed_file(file, kKey, bytes.size()));
}

TEST(PackedFile, ReadsWhatWasWrittenAligned) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "made" / "here" / packed_file_name(kKey.digest);
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, std::size_t{1} << 20}) {
    const auto bytes = some_bytes(size);
    write_packed_file(path, kKey, bytes);
    auto mapped = read_packed_file(path, kKey, size);
    ASSERT_TRUE(mapped.has_value()) << size;
    fs::remove(path);  // a map outlives its file's name
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), mapped->bytes.begin(), mapped->bytes.end()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapped->bytes.data()) % 64, 0U);
  }
}

// ---- The folder

TEST(PackedFolder, WhatCannotBeReadIsNotThere) {
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
    const AsNobody nobody;
    EXPECT_FALSE(read_packed_file(path, kKey, bytes.size()).has_value()) << "unreadable";
  }
  fs::permissions(path, fs::perms::owner_read);
  EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
}

TEST(PackedFolder, AReadOnlyFolderIsReadAndLeftAlone) {
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
    const AsNobody nobody;
    EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
    tidy_packed_files(folder.path() / packed_file_name(short_digest("new")), kKey.subject, 0);
    EXPECT_THROW(write_packed_file(path, kKey, bytes), Error);
  }
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  EXPECT_TRUE(read_packed_file(path, kKey, bytes.size()).has_value());
  fs::permissions(folder.path(), fs::perms{0755});
}

TEST(PackedFolder, TheLeastRecentlyUsedGoFirst) {
  const TemporaryFolder folder;
  const auto now = fs::file_time_type::clock::now();
  std::vector<PackedFileKey> keys;
  std::vector<fs::path> paths;
  for (int i = 0; i < 5; ++i) {
    keys.push_back({short_digest(std::to_string(i)), short_digest("subject" + std::to_string(i)), 1});
    paths.push_back(folder.path() / packed_file_name(keys.back().digest));
    write_packed_file(paths.back(), keys.back(), some_bytes(904));  // 5000 bytes a file
    fs::last_write_time(paths.back(), now - minutes(10 - i));
  }
  // Strangers stay, whatever they are called.
  const std::vector<std::string> strangers{"effnet-.packed", "effnet-" + std::string(32, 'g') + ".packed", "other",
                                           packed_file_name(std::string(32, '0')) + ".bak"};
  for (const std::string& name : strangers) write_text(folder.path() / name, std::string(9000, 'x'));
  fs::create_directory(folder.path() / packed_file_name(std::string(32, '1')));
  fs::create_symlink("other", folder.path() / packed_file_name(std::string(32, '2')));

  ASSERT_TRUE(read_packed_file(paths[0], keys[0], 904).has_value());  // so 1 is the oldest now
  tidy_packed_files(paths[4], keys[4].subject, 25000);
  EXPECT_EQ(names_in(folder.path()).size(), 5 + strangers.size() + 2) << "all fit";
  tidy_packed_files(paths[4], keys[4].subject, 15000);
  EXPECT_TRUE(fs::exists(paths[0]) && fs::exists(paths[3]) && fs::exists(paths[4]));
  EXPECT_FALSE(fs::exists(paths[1]) || fs::exists(paths[2]));
  tidy_packed_files(paths[3], keys[3].subject, 0);
  EXPECT_TRUE(fs::exists(paths[3])) << "the one just stored stays, even alone beyond the limit";
  EXPECT_EQ(names_in(folder.path()).size(), 1 + strangers.size() + 2);
}

TEST(PackedFolder, FilesOfOtherVersionsOfTheSameSubjectGo) {
  const TemporaryFolder folder;
  const PackedFileKey old{short_digest("old"), kKey.subject, 2};
  const PackedFileKey other{short_digest("x"), short_digest("y"), 3};
  for (const PackedFileKey& key : {kKey, old, other}) {
    write_packed_file(folder.path() / packed_file_name(key.digest), key, some_bytes(64));
  }
  // Named as ours, but no header in it: only its age counts.
  write_text(folder.path() / packed_file_name(short_digest("short")), "effnetPW");
  tidy_packed_files(folder.path() / packed_file_name(kKey.digest), kKey.subject, 1 << 20);
  EXPECT_THAT(names_in(folder.path()),
              UnorderedElementsAre(packed_file_name(kKey.digest), packed_file_name(other.digest),
                                   packed_file_name(short_digest("short"))));
}

TEST(PackedFolder, AbandonedTemporariesGo) {
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

// Every process writes its own bytes; whoever reads meanwhile sees one's or the other's, whole.
TEST(PackedFolder, TwoProcessesStoringAtOnce) {
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
    EXPECT_TRUE(mapped.has_value() || !there) << "a file that was there went or broke";
    if (!mapped) continue;
    there = true;
    seen.insert(mapped->bytes.front());
    EXPECT_EQ(std::count(mapped->bytes.begin(), mapped->bytes.end(), mapped->bytes.front()), kSize);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(seen.empty());
  EXPECT_THAT(names_in(path.parent_path()), UnorderedElementsAre(path.filename().string()));
}

// ---- The cache

graph::Graph small_graph(std::int64_t classes = 4) {
  graph::Builder builder("small", {3, 5, 5});
  graph::NodeId x = builder.add("a.conv", graph::Conv{.out_channels = 24, .bias = true}, {0});
  x = builder.add("a.bn", graph::BatchNorm{}, {x});
  x = builder.add("a.act", graph::Activate{}, {x});
  x = builder.add("pool", graph::GlobalPool{}, {x});
  builder.graph().logits = builder.add("classifier", graph::Linear{classes}, {x});
  return builder.graph();
}

std::shared_ptr<const PackedWeights> pack(const graph::Graph& graph) {
  formats::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()), 0.5F);
    weights.tensors[parameter.name] = formats::make_tensor(parameter.dims, std::move(values));
  }
  ThreadPool pool(1);
  return PackedWeights::pack(graph, Parameters(weights), kernels::Isa::portable, pool);
}

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

TEST(WeightsCache, FindsWhatItStored) {
  const TemporaryFolder folder;
  const WeightsCache cache(folder.path() / "cache");
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const CacheKey key{"arch", "random seed 0"};
  EXPECT_EQ(cache.find(graph, key), nullptr);
  EXPECT_FALSE(fs::exists(folder.path() / "cache")) << "looking makes no folder";
  std::string why;
  ASSERT_TRUE(cache.store(*packed, key, why)) << why;
  EXPECT_THAT(names_in(folder.path() / "cache"), UnorderedElementsAre("effnet-" + key.digest() + ".packed"));
  const auto found = cache.find(graph, key);
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(same(found->bytes(), packed->bytes()));
  EXPECT_EQ(found->isa(), packed->isa());
  EXPECT_EQ(cache.find(small_graph(4000), key), nullptr) << "another number of bytes";
  EXPECT_EQ(cache.find(graph, {"arch", "random seed 1"}), nullptr);
}

TEST(WeightsCache, ABrokenFileIsReplaced) {
  const TemporaryFolder folder;
  const WeightsCache cache(folder.path());
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const CacheKey key{"arch", "weights"};
  std::string why;
  const auto damaged = [&](const auto& damage) {
    ASSERT_TRUE(cache.store(*packed, key, why)) << why;
    damage(cache.path_of(key));
    EXPECT_EQ(cache.find(graph, key), nullptr);
    ASSERT_TRUE(cache.store(*packed, key, why)) << why;
    const auto found = cache.find(graph, key);
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(same(found->bytes(), packed->bytes()));
  };
  damaged([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 1); });
  damaged([](const fs::path& path) { fs::resize_file(path, 0); });
  damaged([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) + 1); });
  damaged([](const fs::path& path) { write_text(path, "not weights"); });
  for (const off_t place : {off_t{0}, off_t{20}, off_t{90}, off_t{4000}, off_t{4096}, off_t{5000}}) {
    damaged([&](const fs::path& path) {
      std::string text = read_text(path);
      text[static_cast<std::size_t>(place)] ^= 0x10;
      write_text(path, text);
    });
  }
}

TEST(WeightsCache, PlacesThatCannotHoldItSayWhy) {
  const TemporaryFolder folder;
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const CacheKey key{"arch", "weights"};
  const auto refused = [&](const fs::path& place) {
    const WeightsCache cache(place);
    std::string why;
    EXPECT_FALSE(cache.store(*packed, key, why)) << place;
    EXPECT_EQ(cache.find(graph, key), nullptr) << place;
    return why;
  };
  EXPECT_THAT(refused("/proc/effnet"), HasSubstr("/proc/effnet"));
  write_text(folder.path() / "file", "x");
  EXPECT_THAT(refused(folder.path() / "file"), HasSubstr("file"));
  EXPECT_THAT(refused(folder.path() / "file" / "below"), HasSubstr("below"));
  fs::create_directories(folder.path() / "taken" / ("effnet-" + key.digest() + ".packed") / "full");
  EXPECT_THAT(refused(folder.path() / "taken"), HasSubstr("a folder"));
  fs::permissions(folder.path(), fs::perms::all);
  for (const auto& [name, rights] : {std::pair{"unwritable", 0555}, std::pair{"unsearchable", 0666}}) {
    fs::create_directory(folder.path() / name);
    fs::permissions(folder.path() / name, static_cast<fs::perms>(rights));
    const AsNobody nobody;
    EXPECT_THAT(refused(folder.path() / name), HasSubstr("Permission denied"));
  }
}

// A full disk, by the process's own limit of file sizes: nothing is left behind and the old file is still found.
TEST(WeightsCache, AFullDiskLosesNothing) {
  const TemporaryFolder folder;
  const WeightsCache cache(folder.path());
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const CacheKey key{"arch", "weights"};
  std::string why;
  ASSERT_TRUE(cache.store(*packed, key, why)) << why;
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{5000, 5000};
    setrlimit(RLIMIT_FSIZE, &limit);
    bool right = false;
    try {
      right = !cache.store(*packed, key, why) && why.find("File too large") != std::string::npos;
    } catch (const std::exception&) {
    }
    _exit(right ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(folder.path()).size(), 1U);
  EXPECT_NE(cache.find(graph, key), nullptr);
}

TEST(WeightsCache, TheLimitHoldsOverSeveralModels) {
  const TemporaryFolder folder;
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const std::uintmax_t each = kPackedHeaderBytes + packed->bytes().size();
  const WeightsCache cache(folder.path(), 2 * each);
  const CacheKey keys[] = {{"a", "w"}, {"b", "w"}, {"c", "w"}};
  const auto now = fs::file_time_type::clock::now();
  std::string why;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(cache.store(*packed, keys[i], why)) << why;
    fs::last_write_time(cache.path_of(keys[i]), now - minutes(10 - i));
  }
  EXPECT_NE(cache.find(graph, keys[0]), nullptr);  // used later than b
  ASSERT_TRUE(cache.store(*packed, keys[2], why)) << why;
  EXPECT_NE(cache.find(graph, keys[0]), nullptr);
  EXPECT_EQ(cache.find(graph, keys[1]), nullptr);
  EXPECT_NE(cache.find(graph, keys[2]), nullptr);
}

TEST(CacheKey, EveryPartCounts) {
  const std::vector<CacheKey> keys{{"a", "b", kernels::Isa::portable}, {"a", "b", kernels::Isa::avx2},
                                   {"a", "b", kernels::Isa::avx512},   {"b", "a", kernels::Isa::portable},
                                   {"ab", "", kernels::Isa::portable}, {"", "ab", kernels::Isa::portable},
                                   {"a weights 1:b", "", {}},          {"a", "b weights 0:", {}}};
  std::set<std::string> digests;
  for (const CacheKey& key : keys) {
    EXPECT_EQ(key.digest().size(), 32U);
    EXPECT_EQ(key.digest(), CacheKey(key).digest());
    digests.insert(key.digest());
    digests.insert(key.subject());
  }
  EXPECT_EQ(digests.size(), 2 * keys.size());
}

TEST(FileIdentity, ChangesWithTheFile) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  write_text(path, "one");
  std::set<std::string> seen{file_identity(path)};
  EXPECT_EQ(file_identity(path), *seen.begin());
  EXPECT_EQ(file_identity(folder.path() / "." / "weights"), *seen.begin());
  const auto before = fs::last_write_time(path);
  const auto changed = [&](const char* how) { EXPECT_TRUE(seen.insert(file_identity(path)).second) << how; };
  const auto in_place = [&](const char* text) {
    const int descriptor = ::open(path.c_str(), O_WRONLY);
    EXPECT_EQ(::write(descriptor, text, 3), 3);
    ::close(descriptor);
  };
  in_place("two");
  changed("the same size, in place, at once");
  in_place("six");
  fs::last_write_time(path, before);
  changed("with its old modification time");
  write_text(path, "two");
  changed("replaced");
  fs::resize_file(path, 2);
  changed("cut");
  fs::copy_file(path, folder.path() / "copy");
  EXPECT_FALSE(seen.contains(file_identity(folder.path() / "copy")));
}

TEST(FileIdentity, NeedsAFile) {
  const TemporaryFolder folder;
  for (const fs::path& path : {folder.path() / "none", folder.path(), fs::path("/dev/null")}) {
    try {
      file_identity(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
}

}  // namespace
}  // namespace effnet::engine

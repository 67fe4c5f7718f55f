#include "effnet/transfer/feature_cache.h"

#include <gtest/gtest.h>

#include <fstream>

#include "effnet/base/digest.h"
#include "effnet/base/error.h"

namespace effnet::transfer {
namespace {

namespace fs = std::filesystem;

std::string digest_of(std::string_view text) {
  Digest digest;
  digest.add(text);
  return digest.hex();
}

class Cache : public testing::Test {
 protected:
  static constexpr std::int64_t kWidth = 3;
  static constexpr std::uintmax_t kRecord = 64 + 4 * kWidth;

  FeatureCache open(std::string_view key = "key", std::uintmax_t limit = FeatureCache::kLimitBytes) const {
    return FeatureCache(folder_.path() / "features", key, kWidth, limit);
  }
  void store(std::string_view image, std::vector<float> values) const {
    const FeatureCache::Entry entry{digest_of(image), values};
    std::string why;
    ASSERT_TRUE(open().store(std::span(&entry, 1), why)) << why;
  }
  // Empty if the cache does not have the image.
  static std::vector<float> found(const FeatureCache& cache, std::string_view image) {
    std::vector<float> values(kWidth);
    return cache.find(digest_of(image), values) ? values : std::vector<float>{};
  }
  std::vector<float> found(std::string_view image) const { return found(open(), image); }
  void change_byte(std::uintmax_t offset) const {
    std::fstream file(open().path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 1));
  }

  const std::vector<float> kOne{1, -0.0F, 3e-45F}, kTwo{4, 5, 6}, kThree{7, 8, 9};
  TemporaryFolder folder_;
};

TEST_F(Cache, ReturnsWhatWasStored) {
  EXPECT_EQ(found("a"), std::vector<float>{});
  store("a", kOne);
  store("b", kTwo);
  EXPECT_EQ(found("a"), kOne);
  EXPECT_TRUE(std::signbit(found("a")[1]));
  EXPECT_EQ(found("b"), kTwo);
  EXPECT_EQ(found("c"), std::vector<float>{});
  EXPECT_EQ(found(open("another key"), "a"), std::vector<float>{});
}

TEST_F(Cache, AnIncompleteRecordIsCutOff) {
  store("a", kOne);
  store("b", kTwo);
  const std::uintmax_t whole = fs::file_size(open().path());
  for (const std::uintmax_t lost : {std::uintmax_t{1}, kRecord - 1}) {
    fs::resize_file(open().path(), whole - lost);
    EXPECT_EQ(found("a"), kOne);
    EXPECT_EQ(found("b"), std::vector<float>{});
    store("b", kThree);
    EXPECT_EQ(fs::file_size(open().path()), whole);
    EXPECT_EQ(found("b"), kThree);
  }
}

TEST_F(Cache, EveryDamagedByteIsNoticed) {
  store("a", kOne);
  store("b", kTwo);
  for (std::uintmax_t byte = 64 + kRecord; byte < 64 + 2 * kRecord; ++byte) {
    change_byte(byte);
    EXPECT_EQ(found("a"), kOne) << byte;
    EXPECT_EQ(found("b"), std::vector<float>{}) << byte;
    change_byte(byte);
  }
  change_byte(64 + kRecord + 40);
  store("b", kThree);  // the later record counts
  EXPECT_EQ(found("b"), kThree);
}

TEST_F(Cache, AForeignFileIsReplaced) {
  for (const std::string& content : {std::string(), std::string("x"), std::string(1000, 'x')}) {
    fs::create_directories(folder_.path() / "features");
    std::ofstream(open().path(), std::ios::binary) << content;
    EXPECT_EQ(found("a"), std::vector<float>{});
    store("a", kOne);
    EXPECT_EQ(found("a"), kOne);
    EXPECT_EQ(fs::file_size(open().path()), 64 + kRecord);
  }
}

TEST_F(Cache, TruncationWhileItIsOpen) {
  store("a", kOne);
  const FeatureCache cache = open();
  fs::resize_file(cache.path(), 70);
  EXPECT_EQ(found(cache, "a"), std::vector<float>{});
}

TEST_F(Cache, OldFilesAreRemovedAboveTheLimit) {
  const std::uintmax_t one_file = 64 + kRecord;
  const FeatureCache::Entry entry{digest_of("a"), kOne};
  std::string why;
  ASSERT_TRUE(open("old", 2 * one_file).store(std::span(&entry, 1), why));
  ASSERT_TRUE(open("middle", 2 * one_file).store(std::span(&entry, 1), why));
  fs::last_write_time(open("old").path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
  fs::last_write_time(open("middle").path(), fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(found(open("old"), "a"), kOne);  // a use: now "middle" is the oldest
  ASSERT_TRUE(open("new", 2 * one_file).store(std::span(&entry, 1), why));
  EXPECT_EQ(found(open("old"), "a"), kOne);
  EXPECT_EQ(found(open("middle"), "a"), std::vector<float>{});
  EXPECT_EQ(found(open("new"), "a"), kOne);
  EXPECT_FALSE(open("new", one_file).store(std::span(&entry, 1), why));
  EXPECT_NE(why.find("largest size"), std::string::npos) << why;
}

TEST_F(Cache, AFolderThatCannotBeMadeIsNoError) {
  std::ofstream(folder_.path() / "features") << "a file";
  const FeatureCache::Entry entry{digest_of("a"), kOne};
  std::string why;
  EXPECT_FALSE(open().store(std::span(&entry, 1), why));
  EXPECT_FALSE(why.empty());
  EXPECT_EQ(found("a"), std::vector<float>{});
}

}  // namespace
}  // namespace effnet::transfer

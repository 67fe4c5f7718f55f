#include "effnet/engine/weights_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/engine/weights/packed_file.h"
#include "effnet/engine/weights/packed_testing.h"
#include "effnet/graph/builder.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using testkit::names_in;
using testkit::WithoutRootRights;

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
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()), 0.5F);
    weights.tensors[parameter.name] = tensor::make_tensor(parameter.dims, std::move(values));
  }
  ThreadPool pool(1);
  return PackedWeights::pack(graph, Parameters(weights), {kernels::Isa::portable}, pool);
}

bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

TEST(WeightsCache, FindsAStoredFile) {
  const TemporaryFolder folder;
  const WeightsCache cache(folder.path() / "cache");
  const graph::Graph graph = small_graph();
  const auto packed = pack(graph);
  const CacheKey key{"arch", "random seed 0"};
  EXPECT_EQ(cache.find(graph, key), nullptr);
  EXPECT_FALSE(fs::exists(folder.path() / "cache")) << "find() does not create the folder";
  std::string why;
  ASSERT_TRUE(cache.store(*packed, key, why)) << why;
  EXPECT_THAT(names_in(folder.path() / "cache"), UnorderedElementsAre("effnet-" + key.digest() + ".packed"));
  const auto found = cache.find(graph, key);
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(same(found->bytes(), packed->bytes()));
  EXPECT_EQ(found->isa(), packed->isa());
  EXPECT_EQ(cache.find(small_graph(4000), key), nullptr) << "the size differs";
  EXPECT_EQ(cache.find(graph, {"arch", "random seed 1"}), nullptr);
}

TEST(WeightsCache, ACorruptFileIsIgnoredAndReplaced) {
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

TEST(WeightsCache, StoreReportsWhyItFailed) {
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
    const WithoutRootRights guard;
    EXPECT_THAT(refused(folder.path() / name), HasSubstr("Permission denied"));
  }
}

// A file size limit in a child process simulates a full disk. No temporary file is left, and the old file is still
// found.
TEST(WeightsCache, AFullDiskKeepsTheOldFile) {
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

TEST(WeightsCache, TheLimitAppliesToAllModelsTogether) {
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
  EXPECT_NE(cache.find(graph, keys[0]), nullptr);  // now more recently used than b
  ASSERT_TRUE(cache.store(*packed, keys[2], why)) << why;
  EXPECT_NE(cache.find(graph, keys[0]), nullptr);
  EXPECT_EQ(cache.find(graph, keys[1]), nullptr);
  EXPECT_NE(cache.find(graph, keys[2]), nullptr);
}

TEST(CacheKey, EveryMemberChangesTheDigest) {
  const std::vector<CacheKey> keys{{"a", "b", {kernels::Isa::portable}},
                                   {"a", "b", {kernels::Isa::avx2}},
                                   {"a", "b", {kernels::Isa::avx512}},
                                   {"b", "a", {kernels::Isa::portable}},
                                   {"ab", "", {kernels::Isa::portable}},
                                   {"", "ab", {kernels::Isa::portable}},
                                   {"a weights 1:b", "", {}},
                                   {"a", "b weights 0:", {}}};
  std::set<std::string> digests;
  for (const CacheKey& key : keys) {
    EXPECT_EQ(key.digest().size(), 32U);
    EXPECT_EQ(key.digest(), CacheKey(key).digest());
    digests.insert(key.digest());
    digests.insert(key.subject());
  }
  EXPECT_EQ(digests.size(), 2 * keys.size());
}

}  // namespace
}  // namespace effnet::engine

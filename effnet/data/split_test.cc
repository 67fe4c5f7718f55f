#include "effnet/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"

namespace effnet::data {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Labels final : public Dataset {
 public:
  explicit Labels(std::vector<std::int64_t> labels) : labels_(std::move(labels)) {
    const std::int64_t count = labels_.empty() ? 0 : *std::max_element(labels_.begin(), labels_.end()) + 1;
    for (std::int64_t i = 0; i < count; ++i) classes_.push_back(fmt::format("c{}", i));
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t label(std::int64_t index) const override { return labels_.at(static_cast<std::size_t>(index)); }
  std::string name(std::int64_t index) const override { return std::to_string(index); }
  ImageData read(std::int64_t) const override { return vision::blank({1, 1}); }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  std::vector<std::int64_t> labels_;
  std::vector<std::string> classes_;
  std::vector<SkippedFile> skipped_;
};

// Image i of a set has the digest i, mixed.
std::vector<ImageContent> contents(std::int64_t n, std::int64_t first = 0) {
  std::vector<ImageContent> all(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const PhiloxCounter words = Philox(1, 2).block(static_cast<std::uint64_t>(first + i));
    all[static_cast<std::size_t>(i)].digest = {std::uint64_t{words[0]} << 32 | words[1], words[2]};
  }
  return all;
}

std::array<std::int64_t, 3> counts(const std::vector<Part>& parts) {
  std::array<std::int64_t, 3> count{};
  for (const Part part : parts) ++count[static_cast<std::size_t>(part)];
  return count;
}

std::vector<Part> split_of(std::int64_t n, const SplitOptions& options = {}, std::int64_t first = 0) {
  const Labels set(std::vector<std::int64_t>(static_cast<std::size_t>(n)));
  return split_by_content(set, contents(n, first), {}, options).parts;
}

TEST(Split, SmallClassesGetFixedNumbers) {
  using Counts = std::array<std::int64_t, 3>;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const SplitOptions options{.seed = seed};
    EXPECT_EQ(counts(split_of(1, options)), (Counts{1, 0, 0}));
    EXPECT_GE(counts(split_of(2, options))[0], 1);
    EXPECT_EQ(counts(split_of(3, options)), (Counts{1, 1, 1}));
    EXPECT_EQ(counts(split_of(4, options)), (Counts{2, 1, 1}));
    EXPECT_EQ(counts(split_of(5, options)), (Counts{3, 1, 1}));
    EXPECT_EQ(counts(split_of(8, options)), (Counts{4, 2, 2}));
    EXPECT_EQ(counts(split_of(4, {.val = 0.45, .test = 0.45, .seed = seed})), (Counts{1, 1, 2}));
    EXPECT_EQ(counts(split_of(5, {.val = 0, .test = 0.2, .seed = seed})), (Counts{4, 0, 1}));
    EXPECT_EQ(counts(split_of(50, {.val = 0, .test = 0, .seed = seed})), (Counts{50, 0, 0}));
  }
}

TEST(Split, NumbersAreWithinTwoStandardDeviations) {
  for (std::int64_t n = 10; n < 200; n += 7) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto [train, val, test] = counts(split_of(n, {.seed = seed}));
      const double expected = 0.2 * static_cast<double>(n), deviation = std::sqrt(expected * 0.8);
      for (const std::int64_t count : {val, test}) {
        EXPECT_GE(count, 1);
        EXPECT_LE(std::abs(static_cast<double>(count) - expected), 2 * deviation) << n << " " << seed;
      }
      EXPECT_GE(train, 1);
    }
  }
}

TEST(Split, DependsOnContentAndSeedOnly) {
  std::vector<std::int64_t> labels(120);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 3);
  const auto all = contents(120);
  const std::vector<Part> parts = split_by_content(Labels(labels), all, {}, {}).parts;
  const std::vector<std::int64_t> reversed_labels(labels.rbegin(), labels.rend());
  const std::vector<ImageContent> reversed(all.rbegin(), all.rend());
  const std::vector<Part> other = split_by_content(Labels(reversed_labels), reversed, {}, {}).parts;
  EXPECT_TRUE(std::equal(parts.begin(), parts.end(), other.rbegin()));
  EXPECT_NE(parts, split_by_content(Labels(labels), all, {}, {.seed = 1}).parts);
}

// Removing any image changes no other one, and so adding it does not either.
TEST(Split, AnAddedImageMovesNoOther) {
  constexpr std::int64_t kImages = 60;
  const auto all = contents(kImages);
  const Labels set(std::vector<std::int64_t>(kImages, 0));
  const Split split = split_by_content(set, all, {}, {});
  ASSERT_THAT(split.notes, IsEmpty()) << "the numbers must be within their bounds in this test";
  for (std::size_t left_out = 0; left_out < all.size(); ++left_out) {
    std::vector<ImageContent> fewer = all;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
    std::vector<Part> expected = split.parts;
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(left_out));
    EXPECT_EQ(split_by_content(Labels(std::vector<std::int64_t>(kImages - 1, 0)), fewer, {}, {}).parts, expected);
  }
}

TEST(Split, AGroupIsInOnePart) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Labels set(std::vector<std::int64_t>(30));
    const ImageGroups groups{{0, 7, 29}, {1, 2}, {10, 11, 12, 13, 14}};
    const Split split = split_by_content(set, contents(30), groups, {.seed = seed});
    for (const auto& group : groups) {
      for (const std::int64_t i : group)
        EXPECT_EQ(split.parts[static_cast<std::size_t>(i)], split.parts[static_cast<std::size_t>(group[0])]);
    }
  }
}

TEST(Split, DoubtfulImagesAreForTraining) {
  std::vector<std::int64_t> labels(40);
  for (std::size_t i = 20; i < 40; ++i) labels[i] = 1;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    auto all = contents(40);
    all[3].why = "cut off";
    const Split split = split_by_content(Labels(labels), all, {{0, 25}}, {.seed = seed});
    for (const std::size_t i : {0, 3, 25}) EXPECT_EQ(split.parts[i], Part::train);
    EXPECT_EQ(split.mixed, 1);
  }
}

// 25 images of each of two classes. Five groups of a class are always 3 of train, 1 of val and 1 of test.
TEST(Split, ANoteExplainsAnUnevenDivision) {
  std::vector<std::int64_t> labels(50);
  for (std::size_t i = 25; i < 50; ++i) labels[i] = 1;
  const Labels set(labels);
  ImageGroups groups(6);
  for (std::int64_t i = 0; i < 21; ++i) groups[0].push_back(i);  // with the images 21 to 24: 2 or 22 of 25 held out
  for (std::int64_t i = 25; i < 50; ++i) groups[static_cast<std::size_t>(i / 5 - 4)].push_back(i);  // 10 of 25
  ImageGroups even(10);
  for (std::int64_t i = 0; i < 50; ++i) even[static_cast<std::size_t>(i / 5)].push_back(i);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Split split = split_by_content(set, contents(50), groups, {.seed = seed});
    EXPECT_THAT(uneven_note(set, split.parts), HasSubstr("'c1' has 15 images for train, 5 for val and 5 for test"));
    EXPECT_EQ(uneven_note(set, split_by_content(set, contents(50), even, {.seed = seed}).parts), "");
  }
}

TEST(Split, NotesNameClassesThatAreTooSmall) {
  const Split split = split_by_content(Labels({0, 0, 0, 0, 0, 1, 2, 2, 2, 2}), contents(10), {{6, 7, 8, 9}}, {});
  EXPECT_THAT(split.notes.back(), HasSubstr("2 classes have too few different images for all parts: 'c1', 'c2'"));
  for (std::size_t i = 5; i < 10; ++i) EXPECT_EQ(split.parts[i], Part::train);
}

TEST(Split, OptionsHaveARange) {
  for (const SplitOptions& wrong : {SplitOptions{.val = -0.1}, SplitOptions{.test = 1},
                                    SplitOptions{.val = 0.5, .test = 0.5}, SplitOptions{.val = std::nan("")}}) {
    try {
      check_split_options(wrong);
      ADD_FAILURE() << wrong.val << " " << wrong.test;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::usage);
    }
  }
}

}  // namespace
}  // namespace effnet::data

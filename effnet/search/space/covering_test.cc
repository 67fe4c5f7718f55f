#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "effnet/base/error.h"
#include "effnet/search/space/latency_table.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/space/network_parts.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

void add_parts(const Space& space, const Point& point, std::set<std::string>& parts) {
  for (std::string& part : parts_of(network_of(space, point))) parts.insert(std::move(part));
}

std::set<std::string> all_parts(const Space& space) {
  std::set<std::string> parts;
  for_each_point(space, [&](const Point& point) { add_parts(space, point, parts); });
  return parts;
}

// The points without the random ones at the end.
std::vector<Point> cover_of(const Space& space, std::uint64_t seed = 1) {
  std::vector<Point> points = covering_points(space, 0, seed);
  points.resize(points.size() - static_cast<std::size_t>(networks_to_check(std::ssize(points))));
  return points;
}

std::set<std::string> parts_of_points(const Space& space, const std::vector<Point>& points) {
  std::set<std::string> parts;
  for (const Point& point : points) add_parts(space, point, parts);
  return parts;
}

// The most different first blocks of a stage: no cover has fewer networks, because a network has one of them.
std::size_t fewest_networks(const std::set<std::string>& parts) {
  std::map<std::string, std::size_t> stages;
  for (const std::string& part : parts) {
    if (const std::size_t at = part.find(" first "); at != std::string::npos) ++stages[part.substr(0, at)];
  }
  std::size_t most = 1;
  for (const auto& [stage, count] : stages) most = std::max(most, count);
  return most;
}

// Brute force over all networks of small spaces: with all fields, with several kinds of blocks, with single blocks, and
// with choices in one stage only.
TEST(CoveringPoints, HaveAllPartsOfASmallSpace) {
  for (const char* choices :
       {"[choices]\nkernel = [3, 5]\nexpand = [1, 6]\nskip = [true, false]\nchannels = [8, 16]\nlayers = [0, 1]\n",
        "[choices]\nblock = ['mbconv', 'depthwise_separable', 'basic']\nse = [0, 0.5]\nlayers = [0, 1, 2]\n",
        "[choices]\nkernel = [3, 5, 7]\nskip = [true, false]\nchannels = [8, 12, 16]\n",
        "[[stages]]\nstage = 2\nkernel = [3, 5, 7]\nlayers = [0, 1]\n"}) {
    const Space space = two_stages(choices);
    const std::set<std::string> parts = all_parts(space);
    const std::vector<Point> cover = cover_of(space);
    EXPECT_EQ(parts_of_points(space, cover), parts) << choices;
    EXPECT_GE(cover.size(), fewest_networks(parts)) << choices;
    EXPECT_LE(cover.size(), fewest_networks(parts) * 3 / 2) << choices;
  }
}

TEST(CoveringPoints, AreCanonicalAndDifferent) {
  const Space& space = named_space("cifar");
  const std::vector<Point> points = covering_points(space, 30, 1);
  EXPECT_GE(points.size(), cover_of(space).size() + 30);
  EXPECT_EQ(std::set<Point>(points.begin(), points.end()).size(), points.size());
  for (const Point& point : points) ASSERT_EQ(canonical(space, point), point);
}

TEST(CoveringPoints, DependOnTheSeedOnly) {
  const Space& space = named_space("cifar");
  EXPECT_EQ(covering_points(space, 5, 7), covering_points(space, 5, 7));
  EXPECT_NE(covering_points(space, 5, 7), covering_points(space, 5, 8));
}

// MnasNet's space is too large for brute force: the parts of random networks must be there.
TEST(CoveringPoints, OfTheNamedSpacesAreSomeHundred) {
  for (const Space& space : named_spaces()) {
    const std::vector<Point> cover = cover_of(space);
    const std::set<std::string> parts = parts_of_points(space, cover);
    EXPECT_LE(cover.size(), 700U) << space.name;
    EXPECT_LE(cover.size(), fewest_networks(parts) * 5 / 4) << space.name;
    Draws draws({.seed = 1}, "covering test");
    for (int i = 0; i < 2000; ++i) {
      std::set<std::string> drawn;
      add_parts(space, sample(space, draws), drawn);
      ASSERT_TRUE(std::ranges::includes(parts, drawn)) << space.name;
    }
  }
}

// If all networks with a block had it equally often, the times of the first and of the other blocks of a stage could
// not be separated.
TEST(CoveringPoints, VaryTheNumberOfBlocks) {
  const Space& space = named_space("mnasnet");
  std::map<std::int64_t, std::size_t> repeats;  // of stage 4: 3, 4 or 5
  const std::vector<Point> cover = cover_of(space);
  for (const Point& point : cover) ++repeats[network_of(space, point).stages[3].repeats];
  EXPECT_THAT(repeats, testing::SizeIs(3));
  for (const auto& [number, count] : repeats) EXPECT_GT(count, cover.size() / 5) << number << " blocks";
}

// Two networks, and ten for the error: they repeat.
TEST(CoveringPoints, OfATinySpaceRepeat) {
  const Space space = two_stages("[[stages]]\nstage = 1\nkernel = [3, 5]\n");
  const std::vector<Point> points = covering_points(space, 0, 1);
  EXPECT_EQ(points.size(), 12U);
  EXPECT_NE(points[0], points[1]);
}

TEST(CoveringPoints, TooManyCombinationsAreAnError) {
  std::vector<int> numbers(30);
  std::iota(numbers.begin(), numbers.end(), 1);
  const Space space = two_stages(fmt::format(
      "[[stages]]\nstage = 2\nexpand = [{0}]\nchannels = [{0}]\nlayers = [{0}]\n", fmt::join(numbers, ", ")));
  try {
    covering_points(space, 0, 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), testing::HasSubstr("two: stage 2: too many combinations"));
  }
}

}  // namespace
}  // namespace effnet::search

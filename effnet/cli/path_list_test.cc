#include "effnet/cli/path_list.h"

#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

std::vector<std::string> paths_of(std::string_view input) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0 || ::write(ends[1], input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    throw internal_error("no pipe");
  ::close(ends[1]);
  PathList list(ends[0], "stdin");
  std::vector<std::string> paths;
  try {
    while (std::optional<std::string> path = list.next()) paths.push_back(std::move(*path));
  } catch (...) {
    ::close(ends[0]);
    throw;
  }
  ::close(ends[0]);
  return paths;
}

using Paths = std::vector<std::string>;

TEST(PathList, Lines) {
  EXPECT_EQ(paths_of(""), Paths{});
  EXPECT_EQ(paths_of("a"), Paths{"a"});
  EXPECT_EQ(paths_of("a\nb c\n"), (Paths{"a", "b c"}));
  EXPECT_EQ(paths_of("\xef\xbb\xbf"
                     "a\r\n\r\n  b \r\n\n"),
            (Paths{"a", "b"}));
}

TEST(PathList, NulSeparatedPathsMayContainLineEnds) {
  EXPECT_EQ(paths_of(std::string_view("a\nb\0 c \0", 8)), (Paths{"a\nb", " c "}));
  EXPECT_EQ(paths_of(std::string_view("a\0b", 3)), (Paths{"a", "b"}));
}

TEST(PathList, RejectsInputThatIsNotAList) {
  EXPECT_EQ(refusal([] { paths_of("\x89PNG\r\n\x1a\n"); }),
            "3 stdin: not a list of paths (got '\\x89PNG', expected one path per line, or a NUL after each path)");
  EXPECT_EQ(refusal([] { paths_of(std::string((64 << 10) - 8, 'a') + "\n"); }), "");
}

}  // namespace
}  // namespace effnet::cli

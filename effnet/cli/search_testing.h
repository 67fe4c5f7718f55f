// A small space and short commands for the tests of effnet search.
#pragma once

#include <string>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/search_settings.h"

namespace effnet::cli {

// 2 x 2 x 3 = 12 networks, all different.
inline constexpr const char* kSmallSpace = R"(
name = "tiny"
[choices]
kernel = [3, 5]
expand = [2, 4]
[[stages]]
stage = 2
kernel = []
expand = []
channels = [16, 24, 32]
[base]
name = "tiny"
resolution = 32
classes = 3
preprocessing = "whole"
[base.stem]
channels = 8
[[base.stages]]
channels = 16
expand = 2
[[base.stages]]
channels = 24
stride = 2
expand = 2
[base.head]
channels = 32
)";

class SearchCommand : public testing::Test {
 protected:
  SearchCommand() { write_text(space(), kSmallSpace); }

  std::string in_folder(const char* name) const { return (folder_.path() / name).string(); }
  std::string space() const { return in_folder("tiny.toml"); }
  std::string study() const { return in_folder("a.study"); }
  SearchSettings toy() const { return {.space = space(), .evaluator = "toy"}; }

  std::string refused(const SearchSettings& settings) const {
    return refusal([&] { asked_search(settings, {}); });
  }
  RunResult run(std::vector<std::string> more) const {
    std::vector<std::string> words{"search", "run", study(), "--evaluator", "toy"};
    words.insert(words.end(), more.begin(), more.end());
    return run_effnet(words);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace effnet::cli

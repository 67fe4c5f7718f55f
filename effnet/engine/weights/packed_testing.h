// Helpers for the tests of packed files and of the cache.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace effnet::engine::testkit {

inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

// Root ignores file permissions. While an object of this class exists, a root process runs as the user `nobody`.
class WithoutRootRights {
 public:
  WithoutRootRights() : root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~WithoutRootRights() {
    if (!root_) return;
    EXPECT_EQ(::seteuid(0), 0);
  }

 private:
  bool root_;
};

}  // namespace effnet::engine::testkit

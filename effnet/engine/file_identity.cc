#include "effnet/engine/file_identity.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw input_error("{}: cannot read ({})", path.string(), std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    throw input_error("{}: cannot read (got {}, expected a file)", path.string(), kind_of_file(status.st_mode))
        .with_hint("weights are mapped into memory, which needs a regular file: write them to one first");
  }
  return status;
}

std::string file_identity(const fs::path& path) {
  constexpr auto kTicks = std::chrono::milliseconds(20);  // two clock steps: the longest step of Linux is 10 ms
  struct stat status = status_of(path);
  const auto changed = std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::nanoseconds(status.st_ctim.tv_nsec);
  const auto age = std::chrono::system_clock::now().time_since_epoch() - changed;
  if (age < kTicks && age > -kTicks) {
    std::this_thread::sleep_for(kTicks);
    status = status_of(path);
  }
  return fmt::format("size {} modified {}.{:09} changed {}.{:09} device {} inode {} path {}", status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
                     status.st_dev, status.st_ino, fs::absolute(path).lexically_normal().string());
}

}  // namespace

std::string read_identified(const fs::path& path, const std::function<void()>& read, const std::string& expected) {
  std::string before = file_identity(path);
  if (expected.empty() || before == expected) {
    read();
    if (file_identity(path) == before) return before;
  }
  throw input_error("{}: the file changed while it was read (got different contents, expected no change)",
                    path.string())
      .with_hint("run the command again when the file is completely written");
}

}  // namespace effnet::engine

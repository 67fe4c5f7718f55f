#include "effnet/cli/path_list.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"

namespace effnet::cli {
namespace {

constexpr std::size_t kLongestPath = std::size_t{64} << 10;

std::string line_as_path(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::error_code ignored;
  return std::string(std::filesystem::exists(line, ignored) ? line : trimmed(line));
}

}  // namespace

bool PathList::read_more() {
  if (ended_) return false;
  std::array<char, 1 << 16> block{};
  while (true) {
    check_interrupt();
    const ssize_t got = ::read(descriptor_, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw input_error("{}: cannot read the list of paths ({})", name_, std::strerror(errno));
    ended_ = got == 0;
    rest_.append(block.data(), static_cast<std::size_t>(got));
    return !ended_;
  }
}

// An image that is piped in would be hundreds of files that are not there. `block` is what was read so far.
void PathList::check_first(const std::string& path, const std::string& block) const {
  const auto is_odd = [](unsigned char c) {
    return (c < 0x20 && c != '\0' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
  };
  std::error_code ignored;
  if (std::none_of(block.begin(), block.end(), is_odd) || std::filesystem::exists(path, ignored)) return;
  throw input_error("{}: not a list of paths (got {}, expected a path a line, or a NUL behind each)", name_,
                    in_quotes(path))
      .with_hint("an image that is piped in is read as /dev/stdin");
}

std::optional<std::string> PathList::next() {
  while (true) {
    check_interrupt();
    if (!known_ && (ended_ || rest_.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)) {
      known_ = true;
      end_ = rest_.find('\0') != std::string::npos ? '\0' : '\n';
      rest_ = without_bom(rest_);
    }
    std::size_t end = known_ ? rest_.find(end_) : std::string::npos;
    if (end == std::string::npos) {
      if (rest_.size() > kLongestPath)
        throw input_error("{}: a path is too long (got more than {} bytes, expected a path a line)", name_,
                          kLongestPath);
      if (read_more()) continue;
      if (!known_) continue;
      if (rest_.empty()) return {};
      end = rest_.size();
    }
    const std::string path = end_ == '\0' ? rest_.substr(0, end) : line_as_path(std::string_view(rest_).substr(0, end));
    rest_.erase(0, end + 1);
    if (path.find('\0') != std::string::npos)
      throw input_error("{}: a list of lines has a NUL in it (expected lines, or a NUL behind each path)", name_);
    if (path.empty()) continue;
    if (!checked_) check_first(path, path + rest_);
    checked_ = true;
    return path;
  }
}

}  // namespace effnet::cli

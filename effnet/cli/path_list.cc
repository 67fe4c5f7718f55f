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
  if (at_end_) return false;
  std::array<char, 1 << 16> block{};
  while (true) {
    check_interrupt();
    const ssize_t got = ::read(descriptor_, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw input_error("{}: cannot read the list of paths ({})", name_, std::strerror(errno));
    at_end_ = got == 0;
    buffer_.append(block.data(), static_cast<std::size_t>(got));
    return !at_end_;
  }
}

// Throws if the input is an image instead of a list. Otherwise each "line" of the image would be reported as a missing
// file. `block` is the input that has been read.
void PathList::check_first(const std::string& path, const std::string& block) const {
  const auto is_odd = [](unsigned char c) {
    return (c < 0x20 && c != '\0' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
  };
  std::error_code ignored;
  if (std::none_of(block.begin(), block.end(), is_odd) || std::filesystem::exists(path, ignored)) return;
  throw input_error("{}: not a list of paths (got {}, expected one path per line, or a NUL after each path)", name_,
                    in_quotes(path))
      .with_hint("to read one image from a pipe, give /dev/stdin as IMAGE");
}

std::optional<std::string> PathList::next() {
  while (true) {
    check_interrupt();
    if (!separator_known_ && (at_end_ || buffer_.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)) {
      separator_known_ = true;
      separator_ = buffer_.find('\0') != std::string::npos ? '\0' : '\n';
      buffer_ = without_bom(buffer_);
    }
    std::size_t end = separator_known_ ? buffer_.find(separator_) : std::string::npos;
    if (end == std::string::npos) {
      if (buffer_.size() > kLongestPath)
        throw input_error("{}: a path is too long (got more than {} bytes, expected one path per line)", name_,
                          kLongestPath);
      if (read_more()) continue;
      if (!separator_known_) continue;
      if (buffer_.empty()) return {};
      end = buffer_.size();
    }
    const std::string path =
        separator_ == '\0' ? buffer_.substr(0, end) : line_as_path(std::string_view(buffer_).substr(0, end));
    buffer_.erase(0, end + 1);
    if (path.find('\0') != std::string::npos)
      throw input_error("{}: a line contains a NUL byte (expected one path per line, or a NUL after each path)", name_);
    if (path.empty()) continue;
    if (!first_checked_) check_first(path, path + buffer_);
    first_checked_ = true;
    return path;
  }
}

}  // namespace effnet::cli

// Reads a list of paths that another program writes: `find ... | effnet predict MODEL -`.
#pragma once

#include <optional>
#include <string>

namespace effnet::cli {

// Returns each path as soon as it arrives, so that a sender can wait for one result before it sends the next path. If
// the first input contains a NUL, the list is in the format of `find -print0`: a NUL ends each path, and a path may
// contain line ends. Otherwise each line is a path, without "\r", without blanks at its ends (unless a file with
// exactly this name exists), and without a byte order mark before the first line. Empty lines are skipped. Throws
// Error(input) if the first block contains control characters and the first path does not exist, because the input is
// then not a list.
class PathList {
 public:
  PathList(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  // Returns std::nullopt at the end of the list. Throws Error(input) if the list cannot be read, and Error(interrupted)
  // after an interrupt.
  std::optional<std::string> next();

 private:
  bool read_more();
  void check_first(const std::string& path, const std::string& block) const;

  int descriptor_;
  std::string name_, buffer_;
  char separator_ = '\0';  // NUL or line end
  bool separator_known_ = false, at_end_ = false, first_checked_ = false;
};

}  // namespace effnet::cli

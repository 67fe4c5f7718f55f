// A list of files that another program writes: `find ... | effnet predict MODEL -`.
#pragma once

#include <optional>
#include <string>

namespace effnet::cli {

// Paths as they come, so that a person or a program at the other end gets its answers one by one. A block of input with
// a NUL in it, before any line was given out, makes it a list of `find -print0`: a NUL ends each path, and a path may
// hold line ends. Else a line is a path; its "\r" and a byte order mark before the first do not count, nor do blanks at
// its ends, unless there is a file of this very name. Empty lines are left out. Error(input) if there are control
// characters in the first block and the first path is no file: the input is no list.
class PathList {
 public:
  PathList(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  // Nothing at the end. Throws Error(input) that names the list if it cannot be read, and Error(interrupted).
  std::optional<std::string> next();

 private:
  bool read_more();
  void check_first(const std::string& path, const std::string& block) const;

  int descriptor_;
  std::string name_, rest_;
  char end_ = '\0';  // of a path
  bool known_ = false, ended_ = false, checked_ = false;
};

}  // namespace effnet::cli

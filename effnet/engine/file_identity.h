// The identity of a file's contents, for caches of data that was computed from the file.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace effnet::engine {

// Calls `read`, which reads the file, and returns the identity of what it read: absolute path, device, inode, size,
// modification time and change time in nanoseconds. Any change of the file changes at least one of them.
//
// The identity is determined before and after the file is read, and must be the same. If it were determined only once,
// it could belong to a new file that has replaced the file that was read. Throws Error(input) if the file does not
// exist, if it changed while it was read, or if its identity differs from `expected` (the identity of an earlier read;
// empty: not checked).
//
// Waits 20 ms if the file changed less than 20 ms ago. File times advance in steps of the system's clock, so a second
// change within one step would not be visible.
std::string read_identified(const std::filesystem::path& path, const std::function<void()>& read,
                            const std::string& expected = {});

}  // namespace effnet::engine

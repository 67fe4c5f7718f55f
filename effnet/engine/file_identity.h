// What tells a file's contents from all others, for whoever keeps something that was made of them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace effnet::engine {

// Calls `read`, which reads the file, and returns the identity of what it read: absolute path, device, inode, size,
// modification and change times in nanoseconds. A file cannot change without changing one of them.
//
// The identity is asked for before the file is read and again after it. In the other order alone a file that is
// replaced in between would give its identity to the contents of the one before it. Throws Error(input) if the file
// changed meanwhile, if it is another one than `expected` (the identity that an earlier reading gave), or if there is
// none.
//
// Takes 20 ms if the file changed less than that ago: its times move in steps of the system's clock, so only then is a
// further change sure to show.
std::string read_identified(const std::filesystem::path& path, const std::function<void()>& read,
                            const std::string& expected = {});

}  // namespace effnet::engine

// Tells whether a thread sleeps in the kernel. A test uses it to continue only after another thread has begun to wait.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace effnet::testing_support {

// The calling thread's id, as in /proc/self/task.
inline std::string thread_id() { return std::to_string(::syscall(SYS_gettid)); }

inline bool is_asleep(const std::string& thread) {
  std::ifstream file("/proc/self/task/" + thread + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(") ");  // "ID (NAME) STATE ..."
  return name_end != std::string::npos && text[name_end + 2] == 'S';
}

// Returns once all other threads of this process sleep. If a thread never sleeps, ctest's time limit ends the test.
inline void wait_until_others_sleep() {
  const auto all_sleep = [self = thread_id()] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      const std::string thread = entry.path().filename();
      if (thread != self && !is_asleep(thread)) return false;
    }
    return true;
  };
  while (!all_sleep()) std::this_thread::yield();
}

}  // namespace effnet::testing_support

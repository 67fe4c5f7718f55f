// For any input, index_tar() returns members that are within the archive, or throws Error(input).
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "effnet/base/error.h"
#include "effnet/data/tar_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = memfd_create("tar", MFD_CLOEXEC);
  if (file < 0 || write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const auto bytes = static_cast<std::int64_t>(size);
    for (const auto& member : effnet::data::index_tar("/proc/self/fd/" + std::to_string(file))) {
      if (member.name.empty() || member.size < 0) std::abort();
      if (member.plain && (member.offset < 0 || member.size > bytes - member.offset)) std::abort();
    }
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) std::abort();
  }
  close(file);
  return 0;
}

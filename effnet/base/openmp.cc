#include "effnet/base/openmp.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace effnet {
namespace {
constexpr const char* kPolicy = "OMP_WAIT_POLICY";
}

void set_openmp_wait_passive() { ::setenv(kPolicy, "passive", /*overwrite=*/0); }

void restart_with_passive_openmp(char** argv) {
  if (std::getenv(kPolicy) != nullptr) return;
  set_openmp_wait_passive();
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (!failure) ::execv(self.c_str(), argv);
}

}  // namespace effnet

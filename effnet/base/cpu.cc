#include "effnet/base/cpu.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet {
namespace {

// Path of this process's cgroup in the controller's hierarchy. "/" in most containers.
std::string cgroup_path(std::string_view controller) {
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool wanted =
        controller.empty() ? names == ",," : names.find("," + std::string(controller) + ",") != std::string::npos;
    if (wanted) return line.substr(second + 1);
  }
  return "/";
}

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// The smallest limit of the process's cgroup and all its parents. `read` returns the limit of one folder.
template <class Read>
std::optional<double> min_limit(const std::string& root, std::string group, Read read) {
  std::optional<double> lowest;
  while (true) {
    const std::optional<double> limit = read(root + (group == "/" ? "" : group));
    if (limit && (!lowest || *limit < *lowest)) lowest = limit;
    if (group.empty() || group == "/") return lowest;
    group = group.substr(0, group.rfind('/'));
    if (group.empty()) group = "/";
  }
}

std::optional<double> cpu_quota() {
  const auto v2 = min_limit("/sys/fs/cgroup", cgroup_path(""), [](const std::string& folder) -> std::optional<double> {
    std::istringstream line(first_line(folder + "/cpu.max"));
    double quota = 0;
    double period = 0;
    if (line >> quota >> period && period > 0) return quota / period;  // "max 100000" fails to parse: no limit
    return {};
  });
  if (v2) return v2;
  return min_limit("/sys/fs/cgroup/cpu", cgroup_path("cpu"), [](const std::string& folder) -> std::optional<double> {
    const double quota = std::atof(first_line(folder + "/cpu.cfs_quota_us").c_str());
    const double period = std::atof(first_line(folder + "/cpu.cfs_period_us").c_str());
    if (quota > 0 && period > 0) return quota / period;
    return {};
  });
}

}  // namespace

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores =
      sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (const auto quota = cpu_quota()) cores = std::min(cores, static_cast<int>(std::ceil(*quota)));
  return std::max(cores, 1);
}

std::string cpu_model_in(std::istream& cpuinfo) {
  std::string line;
  std::string implementer;
  std::vector<std::string> kinds;  // kinds of cores: one CPU may have big and little ones
  while (std::getline(cpuinfo, line)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) return value;
    if (line.starts_with("CPU implementer")) implementer = value;
    if (!line.starts_with("CPU part")) continue;
    std::string kind = fmt::format("implementer {} part {}", implementer, value);
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(std::move(kind));
  }
  return kinds.empty() ? "unknown" : fmt::format("ARM {}", fmt::join(kinds, ", "));
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  return cpu_model_in(in);
}

std::int64_t memory_bytes() {
  double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const auto limit =
      min_limit("/sys/fs/cgroup", cgroup_path(""), [](const std::string& folder) -> std::optional<double> {
        const double value = std::atof(first_line(folder + "/memory.max").c_str());
        if (value > 0) return value;
        return {};
      });
  if (limit) bytes = std::min(bytes, *limit);
  return static_cast<std::int64_t>(bytes);
}

}  // namespace effnet

// effnet doctor: reports the hardware, the libraries of this build, and problems.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct DoctorOptions {};
inline void declare_options(CLI::App& /*command*/, DoctorOptions& /*options*/) {}

struct DoctorResult {
  std::string version = {}, cpu = {};
  std::vector<std::string> isa = {};
  std::string chosen_isa = {};
  int threads = 1;
  std::int64_t memory_bytes = 0;
  std::optional<std::string> home = {};                             // folder of pulled models
  std::vector<std::pair<std::string, std::string>> libraries = {};  // name and version
  std::optional<std::filesystem::path> train = {};                  // path of effnet-train
  Json train_facts = {};  // output of `effnet-train --version --json`; null if it cannot be run
  std::vector<std::string> problems = {};
};
DoctorResult run_doctor(const DoctorOptions& options, const Globals& globals, Output& out);
Json to_json(const DoctorResult& result);
std::string to_text(const DoctorResult& result);

}  // namespace effnet::cli

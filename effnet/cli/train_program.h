// Finds effnet-train, the second executable, and queries its version.
#pragma once

#include <filesystem>
#include <optional>

#include "effnet/cli/command.h"

namespace effnet::cli {

// Returns $EFFNET_TRAIN if it is set (no other place is searched then), else effnet-train beside this binary, else in
// ../libexec.
std::optional<std::filesystem::path> find_train_program();
// Returns the output of `effnet-train --version --json`; null if it cannot be run or prints something else.
Json query_train_program(const std::filesystem::path& program);

}  // namespace effnet::cli

// effnet-train, the second executable: where it is and what it says of itself.
#pragma once

#include <filesystem>
#include <optional>

#include "effnet/cli/command.h"

namespace effnet::cli {

// $EFFNET_TRAIN (and nothing else where that is set), else effnet-train beside this binary, else in ../libexec.
std::optional<std::filesystem::path> find_train_program();
// What `effnet-train --version --json` prints; null if it cannot be run or prints something else.
Json ask_train_program(const std::filesystem::path& program);

}  // namespace effnet::cli

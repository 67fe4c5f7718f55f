// The commands of effnet-train.
#pragma once

#include "effnet/cli/program.h"

namespace effnet::cli {

Body declare_train(CLI::App& command, const Globals& globals);

// What `effnet-train --version --json` says: version, LibTorch's version, what it can use.
Json train_program_facts();

}  // namespace effnet::cli

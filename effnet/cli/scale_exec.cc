// effnet scale search is computed by effnet-train, because it trains its candidates.
#include <string_view>

#include "effnet/cli/command.h"

namespace effnet::cli {

void exec_effnet_train(int argc, char** argv);

void exec_scale_search(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == std::string_view("scale") && argv[i + 1] == std::string_view("search"))
      exec_effnet_train(argc, argv);
  }
}

}  // namespace effnet::cli

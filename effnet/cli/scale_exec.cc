// effnet scale search is computed by effnet-train, because it trains its candidates.
#include "effnet/cli/program.h"

namespace effnet::cli {

void exec_effnet_train(int argc, char** argv);

void exec_scale_search(int argc, char** argv) {
  const std::vector<std::string> words = plain_words(argc, argv);
  if (words.size() > 1 && words[1] == "search") exec_effnet_train(argc, argv);
}

}  // namespace effnet::cli

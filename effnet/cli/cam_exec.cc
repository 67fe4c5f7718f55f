// effnet cam --method gradcam is computed by effnet-train, because it needs LibTorch.
#include <string_view>

#include "effnet/cli/command.h"

namespace effnet::cli {

void exec_effnet_train(int argc, char** argv);

void exec_gradient_cam(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool separate = word == "--method" && i + 1 < argc && std::string_view(argv[i + 1]) == "gradcam";
    if (separate || word == "--method=gradcam") exec_effnet_train(argc, argv);
  }
}

}  // namespace effnet::cli

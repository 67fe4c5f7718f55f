// The commands of `effnet`.
#include "effnet/cli/program.h"

namespace effnet::cli {

// Each in the file of its name.
Declare declare_models, declare_inspect, declare_scale, declare_pull, declare_import, declare_export, declare_predict,
    declare_eval, declare_data, declare_cam, declare_bench, declare_launch, declare_compare, declare_report,
    declare_paper, declare_doctor;
void become_effnet_train(int argc, char** argv);

const Program& effnet_program() {
  static const Program program{
      .description = "EfficientNet: describe, scale, count, train and run compound-scaled networks",
      .commands =
          {
              {"models", "List the named networks", declare_models},
              {"inspect", "Count a network: parameters, MACs, memory, layer by layer", declare_inspect},
              {"scale", "Scale a network by the compound rule, by hand or to a budget", declare_scale},
              {"pull", "Fetch published weights by name", declare_pull},
              {"import", "Turn a foreign checkpoint into a model file", declare_import},
              {"export", "Write a model's weights for other programs", declare_export},
              {"predict", "Classify images", declare_predict},
              {"eval", "Score a model on a labelled set of images", declare_eval},
              {"data", "Check a labelled set of images before training on it", declare_data},
              {"cam", "Show where in an image a model sees a class", declare_cam},
              {"bench", "Time a network on this machine", declare_bench, true},
              {"train", "Train a network from a recipe", nullptr, false, become_effnet_train},
              {"launch", "Run a command in several processes that work together", declare_launch},
              {"compare", "Compare two ways of computing a network, layer by layer", declare_compare},
              {"report", "Write the page about a training run: curves, confusion, worst mistakes", declare_report},
              {"paper", "The paper's tables beside ours", declare_paper},
              {"doctor", "Say what this machine has and what is missing", declare_doctor},
          },
      .planned = {"quantize", "probe", "finetune", "features", "data split", "search", "compare-models",
                  "scale frontier", "scale search"}};
  return program;
}

}  // namespace effnet::cli

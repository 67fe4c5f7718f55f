#include "effnet/cli/command.h"

namespace effnet::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table{
      {"models", "List the named networks", declare_models},
      {"inspect", "Count a network: parameters, MACs, memory, layer by layer", declare_inspect},
      {"scale", "Scale a network by the compound rule, by hand or to a budget", declare_scale},
      {"pull", "Fetch published weights by name", declare_pull},
      {"import", "Turn a foreign checkpoint into a model file", declare_import},
      {"export", "Write a model's weights for other programs", declare_export},
      {"predict", "Classify pictures", declare_predict},
      {"eval", "Score a model on a labelled set of pictures", declare_eval},
      {"data", "Check a labelled set of pictures before training on it", declare_data},
      {"cam", "Show where in a picture a model sees a class", declare_cam},
      {"bench", "Time a network on this machine", declare_bench, true},
      {"train", "Train a network from a recipe", nullptr, false, become_effnet_train},
      {"launch", "Run a command in several processes that work together", declare_launch},
      {"compare", "Compare two ways of computing a network, layer by layer", declare_compare},
      {"report", "Write the page about a training run: curves, confusion, worst mistakes", declare_report},
      {"paper", "The paper's tables beside ours", declare_paper},
      {"doctor", "Say what this machine has and what is missing", declare_doctor},
  };
  return table;
}

const std::vector<std::string_view>& planned_commands() {
  static const std::vector<std::string_view> names{"quantize",       "probe",          "finetune",
                                                   "features",       "data split",     "search",
                                                   "compare-models", "scale frontier", "scale search"};
  return names;
}

}  // namespace effnet::cli

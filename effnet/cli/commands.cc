// The commands of `effnet`.
#include "effnet/cli/program.h"

namespace effnet::cli {

// declare_x is defined in x.cc.
Declare declare_models, declare_inspect, declare_scale, declare_pull, declare_import, declare_export, declare_predict,
    declare_eval, declare_data, declare_cam, declare_bench, declare_features, declare_similar, declare_probe,
    declare_launch, declare_compare, declare_compare_models, declare_report, declare_paper, declare_doctor,
    declare_search;
void exec_effnet_train(int argc, char** argv);
void exec_gradient_cam(int argc, char** argv);
void exec_scale_search(int argc, char** argv);
void exec_search(int argc, char** argv);

const Program& effnet_program() {
  static const Program program{
      .description = "EfficientNet: describe, scale, count, train and run compound-scaled networks",
      .commands =
          {
              {"models", "List the named networks", declare_models},
              {"inspect", "Show a network's parameters, MACs, memory and layers", declare_inspect},
              {"scale", "Scale a network by a rule, by given multipliers or to a target; compare the rules",
               declare_scale, false, exec_scale_search},
              {"search", "Search for an architecture in a space of networks", declare_search, false, exec_search},
              {"pull", "Download published weights by name", declare_pull},
              {"import", "Convert a foreign checkpoint to a model file", declare_import},
              {"export", "Write a model's weights for other programs", declare_export},
              {"predict", "Classify images", declare_predict},
              {"eval", "Measure a model's accuracy on labelled images", declare_eval},
              {"data", "Check a dataset before training; split it into train, val and test", declare_data},
              {"cam", "Draw class activation maps: where in an image a model sees a class", declare_cam, false,
               exec_gradient_cam},
              {"features", "Write a model's embeddings of images to a file", declare_features},
              {"similar", "Find the most similar images in a folder", declare_similar},
              {"probe", "Measure how well a model's features separate your classes, without training the model",
               declare_probe},
              {"bench", "Measure a network's speed on this machine", declare_bench, true},
              {"train", "Train a network from a recipe", nullptr, false, exec_effnet_train},
              {"finetune", "Make a classifier from a folder of images", nullptr, false, exec_effnet_train},
              {"launch", "Run a command in several processes as one group", declare_launch},
              {"compare", "Compare two backends on one network, layer by layer", declare_compare},
              {"compare-models", "Compare the accuracy of two models on the same images", declare_compare_models},
              {"report", "Write a page about a training run: curves, confusion matrix, worst mistakes", declare_report},
              {"paper", "Show a table of the paper beside effnet's own values", declare_paper},
              {"doctor", "Show what this machine has, and problems", declare_doctor},
          },
      .planned = {"quantize"}};
  return program;
}

}  // namespace effnet::cli

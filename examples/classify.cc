// Prints the five most likely classes of a photograph. MODEL is a model file, a run folder, an arch file or the name of
// a network. A name or arch file without pulled weights runs with random weights.
//   $ classify ~/.cache/effnet/models/efficientnet_lite0.safetensors examples/photos/chelsea.png
//    40.95 %  tiger cat (282)
//    34.56 %  Egyptian cat (285)
//    16.72 %  tabby (281)
//     1.41 %  lynx (287)
//     0.12 %  window screen (904)
#include <effnet/effnet.h>

#include <cstdio>

using namespace effnet;

int main(int argc, char** argv) try {
  if (argc != 3) throw usage_error("wrong number of arguments (got {}, expected 2: MODEL IMAGE)", argc - 1);
  ThreadPool pool(usable_cores());
  model::ModelHandle handle(argv[1], {}, pool);
  model::Classifier classifier(handle, {}, pool);
  for (const model::Prediction& one : classifier.classify(vision::read_image(argv[2])).top)
    std::printf("%6.2f %%  %s (%zu)\n", 100 * one.score, one.label.c_str(), one.index);
  if (!handle.warning().empty()) std::fprintf(stderr, "classify: %s\n", handle.warning().c_str());
} catch (const Error& error) {
  std::fprintf(stderr, "classify: %s\n", error.what());
  return static_cast<int>(error.code());
}

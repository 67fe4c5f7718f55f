// What a photograph shows. MODEL is a model file, or a name: that network with random weights, to try things.
//   $ classify ~/.cache/effnet/models/efficientnet_lite0.safetensors examples/photos/chelsea.png
//    40.95 %  tiger cat (282)
//    34.56 %  Egyptian cat (285)
//    16.72 %  tabby (281)
//     1.41 %  lynx (287)
//     0.12 %  window screen (904)
#include <effnet/effnet.h>

#include <cstdio>

using namespace effnet;

formats::Model load(const std::string& name, ThreadPool& pool) {
  if (name.ends_with(".safetensors")) return formats::read_model(name);
  const arch::ArchSpec& spec = arch::variant(name).spec;
  const auto rule = preprocessing_rule(spec.preprocessing, spec.normalisation, {spec.resolution, spec.resolution});
  return {spec, engine::random_weights(spec, spec.classes, 0, pool), rule, formats::imagenet1k().labels, {}, {}};
}

int main(int argc, char** argv) try {
  if (argc != 3) throw usage_error("wrong arguments (got {}, expected MODEL PICTURE)", argc - 1);
  ThreadPool pool(usable_cores());
  const formats::Model model = load(argv[1], pool);
  const graph::Graph graph = graph::lower(model.arch, {.resolution = model.preprocessing.crop});
  const auto weights =
      engine::PackedWeights::pack(graph, engine::Parameters(model.weights), kernels::chosen_isa(), pool);
  engine::Session session(graph, weights, {.threads = pool.threads()});
  std::vector<float> logits(static_cast<std::size_t>(session.classes()));
  session.run(vision::prepare(vision::read_image(argv[2]), model.preprocessing).input, logits);
  const std::vector<double> scores = engine::softmax(logits);
  for (const auto& [index, logit] : engine::top_k(logits, 5)) {
    const char* label = index < model.labels.size() ? model.labels[index].c_str() : "class";
    std::printf("%6.2f %%  %s (%zu)\n", 100 * scores[index], label, index);
  }
} catch (const Error& error) {
  std::fprintf(stderr, "classify: %s\n", error.what());
  return static_cast<int>(error.code());
}

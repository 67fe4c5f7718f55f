// effnet search with the evaluators that need LibTorch.
#include "effnet/cli/search.h"

#include <torch/types.h>

#include "effnet/cli_train/commands.h"
#include "effnet/lab/evaluators.h"
#include "effnet/lab/supernet_evaluator.h"
#include "effnet/train/step/device.h"

namespace effnet::cli {
namespace {

std::unique_ptr<search::Evaluator> make_evaluator(const search::Space& space, const search::EvaluatorSettings& settings,
                                                  const search::EvaluatorPlace& place) {
  turn_warnings_off();
  static_cast<void>(train::device_named(place.device, 0));  // throws for a wrong --device before a trial fails by it
  return lab::make_evaluator(space, settings, place);
}

void write_weights(const search::NasSearch& search, const search::Point& point, const std::string& name, int threads,
                   const std::string& file) {
  turn_warnings_off();
  formats::Model model = lab::child_model(search.space, search.evaluator, {.folder = {}, .threads = threads}, point);
  model.arch.name = name;
  formats::write_model(file, model);
}

}  // namespace

Body declare_full_search(CLI::App& command, const Globals& globals) {
  return declare_search_with(
      command, globals,
      {.make_evaluator = make_evaluator, .declare_supernet = declare_search_supernet, .write_weights = write_weights});
}

}  // namespace effnet::cli

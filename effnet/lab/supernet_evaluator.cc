#include "effnet/lab/supernet_evaluator.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/data/loader.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/lab/supernet.h"
#include "effnet/lab/supernet_file.h"
#include "effnet/search/study/worker.h"
#include "effnet/train/recipe/settings.h"
#include "effnet/train/step/device.h"
#include "effnet/train/step/images.h"

namespace effnet::lab {
namespace {

// A child with weights and batch norm statistics of its own.
struct Child {
  std::shared_ptr<nn::ParameterStore> store;
  std::shared_ptr<nn::Network> network;
};

struct Accuracy {
  std::int64_t right = 0, images = 0;
};

class Children {
 public:
  Children(const search::Space& space, const search::EvaluatorSettings& settings, const search::EvaluatorPlace& place);

  Child child(const search::Point& point) const;
  Accuracy accuracy(const Child& child) const;
  formats::Model model(const search::Point& point) const;
  std::int64_t classes() const { return supernet_.classes; }
  const data::Dataset& validation() const { return *images_.data.validation; }

 private:
  search::Space space_;  // with the recipe's settings and the classes of the images
  Supernet supernet_;
  train::Recipe recipe_;
  torch::Device device_;
  Images images_;
  data::LoaderOptions loader_;
};

// The supernet that the study was made with. Another file would give its networks other qualities.
Supernet supernet_of(const search::Space& space, const search::EvaluatorSettings& settings) {
  Supernet supernet = read_supernet(settings.supernet, space);
  if (settings.supernet_digest.empty() || supernet.digest == settings.supernet_digest) return supernet;
  throw input_error("{}: not the supernet that the study was made with (got weights {}, expected {})",
                    settings.supernet, supernet.digest, settings.supernet_digest)
      .with_hint("put the old file back, or make another study with this one: their qualities cannot be compared");
}

// The supernet must not have been trained on images that the study validates. Its own images may be gone, so the
// settings that choose the images are compared. The folders and files may have moved.
void check_images(const train::Recipe& study, const train::Recipe& supernet, const std::string& file) {
  for (const char* key : {"data.holdout", "data.labels", "data.split", "data.train_on"}) {
    const train::Setting& setting = *train::find_setting(key);
    const std::string none = train::value_text(setting, train::Recipe()), ours = train::value_text(setting, study),
                      own = train::value_text(setting, supernet);
    const bool same = setting.kind == train::SettingKind::data_folder ? (ours == none) == (own == none) : ours == own;
    if (same) continue;
    throw input_error("{}: {}: the supernet was trained with another value (got {}, expected {})", file, key, ours, own)
        .with_hint(
            "otherwise images that it was trained on could be validated: leave the setting out, or train a "
            "supernet with it");
  }
}

// The study's recipe; without one that of the supernet.
train::Recipe recipe_of(const search::EvaluatorSettings& settings, const Supernet& supernet) {
  if (settings.recipe.empty()) return supernet.recipe;
  train::Recipe recipe = train::parse_recipe(settings.recipe, kStudyRecipe);
  check_images(recipe, supernet.recipe, settings.supernet);
  return recipe;
}

Children::Children(const search::Space& space, const search::EvaluatorSettings& settings,
                   const search::EvaluatorPlace& place)
    : space_(space),
      supernet_(supernet_of(space, settings)),
      recipe_(recipe_of(settings, supernet_)),
      device_(train::device_named(place.device)),
      images_(open_images(space.base, recipe_)),
      loader_(train::loader_options(recipe_, place.threads)) {
  at::set_num_threads(place.threads);
  if (images_.data.classes != supernet_.classes)
    throw input_error("{}: trained with other classes than those of {} (got {}, expected {})", settings.supernet,
                      recipe_.data.folder, supernet_.classes, images_.data.classes);
  if (!images_.data.validation)
    throw input_error("{}: no validation images (expected val/ or test/, or data.holdout)", recipe_.data.folder);
  space_.base = images_.model.arch;
  loader_.seed = settings.seed;
  loader_.batch = std::max<std::int64_t>(1, recipe_.train.batch / recipe_.train.accumulate);  // fits in memory
}

// Momentum i / (i + 1) at batch i makes the moving statistics the mean over the batches so far.
Child Children::child(const search::Point& point) const {
  const torch::NoGradGuard no_gradients;
  const graph::Graph graph = graph::lower(without_drops(search::network_of(space_, point)));
  Child child{.store = nn::ParameterStore::from_weights(
                  graph, child_weights(search::network_of(space_, point), supernet_.store)),
              .network = {}};
  child.store->to(device_);
  child.network = std::make_shared<nn::Network>(
      graph, child.store,
      nn::NetworkOptions{.fused = recipe_.train.fused && device_.is_cpu(),
                         .unbiased_moving_variance = recipe_.unbiased_moving_variance,
                         .bn_momentum = std::nextafter(1.0, 0.0)});  // limited by max_momentum below
  data::TrainingLoader loader(images_.data.train, train::training_view(recipe_, images_.model), loader_);
  const std::int64_t batches = std::min(kStatisticsBatches, loader.batches_per_epoch());
  for (std::int64_t i = 0; i < batches; ++i) {
    check_interrupt();
    const data::Batch batch = loader.next();
    nn::ForwardContext pass{.training = true};
    pass.max_momentum = static_cast<double>(i) / static_cast<double>(i + 1);
    child.network->forward(train::images_of(batch, 0, batch.n(), graph.input(), device_), pass);
  }
  return child;
}

Accuracy Children::accuracy(const Child& child) const {
  const torch::NoGradGuard no_gradients;
  Accuracy result;
  data::EvaluationLoader loader(images_.data.validation, images_.model.evaluation, loader_);
  while (const std::optional<data::Batch> batch = loader.next()) {
    check_interrupt();
    const torch::Tensor images = train::images_of(*batch, 0, batch->n(), child.network->graph().input(), device_);
    const torch::Tensor logits = child.network->forward(images, {}).to(torch::kCPU);
    if (!logits.isfinite().all().item<bool>())
      throw search::CandidateError("a logit is not finite (the training of the supernet has diverged)");
    result.right += (logits.argmax(1) == torch::tensor(batch->labels)).sum().item<std::int64_t>();
    result.images += batch->n();
  }
  if (result.images == 0)
    throw input_error("no image of the validation set can be decoded (got {} corrupt images)",
                      images_.data.validation->size());
  return result;
}

formats::Model Children::model(const search::Point& point) const {
  train::RunModel model = images_.model;
  model.arch = search::network_of(space_, point);
  formats::Model result =
      train::finished_model(model, child(point).store->weights(), images_.data.train->classes(), recipe_);
  result.provenance.extra["trained_by"] = "effnet search supernet";
  return result;
}

class SupernetEvaluator final : public search::Evaluator {
 public:
  explicit SupernetEvaluator(Children children)
      : children_(std::move(children)), largest_class_(largest_class(children_.validation())) {}

  search::Quality evaluate(const arch::ArchSpec&, const search::Point& point, const search::Trial&) override {
    const Accuracy found = children_.accuracy(children_.child(point));
    const double top1 = static_cast<double>(found.right) / static_cast<double>(found.images);
    const nlohmann::json details{{"top1", 100 * top1}, {"images", found.images}, {"largest_class", largest_class_}};
    return {.value = top1, .details = details.dump()};
  }
  std::int64_t classes() const override { return children_.classes(); }

 private:
  Children children_;
  std::int64_t largest_class_;  // images of the class that has the most in the validation
};

}  // namespace

std::unique_ptr<search::Evaluator> make_supernet_evaluator(const search::Space& space,
                                                           const search::EvaluatorSettings& settings,
                                                           const search::EvaluatorPlace& place) {
  return std::make_unique<SupernetEvaluator>(Children(space, settings, place));
}

formats::Model child_model(const search::Space& space, const search::EvaluatorSettings& settings,
                           const search::EvaluatorPlace& place, const search::Point& point) {
  return Children(space, settings, place).model(point);
}

}  // namespace effnet::lab

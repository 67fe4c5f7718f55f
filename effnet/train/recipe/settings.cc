#include "effnet/train/recipe/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "effnet/base/toml.h"

namespace effnet::train {
namespace {

template <auto kSection, auto kField>
auto& in(Recipe& recipe) {
  return (recipe.*kSection).*kField;
}
template <auto kField>
auto& top(Recipe& recipe) {
  return recipe.*kField;
}

template <auto kField>
constexpr auto model = &in<&Recipe::model, kField>;
template <auto kField>
constexpr auto data = &in<&Recipe::data, kField>;
template <auto kField>
constexpr auto train = &in<&Recipe::train, kField>;
template <auto kField>
constexpr auto optimizer = &in<&Recipe::optimizer, kField>;
template <auto kField>
constexpr auto schedule = &in<&Recipe::schedule, kField>;
template <auto kField>
constexpr auto expect = &in<&Recipe::expect, kField>;

// A Choice for the enumeration that `kMember` returns. `kNames`: the names of its values.
template <const auto& kNames, auto kMember>
Choice choice() {
  Choice choice{
      .names = {},
      .get = [](Recipe& recipe) { return name_in(kNames, kMember(recipe)); },
      .set = [](Recipe& recipe, std::string_view text) { kMember(recipe) = named_in(kNames, text, "choice"); }};
  for (const auto& [value, name] : kNames) choice.names.push_back(name);
  return choice;
}

constexpr double kLargestInteger = 0x1p53;  // a double holds every whole number up to 2^53 exactly

void check_name(std::string_view text) {
  if (text.empty()) throw usage_error("no model (got an empty text, expected a name, a .toml or a .safetensors file)");
}
void check_budget(std::string_view text) {
  if (!text.empty()) parse_seconds(text);
}

constexpr Range from(double low, double high) { return {.low = low, .high = high}; }
constexpr Range above(double low, double high) { return {.low = low, .high = high, .above_low = true}; }
constexpr Range or_unset(Range range, double unset) {
  range.unset = unset;
  return range;
}

std::vector<Setting> make_settings() {
  using enum SettingKind;
  using M = ModelSettings;
  using D = DataSettings;
  using T = TrainSettings;
  using O = OptimizerSettings;
  using S = ScheduleSettings;
  using E = ExpectSettings;
  return {
      {"seed", fixed, &top<&Recipe::seed>, "Seed of all random numbers", from(0, kLargestInteger)},

      {"model.name",
       model_file,
       model<&M::name>,
       "A MODEL (cli.md): a name from `effnet models`, an arch file, or a model file, run or checkpoint with initial "
       "weights",
       {},
       check_name},
      {"model.init", model_file, model<&M::init>,
       "Initial weights: a MODEL with weights (a pulled name, a file, a run, a checkpoint) or a published checkpoint; "
       "empty: the weights of model.name if it has any, else the paper's initialisation"},
      {"model.dropout", fixed, model<&M::dropout>, "Dropout rate before the classifier; -1: the architecture's",
       or_unset(from(0, 0.99), -1)},
      {"model.drop_path", fixed, model<&M::drop_path>,
       "Stochastic depth rate of the last block; -1: the architecture's", or_unset(from(0, 0.99), -1)},
      {"model.classes", fixed, model<&M::classes>, "Number of classes; 0: as many as the dataset has",
       or_unset(from(2, 1e6), 0)},
      {"model.freeze", fixed, model<&M::freeze>,
       "A block (\"stem\", \"stages.2\", \"stages.2.1\", \"head\"): it and all blocks before it are not trained; "
       "empty: all blocks are trained"},

      {"data.folder", data_folder, data<&D::folder>, "Folder of the dataset; --data overrides it and is stored here"},
      {"data.labels", data_folder, data<&D::labels>,
       "A CSV with the labels of the images in data.folder: lines `file,class` or `file,class,split`; empty: the "
       "folders "
       "are the classes"},
      {"data.split", data_folder, data<&D::split>,
       "A split file (`effnet data split` and `effnet finetune` write one): which images are for training, validation "
       "and test; empty: as the folders or data.labels say"},
      {"data.train_on", fixed, choice<kTrainOn, data<&D::train_on>>(),
       "With data.split: the parts to train on. train: val is validated. train+val: test is evaluated at the end"},
      {"data.resolution", fixed, data<&D::resolution>,
       "Height and width of the network's input in pixels; 0: the model's", from(0, 8192)},
      {"data.augment", fixed, choice<vision::kAugments, data<&D::augment>>(),
       "Augmentation of training images. Each level includes the previous ones, except that randaugment replaces "
       "autoaugment"},
      {"data.area_low", fixed, data<&D::area_low>, "Smallest area of the random crop, as a fraction of the image",
       from(0.001, 1)},
      {"data.shift", fixed, data<&D::shift>,
       "For small images: a random shift by up to this many pixels in each direction, instead of the random crop",
       from(0, 1024)},
      {"data.randaugment_layers", fixed, data<&D::randaugment_layers>, "Number of RandAugment operations per image",
       from(0, 16)},
      {"data.randaugment_magnitude", fixed, data<&D::randaugment_magnitude>,
       "RandAugment's magnitude, on a scale of 0 to 10; larger values extrapolate", from(0, 100)},
      {"data.mixup", fixed, data<&D::mixup>, "Alpha of mixup's Beta distribution; 0: off", from(0, 100)},
      {"data.cutmix", fixed, data<&D::cutmix>,
       "Alpha of CutMix's Beta distribution; 0: off. If mixup is on too, each batch uses one of the two at random",
       from(0, 100)},
      {"data.erasing", fixed, data<&D::erasing>, "Probability of random erasing", from(0, 1)},
      {"data.holdout", fixed, data<&D::holdout>,
       "Number of training images held out to select the best epoch, chosen by hash (the paper's minival)",
       from(0, 1e9)},
      {"data.shuffle", fixed, data<&D::shuffle>, "Shuffle the training images in each epoch"},
      {"data.workers", per_rank, data<&D::workers>,
       "Number of loader threads; 0: the usable cores minus --threads, at least 1", from(0, 1024)},
      {"data.broken_limit", operational, data<&D::broken_limit>,
       "Largest tolerated fraction of corrupt images; a value above 0 tolerates at least 3 images", from(0, 1)},
      {"data.synthetic", fixed, data<&D::synthetic>,
       "Number of noise images to train on instead of --data, to measure speed; 0: off", from(0, 1e9)},

      {"train.epochs", adjustable, train<&T::epochs>, "Passes over the training images; may be a fraction",
       above(0, 1e6)},
      {"train.time_budget",
       operational,
       train<&T::time_budget>,
       "Duration of the run (\"90s\", \"20m\", \"1h30m\"): the number of epochs is fitted to it; empty: train.epochs "
       "is used",
       {},
       check_budget},
      {"train.batch", fixed, train<&T::batch>, "Global batch size: images per update, over all processes",
       from(1, 1 << 20)},
      {"train.accumulate", fixed, train<&T::accumulate>,
       "Number of micro-batches per update in each process, to save memory; at most train.batch", from(1, 1 << 20)},
      {"train.precision", fixed, choice<kPrecisions, train<&T::precision>>(),
       "Precision of autocast; fp16 uses a loss scale and needs a GPU"},
      {"train.label_smoothing", fixed, train<&T::label_smoothing>,
       "Fraction of the target probability that is spread over all classes", from(0, 0.99)},
      {"train.clip_norm", adjustable, train<&T::clip_norm>,
       "Largest norm of the gradient over all parameters; 0: no clipping", from(0, 1e9)},
      {"train.validate_every", operational, train<&T::validate_every>,
       "Epochs between validations, which run at the end of an epoch; 2.5: after every second or third epoch",
       from(1, 1e6)},
      {"train.patience", adjustable, train<&T::patience>,
       "The run ends early after this many epochs without a better validation; 0: it does not end early", from(0, 1e6)},
      {"train.class_weights", fixed, choice<kClassWeights, train<&T::class_weights>>(),
       "Weights of the classes in the loss; balanced: inversely proportional to their training images"},
      {"train.fused", operational, train<&T::fused>,
       "Use effnet's fused CPU kernels instead of LibTorch's for the layers that they support"},

      {"optimizer.name", fixed, choice<kOptimizers, optimizer<&O::name>>(),
       "RMSProp as TensorFlow defines it, SGD or AdamW"},
      {"optimizer.lr", adjustable, optimizer<&O::lr>,
       "Peak learning rate; -1: computed from lr_per_256. Only one of the two may be set", or_unset(from(0, 1e4), -1)},
      {"optimizer.lr_per_256", adjustable, optimizer<&O::lr_per_256>,
       "Peak learning rate for a batch of 256, multiplied by train.batch / 256; -1: lr is set",
       or_unset(from(0, 1e4), -1)},
      {"optimizer.momentum", fixed, optimizer<&O::momentum>, "Momentum of rmsprop_tf and sgd; adamw: beta1",
       from(0, 0.9999999)},
      {"optimizer.nesterov", fixed, optimizer<&O::nesterov>, "Nesterov momentum; sgd only"},
      {"optimizer.decay", fixed, optimizer<&O::decay>,
       "rmsprop_tf: decay of the mean square; adamw: beta2; -1: 0.9 for rmsprop_tf, 0.999 for adamw",
       or_unset(from(0, 0.9999999), -1)},
      {"optimizer.epsilon", fixed, optimizer<&O::epsilon>,
       "Avoids a division by zero; -1: 1e-3 for rmsprop_tf (inside the square root), 1e-8 for adamw",
       or_unset(from(0, 10), -1)},
      {"optimizer.weight_decay", fixed, optimizer<&O::weight_decay>,
       "Weight decay of all tensors except those of batch norms", from(0, 10)},
      {"optimizer.layer_decay", fixed, optimizer<&O::layer_decay>,
       "Factor of the learning rate from each block to the block before it, so that early blocks change less; 1: off",
       above(0, 1)},

      {"schedule.name", fixed, choice<kSchedules, schedule<&S::name>>(),
       "exponential: decays at intervals; cosine: decays to 0 at the end of the run; constant: does not decay"},
      {"schedule.warmup_epochs", adjustable, schedule<&S::warmup_epochs>,
       "Length of the linear warm-up from 0, in epochs", from(0, 1e6)},
      {"schedule.decay_epochs", fixed, schedule<&S::decay_epochs>, "exponential: epochs between two decays",
       from(0.001, 1e6)},
      {"schedule.decay_rate", fixed, schedule<&S::decay_rate>, "exponential: factor of one decay", above(0, 1)},

      {"ema.decay", fixed, &top<&Recipe::ema_decay>,
       "Decay of the moving average of the weights, which is validated and saved as the model; 0: off",
       from(0, 0.9999999)},

      {"bn.momentum", fixed, &top<&Recipe::bn_momentum>,
       "Fraction of the moving statistics that each step keeps; -1: the architecture's; 1: the statistics do not "
       "change",
       or_unset(from(0, 1), -1)},
      {"bn.warmup", fixed, &top<&Recipe::bn_warmup>,
       "Limit bn.momentum to (1 + step) / (10 + step), like the decay of the moving average of the weights"},
      {"bn.fixed", fixed, &top<&Recipe::bn_fixed>,
       "Normalise with the moving statistics, which then do not change, also in training"},
      {"bn.unbiased", fixed, &top<&Recipe::unbiased_moving_variance>,
       "Moving variance with the divisor n - 1, as in PyTorch"},

      {"distributed.sync_bn", fixed, &top<&Recipe::sync_bn>, "Batch norm statistics over the batches of all processes"},

      {"checkpoint.every_steps", operational, &top<&Recipe::checkpoint_every_steps>,
       "Steps between checkpoints within an epoch; 0: only at the end of an epoch", from(0, 1e9)},
      {"checkpoint.keep", operational, &top<&Recipe::checkpoint_keep>, "Number of best checkpoints to keep",
       from(1, 1000)},
      {"checkpoint.result", operational, choice<kSavedEpochs, &top<&Recipe::checkpoint_result>>(),
       "Epoch whose weights become the model: the best one in validation, or the last one"},

      {"expect.classes", operational, expect<&E::classes>,
       "Number of classes that the dataset must have; 0: not checked", from(0, 1e6)},
      {"expect.train_images", operational, expect<&E::train_images>,
       "Number of images in train/, and in val/ if there is a test/; 0: not checked", from(0, 1e12)},
      {"expect.test_images", operational, expect<&E::test_images>,
       "Number of images in test/, or in val/ if there is no test/; 0: not checked", from(0, 1e12)},
      {"expect.metric", operational, choice<kMetrics, expect<&E::metric>>(),
       "Accuracy that results on this dataset are published with: of the images, or the mean over the classes"},
  };
}

}  // namespace

std::string_view Setting::section() const {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}
std::string_view Setting::name() const { return key.substr(key.find('.') + 1); }  // npos + 1 is 0

std::span<const Setting> settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

const Setting* find_setting(std::string_view key) {
  const auto found = std::ranges::find(settings(), key, &Setting::key);
  return found == settings().end() ? nullptr : &*found;
}

std::span<const std::string_view> settings_of_finetune() {
  static constexpr std::array<std::string_view, 11> kKeys{
      "model.name",    "model.init",        "model.classes", "data.folder",    "data.labels",      "data.split",
      "data.train_on", "data.broken_limit", "data.holdout",  "data.synthetic", "train.time_budget"};
  return kKeys;
}

bool accepts(const Setting& setting, double number) {
  const Range& range = setting.range;
  if (range.unset && number == *range.unset) return true;
  return (range.above_low ? number > range.low : number >= range.low) && number <= range.high;
}

bool accepts(const Choice& choice, std::string_view text) { return std::ranges::count(choice.names, text) != 0; }

std::string value_text(const Setting& setting, const Recipe& recipe) {
  Recipe copy = recipe;  // Member takes a non-const Recipe
  return std::visit(
      [&](const auto& member) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          return toml_value(member.get(copy));
        } else {
          const auto& value = member(copy);
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, std::string>) {
            return toml_value(std::string_view(value));
          } else if constexpr (std::is_same_v<Value, double>) {
            return toml_value(value);
          } else {
            return fmt::format("{}", value);
          }
        }
      },
      setting.member);
}

std::string& text_of(const Setting& setting, Recipe& recipe) {
  return std::get<std::string& (*)(Recipe&)>(setting.member)(recipe);
}

std::string expected_text(const Setting& setting) {
  const Range& range = setting.range;
  return std::visit(
      [&](const auto& member) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice>) {
          return fmt::format("one of {}", fmt::join(member.names, ", "));
        } else {
          using Value = std::decay_t<decltype(member(std::declval<Recipe&>()))>;
          if constexpr (std::is_same_v<Value, std::string>) {
            return "a text";
          } else if constexpr (std::is_same_v<Value, bool>) {
            return "true or false";
          } else {
            using Number = std::conditional_t<std::is_same_v<Value, double>, double, std::int64_t>;
            const auto low = static_cast<Number>(range.low), high = static_cast<Number>(range.high);
            const char* const kind = std::is_same_v<Value, double> ? "number" : "whole number";
            const std::string text = range.above_low ? fmt::format("a {} above {}, at most {}", kind, low, high)
                                                     : fmt::format("a {} from {} to {}", kind, low, high);
            return range.unset ? fmt::format("{}, or {}", text, static_cast<Number>(*range.unset)) : text;
          }
        }
      },
      setting.member);
}

std::vector<const Setting*> differing_settings(const Recipe& now, const Recipe& then) {
  std::vector<const Setting*> differing;
  for (const Setting& setting : settings()) {
    const bool is_path = setting.kind == SettingKind::model_file || setting.kind == SettingKind::data_folder;
    if (!is_path && value_text(setting, now) != value_text(setting, then)) differing.push_back(&setting);
  }
  return differing;
}

}  // namespace effnet::train
